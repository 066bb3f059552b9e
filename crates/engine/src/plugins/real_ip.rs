//! `real-ip`: takes the client's address from a variable, where a proxy in front of the gateway puts it.
//!
//! Fields are Apache APISIX's. The address then holds for all later plugins, the upstream and the log; the route has been
//! chosen before. `gateway.trusted_addresses` does the same for every request, before the route is chosen.

use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::http::forwarded::{address, entries};
use crate::http::headers::X_FORWARDED_FOR;
use crate::network::Networks;
use crate::variable::{Variable, with_buffer};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::IpAddr;

/// Takes the client's address from a variable.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The variable that has the address, such as `http_x_forwarded_for` or `arg_client`. A port may follow the address.
    #[schemars(length(min = 1))]
    source: String,
    /// Addresses and networks of proxies that are believed. None: those of `gateway.trusted_addresses`; with neither,
    /// nobody is.
    #[serde(default)]
    #[schemars(length(min = 1))]
    trusted_addresses: Option<Vec<String>>,
    /// Whether addresses of `http_x_forwarded_for` that are themselves trusted are passed over, from the right; else the
    /// last one is taken.
    #[serde(default)]
    recursive: bool,
}

/// The plugin.
pub struct RealIp {
    source: Variable,
    /// None: the gateway's.
    trusted: Option<Networks>,
    recursive: bool,
}

impl Build for RealIp {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let source = Variable::parse(&config.source).map_err(|why| format!("source: {why}"))?;
        let trusted = config.trusted_addresses.map(|texts| Networks::parse(&texts)).transpose();
        let trusted = trusted.map_err(|(_, why)| format!("trusted_addresses: {why}"))?;
        if trusted.as_ref().is_some_and(Networks::is_empty) {
            return Err("trusted_addresses: must have one address or more".into());
        }
        Ok(Self { source, trusted, recursive: config.recursive })
    }
}

impl Plugin for RealIp {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        // The headers of a tool call are made from its arguments; who calls is known from the request around it.
        if exchange.arrival.tool.is_none()
            && self.is_believed(exchange)
            && let Some(client) = self.find(exchange)
        {
            exchange.set_client(client);
        }
        Flow::Continue
    }
}

impl RealIp {
    fn is_believed(&self, exchange: &Exchange) -> bool {
        match &self.trusted {
            Some(trusted) => trusted.contain(exchange.arrival.client.ip()),
            None => exchange.forwarded.is_some(),
        }
    }

    fn find(&self, exchange: &Exchange) -> Option<IpAddr> {
        if self.source != Variable::Header(X_FORWARDED_FOR) {
            return with_buffer(|buffer| {
                self.source.write(exchange, buffer);
                address(buffer)
            });
        }
        let trusted = self.trusted.as_ref().unwrap_or(&exchange.generation.trusted);
        let mut found = None;
        for entry in entries(&exchange.request.headers, &X_FORWARDED_FOR).rev() {
            let Some(address) = address(entry) else { break };
            found = Some(address);
            if !self.recursive || !trusted.contain(address) {
                break;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::plugins::testing::{Bench, get};
    use serde_json::{Value, json};

    fn client(config: Value, request: http::request::Builder) -> String {
        let bench = Bench::new(json!({"real-ip": config}));
        let mut exchange = bench.exchange(request);
        assert!(bench.run(&mut exchange).is_none());
        assert_eq!(exchange.record.client, exchange.arrival.client.ip());
        exchange.arrival.client.ip().to_string()
    }

    fn forwarded(entries: &str) -> http::request::Builder {
        get("/").header("X-Forwarded-For", entries)
    }

    #[test]
    fn takes_the_address_from_the_variable() {
        let trusted = ["192.0.2.0/24"];
        let config = json!({"source": "arg_client", "trusted_addresses": trusted});
        assert_eq!(client(config.clone(), get("/?client=198.51.100.4")), "198.51.100.4");
        assert_eq!(client(config.clone(), get("/?client=198.51.100.4:80")), "198.51.100.4");
        assert_eq!(client(config.clone(), get("/?client=%5B2001:db8::1%5D:80")), "2001:db8::1");
        assert_eq!(client(config.clone(), get("/?client=localhost")), "192.0.2.7");
        assert_eq!(client(config, get("/")), "192.0.2.7");
    }

    #[test]
    fn takes_the_last_address_of_x_forwarded_for_or_the_last_that_is_not_trusted() {
        let config = |recursive: bool| {
            let trusted = ["192.0.2.0/24", "10.0.0.0/8"];
            json!({"source": "http_x_forwarded_for", "trusted_addresses": trusted, "recursive": recursive})
        };
        for (entries, plain, recursive) in [
            ("198.51.100.4", "198.51.100.4", "198.51.100.4"),
            ("198.51.100.1, 198.51.100.4, 10.0.0.2", "10.0.0.2", "198.51.100.4"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.2", "10.0.0.3"),
            ("198.51.100.4, x", "192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(client(config(false), forwarded(entries)), plain, "{entries}");
            assert_eq!(client(config(true), forwarded(entries)), recursive, "{entries}");
        }
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        let sent = || forwarded("198.51.100.4");
        let elsewhere = json!({"source": "http_x_forwarded_for", "trusted_addresses": ["10.0.0.0/8"]});
        assert_eq!(client(elsewhere, sent()), "192.0.2.7");
        assert_eq!(client(json!({"source": "http_x_forwarded_for"}), sent()), "192.0.2.7");
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        for (config, why) in [
            (json!({}), "missing field `source`"),
            (json!({"source": "remote_adr"}), "did you mean $remote_addr?"),
            (json!({"source": "arg_a", "trusted_addresses": ["10.0.0.0/40"]}), "no network"),
            (json!({"source": "arg_a", "trusted_addresses": []}), "one address or more"),
        ] {
            let message = Bench::problem(json!({"real-ip": config}));
            assert!(message.contains(why), "{config}: {message}");
        }
    }
}
