//! `multi-auth`: lets in who satisfies any of several authentication plugins, which are tried in their order.
//!
//! Fields, statuses and messages are Apache APISIX's.

use super::{Build, BuildContext, Entry, Flow, Phase, Plugin, Waiting};
use crate::error::refusal;
use crate::exchange::Exchange;
use crate::http::Response;
use ::http::header::WWW_AUTHENTICATE;
use ::http::{HeaderName, HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

const NAME: &str = "multi-auth";

/// Lets in who satisfies one of several authentication plugins.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The plugins in the order in which they are tried, each a mapping of its name to its settings.
    #[schemars(length(min = 2))]
    auth_plugins: Vec<Map<String, Value>>,
}

/// The plugin.
pub struct MultiAuth {
    plugins: Vec<Arc<dyn Plugin>>,
    headers: Vec<HeaderName>,
    arguments: Vec<String>,
    told: Vec<HeaderName>,
}

impl Build for MultiAuth {
    type Config = Config;

    fn build(config: Config, context: &BuildContext<'_>) -> Result<Self, String> {
        if config.auth_plugins.len() < 2 {
            return Err("auth_plugins: expected at least two plugins".into());
        }
        let mut plugins = Vec::with_capacity(config.auth_plugins.len());
        for (nth, entry) in config.auth_plugins.iter().enumerate() {
            let mut members = entry.iter();
            let (Some((name, settings)), None) = (members.next(), members.next()) else {
                return Err(format!("auth_plugins: entry {nth} must name exactly one plugin"));
            };
            let known = Entry::find(name).filter(|entry| entry.phase == Phase::Authenticate && name != NAME);
            let known = known.ok_or_else(|| format!("auth_plugins: {name:?} is no authentication plugin"))?;
            let plugin = known.build(settings, context);
            plugins.push(plugin.map_err(|wrong| format!("auth_plugins: {name}: {}", wrong.why))?);
        }
        let headers = plugins.iter().flat_map(|plugin| plugin.credential_headers()).cloned().collect();
        let arguments = plugins.iter().flat_map(|plugin| plugin.credential_arguments()).cloned().collect();
        let told = plugins.iter().flat_map(|plugin| plugin.told_headers()).cloned().collect();
        Ok(Self { plugins, headers, arguments, told })
    }
}

impl Plugin for MultiAuth {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let mut challenges = Vec::new();
        for (nth, plugin) in self.plugins.iter().enumerate() {
            let refused = match plugin.request(exchange) {
                Flow::Continue => return Flow::Continue,
                Flow::Respond(response) => Some(response),
                Flow::Wait(_) => None,
            };
            match refused {
                Some(response) if is_busy(&response) => return Flow::Respond(response),
                Some(response) => note(&mut challenges, &response),
                // The plugin starts again, for it has done nothing yet, and those after it are tried there too.
                None => return Flow::Wait(self.rest(exchange, nth, challenges)),
            }
        }
        Flow::Respond(failed(challenges))
    }

    fn credential_headers(&self) -> &[HeaderName] {
        &self.headers
    }

    fn credential_arguments(&self) -> &[String] {
        &self.arguments
    }

    fn told_headers(&self) -> &[HeaderName] {
        &self.told
    }

    fn alternatives(&self) -> &[Arc<dyn Plugin>] {
        &self.plugins
    }
}

impl MultiAuth {
    /// Tries the plugins from `nth` on.
    fn rest<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        nth: usize,
        mut challenges: Vec<HeaderValue>,
    ) -> Waiting<'a> {
        Box::pin(async move {
            for plugin in self.plugins.iter().skip(nth) {
                let response = plugin.request(exchange).answer().await?;
                if is_busy(&response) {
                    return Some(response);
                }
                note(&mut challenges, &response);
            }
            Some(failed(challenges))
        })
    }
}

/// Whether a plugin could not find out who calls, so that nobody can say that the caller is not who it says to be.
fn is_busy(response: &Response) -> bool {
    response.status() != StatusCode::UNAUTHORIZED
}

fn note(challenges: &mut Vec<HeaderValue>, response: &Response) {
    challenges.extend(response.headers().get_all(WWW_AUTHENTICATE).iter().cloned());
}

/// A refusal with the challenges of all plugins (RFC 9110 section 11.6.1).
fn failed(challenges: Vec<HeaderValue>) -> Response {
    let mut response = refusal(StatusCode::UNAUTHORIZED, "Authorization Failed");
    for challenge in challenges {
        response.headers_mut().append(WWW_AUTHENTICATE, challenge);
    }
    response
}

#[cfg(test)]
mod tests {
    use crate::exchange::Exchange;
    use crate::http::Response;
    use crate::plugins::testing::{Bench, body, get, username};
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use http::request::Builder;
    use serde_json::{Value, json};

    fn run(plugins: Value, request: Builder) -> (Exchange, Option<Response>) {
        let config = json!({"username": "carol", "password_hash": bcrypt::hash("sesame", 4).unwrap()});
        let multi = json!({"multi-auth": {"auth_plugins": plugins}});
        let bench = Bench::with_credential("basic-auth", config, multi);
        let mut exchange = bench.exchange(request);
        let response = bench.run(&mut exchange);
        (exchange, response)
    }

    fn basic(text: &str) -> Builder {
        get("/").header("Authorization", format!("Basic {}", BASE64_STANDARD.encode(text)))
    }

    #[test]
    fn any_of_the_plugins_lets_in_whatever_their_order() {
        for plugins in [
            json!([{"basic-auth": {}}, {"key-auth": {}}]),
            json!([{"key-auth": {}}, {"jwt-auth": {}}, {"basic-auth": {}}]),
        ] {
            let (exchange, response) = run(plugins.clone(), basic("carol:sesame"));
            assert!(response.is_none());
            assert_eq!(username(&exchange), Some("carol"));
            assert_eq!(exchange.withheld[..], ["authorization"]);
            let (exchange, _) = run(plugins.clone(), get("/").header("apikey", "alice-key"));
            assert_eq!(username(&exchange), Some("alice"));
            let both = basic("carol:wrong").header("apikey", "bob-key");
            assert_eq!(username(&run(plugins, both).0), Some("bob"));
        }
    }

    #[test]
    fn refuses_with_all_challenges_who_satisfies_none() {
        let plugins = json!([{"key-auth": {}}, {"basic-auth": {"realm": "shop"}}]);
        for request in [get("/"), basic("carol:wrong"), get("/").header("apikey", "x")] {
            let (exchange, response) = run(plugins.clone(), request);
            let response = response.expect("a refusal");
            assert_eq!(response.status(), 401);
            assert_eq!(body(&response), json!({"message": "Authorization Failed"}));
            let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
            assert_eq!(challenges, ["apikey realm=\"key\"", "Basic realm=\"shop\""]);
            assert!(exchange.identity.is_none() && exchange.withheld.is_empty());
        }
    }

    #[test]
    fn tells_all_places_in_which_a_credential_may_stand() {
        let plugins = json!([{"key-auth": {}}, {"jwt-auth": {}}]);
        let bench = Bench::new(json!({"multi-auth": {"auth_plugins": plugins}}));
        let headers: Vec<_> = bench.chain().credential_headers().cloned().collect();
        assert_eq!(headers, ["apikey", "authorization"]);
        assert_eq!(bench.chain().credential_arguments().collect::<Vec<_>>(), ["apikey", "jwt"]);
    }

    #[test]
    fn refuses_plugins_that_it_cannot_try() {
        for (plugins, why) in [
            (json!([{"key-auth": {}}]), "at least two"),
            (json!([{"key-auth": {}}, {}]), "entry 1 must name exactly one"),
            (json!([{"key-auth": {}, "jwt-auth": {}}, {"basic-auth": {}}]), "entry 0 must name exactly one"),
            (json!([{"key-auth": {}}, {"cors": {}}]), "\"cors\" is no authentication plugin"),
            (json!([{"key-auth": {}}, {"multi-auth": {}}]), "\"multi-auth\" is no authentication plugin"),
            (json!([{"key-auth": {}}, {"basic-auth": {"realm": 7}}]), "basic-auth: realm: "),
        ] {
            let message = Bench::problem(json!({"multi-auth": {"auth_plugins": plugins}}));
            assert!(message.contains(why), "{message}");
        }
    }
}
