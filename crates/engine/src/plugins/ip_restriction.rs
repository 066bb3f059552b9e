//! `ip-restriction`: lets in, or keeps out, by the address of the client.
//!
//! Fields and answers are Apache APISIX's. The address is the one that the gateway believes: that of the connection, or
//! what a trusted proxy or `real-ip` says. What anybody else claims in X-Forwarded-For changes nothing. At a consumer it
//! says from where that consumer may call.

use super::restriction::{MOST_NETWORKS, Refusal, networks};
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::network::Networks;
use schemars::JsonSchema;
use serde::Deserialize;

/// Lets in, or keeps out, by the address of the client.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Addresses and networks, IPv4 and IPv6, that are let in; all others are refused. Either this or `blacklist`.
    #[serde(default)]
    #[schemars(length(min = 1, max = MOST_NETWORKS))]
    whitelist: Option<Vec<String>>,
    /// Addresses and networks that are refused; all others are let in.
    #[serde(default)]
    #[schemars(length(min = 1, max = MOST_NETWORKS))]
    blacklist: Option<Vec<String>>,
    /// The text of a refusal.
    #[serde(default = "default_message")]
    #[schemars(length(min = 1, max = 1024))]
    message: String,
    /// The status of a refusal, 403 or 404.
    #[serde(default = "default_response_code")]
    #[schemars(range(min = 403, max = 404))]
    response_code: u16,
}

fn default_message() -> String {
    "Your IP address is not allowed".into()
}

fn default_response_code() -> u16 {
    403
}

/// The plugin.
pub struct IpRestriction {
    networks: Networks,
    /// Whether those in `networks` are let in, or the others.
    is_whitelist: bool,
    refusal: Refusal,
}

impl Build for IpRestriction {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let (networks, is_whitelist) = match (&config.whitelist, &config.blacklist) {
            (Some(list), None) => (networks("whitelist", list)?, true),
            (None, Some(list)) => (networks("blacklist", list)?, false),
            _ => return Err("give either whitelist or blacklist".into()),
        };
        if !matches!(config.response_code, 403 | 404) {
            return Err("response_code: must be 403 or 404".into());
        }
        let refusal = Refusal::message("response_code", config.response_code, &config.message)?;
        Ok(Self { networks, is_whitelist, refusal })
    }
}

impl Plugin for IpRestriction {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        match self.networks.contain(exchange.arrival.client.ip()) == self.is_whitelist {
            true => Flow::Continue,
            false => Flow::Respond(self.refusal.response()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plugins::testing::{Bench, body, get};
    use serde_json::{Value, json};

    /// Whether a client with this address is let in.
    fn lets_in(config: &Value, client: &str) -> bool {
        let bench = Bench::new(json!({"ip-restriction": config}));
        let mut exchange = bench.exchange(get("/"));
        exchange.set_client(client.parse().unwrap());
        bench.run(&mut exchange).is_none()
    }

    #[test]
    fn a_whitelist_lets_in_only_those_on_it_and_a_blacklist_only_others() {
        let list = json!(["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"]);
        for (client, is_listed) in [
            ("192.0.2.255", true),
            ("::ffff:192.0.2.1", true),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:1::5", true),
            ("2001:db9::", false),
            ("::192.0.2.1", false),
        ] {
            assert_eq!(lets_in(&json!({"whitelist": list}), client), is_listed, "{client}");
            assert_eq!(lets_in(&json!({"blacklist": list}), client), !is_listed, "{client}");
        }
    }

    #[test]
    fn a_refusal_has_the_configured_status_and_text() {
        for (config, status, message) in [
            (json!({"blacklist": ["192.0.2.7"]}), 403, "Your IP address is not allowed"),
            (
                json!({"blacklist": ["192.0.2.7"], "response_code": 404, "message": "Nothing here"}),
                404,
                "Nothing here",
            ),
        ] {
            let bench = Bench::new(json!({"ip-restriction": config}));
            for _ in 0..2 {
                let response = bench.run(&mut bench.exchange(get("/"))).expect("a refusal");
                assert_eq!(response.status(), status);
                assert_eq!(response.headers()["content-type"], "application/json");
                assert_eq!(body(&response), json!({"message": message}));
            }
        }
    }

    #[test]
    fn what_a_client_claims_in_headers_changes_nothing() {
        let bench = Bench::new(json!({"ip-restriction": {"whitelist": ["10.0.0.1"]}}));
        let request = get("/")
            .header("X-Forwarded-For", "10.0.0.1")
            .header("X-Real-IP", "10.0.0.1")
            .header("Forwarded", "for=10.0.0.1");
        assert!(bench.run(&mut bench.exchange(request)).is_some());
    }

    #[test]
    fn it_goes_by_the_address_that_real_ip_found() {
        let plugins = |trusted: &str| {
            json!({
                "real-ip": {"source": "http_x_forwarded_for", "trusted_addresses": [trusted]},
                "ip-restriction": {"whitelist": ["10.0.0.1"]},
            })
        };
        let run = |trusted| {
            let bench = Bench::new(plugins(trusted));
            bench.run(&mut bench.exchange(get("/").header("X-Forwarded-For", "10.0.0.1"))).is_none()
        };
        assert!(run("192.0.2.0/24"));
        assert!(!run("198.51.100.0/24"));
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        for (config, why) in [
            (json!({}), "either whitelist or blacklist"),
            (json!({"whitelist": ["::1"], "blacklist": ["::1"]}), "either whitelist or blacklist"),
            (json!({"whitelist": []}), "must not be empty"),
            (json!({"blacklist": ["10.0.0.0/33"]}), "no network"),
            (json!({"blacklist": ["::1"], "response_code": 401}), "403 or 404"),
            (json!({"blacklist": ["::1"], "massage": "no"}), "unknown field `massage`"),
        ] {
            let message = Bench::problem(json!({"ip-restriction": config}));
            assert!(message.contains(why), "{config}: {message}");
        }
    }
}
