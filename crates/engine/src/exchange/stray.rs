//! Stray keys: API keys of consumers in headers where no plugin of the exchange looks for them. A client that sends its
//! key with every request shall not hand it to upstreams that did not ask for it.

use super::Exchange;
use crate::plugins::{Chain, Scheme, after_scheme};
use ::http::HeaderName;
use ::http::header::AUTHORIZATION;
use aws_lc_rs::digest::{SHA256, digest};

/// Where clients put keys by custom.
static CUSTOMARY: [HeaderName; 3] =
    [HeaderName::from_static("apikey"), HeaderName::from_static("x-api-key"), AUTHORIZATION];

impl Exchange {
    /// Withholds customary headers that carry a known key, unless a plugin of `chains` takes credentials there, whose
    /// settings then say what becomes of it.
    pub(super) fn withhold_stray_keys(&mut self, chains: [Option<&Chain>; 2]) {
        if !self.generation.consumers.have_keys() {
            return;
        }
        for name in &CUSTOMARY {
            if !self.request.headers.contains_key(name) || self.withheld.contains(name) {
                continue;
            }
            let mut taken = chains.into_iter().flatten().flat_map(Chain::credential_headers);
            if !taken.any(|header| header == name) && self.has_known_key(name) {
                self.withheld.push(name.clone());
            }
        }
    }

    fn has_known_key(&self, name: &HeaderName) -> bool {
        self.request.headers.get_all(name).iter().any(|value| {
            let key = after_scheme(value.as_bytes(), "Bearer").unwrap_or(value.as_bytes());
            let digest = digest(&SHA256, key);
            self.generation.consumers.find(Scheme::Key, digest.as_ref()).is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::plugins::testing::{Bench, get};
    use http::HeaderName;
    use serde_json::json;

    #[test]
    fn a_known_key_is_withheld_where_no_plugin_takes_it() {
        for (name, value, is_withheld) in [
            ("apikey", "alice-key", true),
            ("x-api-key", "alice-key", true),
            ("authorization", "Bearer alice-key", true),
            ("authorization", "alice-key", true),
            ("apikey", "nobodys-key", false),
            ("authorization", "Basic alice-key", false),
            ("x-other", "alice-key", false),
        ] {
            let bench = Bench::new(json!({}));
            let mut exchange = bench.exchange(get("/").header(name, value));
            exchange.withhold_stray_keys([Some(&bench.chain()), None]);
            let name: HeaderName = name.parse().unwrap();
            assert_eq!(exchange.withheld.contains(&name), is_withheld, "{name}: {value}");
        }
    }

    #[test]
    fn what_a_plugin_takes_is_the_plugins_affair() {
        let bench = Bench::new(json!({"key-auth": {"hide_credentials": false}}));
        let mut exchange =
            bench.exchange(get("/").header("apikey", "alice-key").header("x-api-key", "bob-key"));
        assert!(bench.run(&mut exchange).is_none());
        exchange.withhold_stray_keys([Some(&bench.chain()), None]);
        assert_eq!(exchange.withheld[..], ["x-api-key"]);
    }
}
