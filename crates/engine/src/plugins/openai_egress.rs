//! `openai-egress`: lets in only what comes from the addresses that OpenAI publishes for its products.
//!
//! It is Toolway's own. The files with the addresses are read, and read anew, outside the engine, which gets networks alone
//! (`toolway.address_lists`). The address is the one that the gateway believes, as for `ip-restriction`.

use super::restriction::{MOST_NETWORKS, Refusal};
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::network::Networks;
use schemars::JsonSchema;
use serde::Deserialize;

/// Lets in only what comes from the addresses that OpenAI publishes for its products.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Files or URLs with the addresses, as `https://openai.com/chatgpt-actions.json`. A gateway puts what they hold into
    /// `prefixes` before it gives the settings to the engine.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 2048)))]
    sources: Option<Vec<String>>,
    /// Addresses and networks that are let in too.
    #[schemars(length(max = MOST_NETWORKS))]
    prefixes: Vec<String>,
    /// The text of a refusal.
    #[schemars(length(min = 1, max = 1024))]
    message: String,
    /// The status of a refusal, 403 or 404.
    #[schemars(range(min = 403, max = 404))]
    response_code: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sources: None,
            prefixes: Vec::new(),
            message: "Your IP address is not allowed".into(),
            response_code: 403,
        }
    }
}

/// The plugin.
pub struct OpenaiEgress {
    networks: Networks,
    refusal: Refusal,
}

impl Build for OpenaiEgress {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        if config.sources.is_some() {
            return Err("sources: what they hold must stand in prefixes by now".into());
        }
        if config.prefixes.len() > MOST_NETWORKS {
            return Err(format!("prefixes: may have {MOST_NETWORKS} entries"));
        }
        if !matches!(config.response_code, 403 | 404) {
            return Err("response_code: must be 403 or 404".into());
        }
        // With no network, nobody is let in.
        let networks = Networks::parse(&config.prefixes).map_err(|(_, why)| format!("prefixes: {why}"))?;
        let refusal = Refusal::message("response_code", config.response_code, &config.message)?;
        Ok(Self { networks, refusal })
    }
}

impl Plugin for OpenaiEgress {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        match self.networks.contain(exchange.arrival.client.ip()) {
            true => Flow::Continue,
            false => Flow::Respond(self.refusal.response()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plugins::testing::{Bench, body, get};
    use serde_json::{Value, json};

    fn answer(config: Value, client: &str) -> Option<(u16, Value)> {
        let bench = Bench::new(json!({"openai-egress": config}));
        let mut exchange = bench.exchange(get("/").header("X-Forwarded-For", "23.102.140.112"));
        exchange.set_client(client.parse().unwrap());
        bench.run(&mut exchange).map(|response| (response.status().as_u16(), body(&response)))
    }

    #[test]
    fn lets_in_only_the_networks_and_nobody_where_there_are_none() {
        let prefixes = json!(["23.102.140.112/28", "2001:db8::/32"]);
        let refused = || Some((403, json!({"message": "Your IP address is not allowed"})));
        assert_eq!(answer(json!({"prefixes": prefixes}), "23.102.140.127"), None);
        assert_eq!(answer(json!({"prefixes": prefixes}), "2001:db8::1"), None);
        assert_eq!(answer(json!({"prefixes": prefixes}), "23.102.140.128"), refused());
        assert_eq!(answer(json!({"prefixes": []}), "23.102.140.112"), refused());
        let other = json!({"prefixes": [], "response_code": 404, "message": "no"});
        assert_eq!(answer(other, "192.0.2.1"), Some((404, json!({"message": "no"}))));
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        for (config, why) in [
            (json!({"sources": ["a.json"]}), "must stand in prefixes by now"),
            (json!({"prefixes": ["10.0.0.0/33"]}), "prefixes: \"10.0.0.0/33\" is no address"),
            (json!({"response_code": 200}), "403 or 404"),
        ] {
            let message = Bench::problem(json!({"openai-egress": config}));
            assert!(message.contains(why), "{config}: {message}");
        }
    }
}
