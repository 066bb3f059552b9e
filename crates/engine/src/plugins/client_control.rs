//! `client-control`: how large the bodies of requests may be.
//!
//! The field is Apache APISIX's. `gateway.limits.body_bytes` holds for every request before its route is known, so the
//! smaller of the two counts. A body that says its length is refused before anything of it is read, any other where it
//! becomes too large.

use super::{Build, BuildContext, Flow, Plugin};
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::http::Body;
use crate::http::received::{BodyFault, Received};
use http_body::Body as _;
use schemars::JsonSchema;
use serde::Deserialize;

/// Limits the bodies of requests.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The most bytes of a request's body; a larger one is refused with 413. 0: only what the gateway itself sets.
    max_body_size: u64,
}

/// The plugin.
pub struct ClientControl {
    limit: Option<u64>,
}

impl Build for ClientControl {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        Ok(Self { limit: Some(config.max_body_size).filter(|limit| *limit > 0) })
    }
}

impl Plugin for ClientControl {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let Some(limit) = self.limit else {
            return Flow::Continue;
        };
        let size = exchange.body.size_hint();
        if size.lower() > limit {
            let error = ProxyError::of_client_body(&BodyFault::TooLarge(limit));
            exchange.record.error = Some(error.kind.code());
            return Flow::Respond(error.response());
        }
        // A length that was said is kept to by whoever reads the connection.
        if size.upper().is_none_or(|upper| upper > limit) {
            let body = std::mem::replace(&mut exchange.body, Body::Empty);
            exchange.body = Received::at_most(body, limit);
        }
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use crate::http::Body;
    use crate::plugins::testing::{Bench, body, get};
    use serde_json::json;

    #[test]
    fn a_body_that_is_too_large_is_refused() {
        for (limit, size, goes_on) in [(3, 3, true), (3, 4, false), (0, 4, true)] {
            let bench = Bench::new(json!({"client-control": {"max_body_size": limit}}));
            let mut exchange = bench.exchange(get("/").method("POST"));
            exchange.body = Body::from(vec![b'a'; size]);
            let response = bench.run(&mut exchange);
            assert_eq!(response.is_none(), goes_on, "{size} bytes of {limit}");
            if let Some(response) = response {
                assert_eq!(response.status(), 413);
                assert_eq!(response.headers()["connection"], "close");
                assert_eq!(body(&response), json!({"error_msg": "The request body is too large"}));
                assert_eq!(exchange.record.error, Some("body_too_large"));
            }
        }
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        let message = Bench::problem(json!({"client-control": {"max_body_size": -1}}));
        assert!(message.contains("max_body_size"), "{message}");
    }
}
