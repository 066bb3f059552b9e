//! `key-auth`: recognises a consumer by an API key in a header or a query argument.
//!
//! Fields, statuses and messages are Apache APISIX's, but the key is not passed on to the upstream unless
//! `hide_credentials` is set to false (APISIX passes it on by default). Keys are looked up by their SHA-256.

mod made;

use super::entrance::{Entrance, Presented, after_scheme, presented, presented_argument};
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::http::headers::is_of_connection;
use ::http::HeaderName;
use ::http::header::{AUTHORIZATION, HOST};
use aws_lc_rs::digest::{SHA256, digest};
use schemars::JsonSchema;
use serde::Deserialize;
use std::borrow::Cow;

const MISSING: &str = "Missing API key in request";
const INVALID: &str = "Invalid API key in request";

/// Lets in who presents the API key of a consumer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The header that the key is taken from. With `Authorization`, a leading `Bearer ` is not part of the key.
    header: String,
    /// The query argument that the key is taken from where the header is missing.
    query: String,
    /// Whether the key is kept from the upstream. True by default, other than in APISIX.
    hide_credentials: bool,
    /// The realm that a refusal names in `WWW-Authenticate`.
    realm: String,
    /// The consumer as which callers without a valid key go on. Without it, and while there is no such consumer, they are refused.
    anonymous_consumer: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header: "apikey".into(),
            query: "apikey".into(),
            hide_credentials: true,
            realm: "key".into(),
            anonymous_consumer: None,
        }
    }
}

/// The plugin.
pub struct KeyAuth {
    /// One header, as a slice for [`Plugin::credential_headers`].
    header: [HeaderName; 1],
    /// Likewise for [`Plugin::credential_arguments`].
    query: [String; 1],
    hide_credentials: bool,
    entrance: Entrance,
}

impl Build for KeyAuth {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let header: HeaderName = config
            .header
            .parse()
            .map_err(|_| format!("header: {:?} is not a valid header name", config.header))?;
        if is_of_connection(&header) || header == HOST {
            return Err(format!("header: {header} cannot carry a key, because HTTP itself uses it"));
        }
        if config.query.is_empty() {
            return Err("query: must not be empty".into());
        }
        Ok(Self {
            header: [header],
            query: [config.query],
            hide_credentials: config.hide_credentials,
            entrance: Entrance::new("apikey", &config.realm, config.anonymous_consumer)?,
        })
    }
}

impl Plugin for KeyAuth {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let proven = self.key(exchange).and_then(|key| {
            if !made::may_be_key(&key) {
                return Err(INVALID);
            }
            let digest = digest(&SHA256, &key);
            let digest = digest.as_ref().try_into().map_err(|_| INVALID)?;
            exchange.generation.consumers.by_key(digest).ok_or(INVALID)
        });
        self.entrance.admit(exchange, proven).into()
    }

    fn credential_headers(&self) -> &[HeaderName] {
        &self.header
    }

    fn credential_arguments(&self) -> &[String] {
        &self.query
    }

    fn shows_credentials(&self) -> bool {
        !self.hide_credentials
    }
}

impl KeyAuth {
    fn key<'a>(&self, exchange: &'a Exchange) -> Result<Cow<'a, [u8]>, &'static str> {
        let [name] = &self.header;
        match presented(&exchange.request.headers, name) {
            Presented::One(value) if *name == AUTHORIZATION => {
                // GPT Actions and others send keys as `Authorization: Bearer <key>`.
                return Ok(after_scheme(value, "Bearer").unwrap_or(value).into());
            }
            Presented::One(value) => return Ok(value.into()),
            Presented::Several => return Err(INVALID),
            Presented::Nothing => {}
        }
        let [argument] = &self.query;
        presented_argument(exchange, argument).ok_or(MISSING)
    }
}

#[cfg(test)]
mod tests {
    use crate::exchange::Exchange;
    use crate::http::Response;
    use crate::plugins::testing::{Bench, body, get, username};
    use serde_json::{Value, json};

    fn run(config: Value, request: http::request::Builder) -> (Exchange, Option<Response>) {
        let bench = Bench::new(json!({"key-auth": config}));
        let mut exchange = bench.exchange(request);
        let response = bench.run(&mut exchange);
        (exchange, response)
    }

    #[track_caller]
    fn assert_refused(config: Value, request: http::request::Builder, message: &str) {
        let (exchange, response) = run(config, request);
        let response = response.expect("a refusal");
        assert_eq!(response.status(), 401);
        assert_eq!(body(&response), json!({"message": message}));
        assert_eq!(response.headers()["www-authenticate"], "apikey realm=\"key\"");
        assert!(exchange.identity.is_none());
    }

    #[test]
    fn refuses_a_request_without_a_key() {
        assert_refused(json!({}), get("/"), "Missing API key in request");
        assert_refused(json!({}), get("/?apikey="), "Missing API key in request");
        assert_refused(json!({}), get("/").header("apikey", ""), "Missing API key in request");
        let bearer = get("/").header("Authorization", "Bearer alice-key");
        assert_refused(json!({}), bearer, "Missing API key in request");
    }

    #[test]
    fn refuses_a_key_that_nobody_has() {
        assert_refused(json!({}), get("/").header("apikey", "alice"), "Invalid API key in request");
        assert_refused(json!({}), get("/?apikey=alice-keyy"), "Invalid API key in request");
    }

    #[test]
    fn recognises_the_consumer_by_the_header_and_hides_the_key() {
        let (exchange, response) = run(json!({}), get("/?a=1").header("apikey", "alice-key"));
        assert!(response.is_none());
        assert_eq!(username(&exchange), Some("alice"));
        assert_eq!(exchange.identity.as_ref().unwrap().credential.as_deref(), Some("alice-credential"));
        assert_eq!(exchange.withheld[..], ["apikey"]);
        assert_eq!(exchange.request.uri, "/?a=1");
    }

    #[test]
    fn recognises_the_consumer_by_the_query_and_hides_the_key() {
        let (exchange, _) = run(json!({}), get("/x?a=%31&apik%65y=alice%2Dkey&b&apikey=again"));
        assert_eq!(username(&exchange), Some("alice"));
        assert_eq!(exchange.request.uri, "/x?a=%31&b");
        let (exchange, _) = run(json!({}), get("/x?apikey=alice-key"));
        assert_eq!(exchange.request.uri, "/x");
    }

    #[test]
    fn prefers_the_header_and_hides_the_query_too() {
        let (exchange, _) = run(json!({}), get("/?apikey=bob-key").header("apikey", "alice-key"));
        assert_eq!(username(&exchange), Some("alice"));
        assert_eq!(exchange.request.uri, "/");
        assert_refused(
            json!({}),
            get("/?apikey=alice-key").header("apikey", "x"),
            "Invalid API key in request",
        );
    }

    #[test]
    fn passes_the_key_on_when_told_to() {
        let request = get("/?apikey=alice-key").header("apikey", "alice-key");
        let (exchange, _) = run(json!({"hide_credentials": false}), request);
        assert_eq!(exchange.request.uri, "/?apikey=alice-key");
        assert!(exchange.withheld.is_empty());
    }

    #[test]
    fn takes_the_key_from_where_the_configuration_says() {
        let config = json!({"header": "X-Key", "query": "k", "realm": "shop"});
        assert_eq!(username(&run(config.clone(), get("/").header("x-key", "alice-key")).0), Some("alice"));
        assert_eq!(username(&run(config.clone(), get("/?k=alice-key")).0), Some("alice"));
        let (_, response) = run(config, get("/?apikey=alice-key").header("apikey", "alice-key"));
        assert_eq!(response.expect("a refusal").headers()["www-authenticate"], "apikey realm=\"shop\"");
    }

    #[test]
    fn takes_a_bearer_token_from_the_authorization_header() {
        let config = json!({"header": "Authorization"});
        for value in ["Bearer alice-key", "bearer  alice-key", "alice-key"] {
            let (exchange, _) = run(config.clone(), get("/").header("Authorization", value));
            assert_eq!(username(&exchange), Some("alice"), "{value}");
            assert_eq!(exchange.withheld[..], ["authorization"]);
        }
        assert_refused(
            config,
            get("/").header("Authorization", "Basic alice-key"),
            "Invalid API key in request",
        );
        let other = json!({"header": "x-key"});
        assert_refused(other, get("/").header("x-key", "Bearer alice-key"), "Invalid API key in request");
    }

    #[test]
    fn refuses_a_key_that_has_expired() {
        let credential = |expires_at: u64| {
            let config = json!({"key_sha256": crate::plugins::testing::key("carol-key")});
            json!({"id": "c", "plugin": "key-auth", "config": config, "expires_at": expires_at})
        };
        for (expires_at, caller) in [(1_700_000_000, None), (4_000_000_000, Some("carol"))] {
            let bench = Bench::with_carol(&credential(expires_at), json!({"key-auth": {}})).unwrap();
            let mut exchange = bench.exchange(get("/").header("apikey", "carol-key"));
            assert_eq!(bench.run(&mut exchange).is_some(), caller.is_none());
            assert_eq!(username(&exchange), caller);
        }
    }

    #[test]
    fn refuses_several_keys_in_one_header() {
        let twice = get("/").header("apikey", "alice-key").header("apikey", "bob-key");
        assert_refused(json!({}), twice, "Invalid API key in request");
    }

    #[test]
    fn lets_others_in_as_the_anonymous_consumer() {
        let config = json!({"anonymous_consumer": "guest"});
        for request in [get("/"), get("/").header("apikey", "wrong"), get("/?apikey=wrong")] {
            let (exchange, response) = run(config.clone(), request);
            assert!(response.is_none());
            assert_eq!(username(&exchange), Some("guest"));
            assert!(exchange.identity.as_ref().unwrap().credential.is_none());
            assert_eq!(exchange.request.uri, "/");
        }
        assert_eq!(username(&run(config, get("/").header("apikey", "alice-key")).0), Some("alice"));
    }

    #[test]
    fn refuses_as_without_it_while_the_anonymous_consumer_is_not_there() {
        let (exchange, response) = run(json!({"anonymous_consumer": "nobody"}), get("/"));
        assert_eq!(response.unwrap().status(), 401);
        assert!(exchange.identity.is_none());
        let why = "there is no consumer \"nobody\", which anonymous_consumer names";
        assert_eq!(exchange.record.error_detail.as_deref(), Some(why));
        assert_refused(json!({"anonymous_consumer": "nobody"}), get("/"), "Invalid user authorization");
    }

    #[test]
    fn tells_the_header_that_a_tool_call_has_to_pass_on() {
        let bench = Bench::new(json!({"key-auth": {"header": "X-Key"}}));
        let headers: Vec<_> = bench.chain().credential_headers().cloned().collect();
        assert_eq!(headers, ["x-key"]);
        let bench = Bench::new(json!({"key-auth": {"query": "key"}}));
        assert_eq!(bench.chain().credential_arguments().collect::<Vec<_>>(), ["key"]);
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        let wrong = [
            (json!({"header": "no such header"}), "not a valid header name"),
            (json!({"header": "Content-Length"}), "cannot carry a key"),
            (json!({"header": "Host"}), "cannot carry a key"),
            (json!({"query": ""}), "must not be empty"),
            (json!({"realm": "a\"b"}), "must not contain quotes"),
            (json!({"realm": "a\nb"}), "printable"),
            (json!({"key": "secret"}), "unknown field `key`"),
        ];
        for (config, why) in wrong {
            let message = Bench::problem(json!({"key-auth": config}));
            assert!(message.contains(why), "{config}: {message}");
        }
    }
}
