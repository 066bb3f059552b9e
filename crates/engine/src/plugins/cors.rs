//! `cors`: lets browsers call from other origins (the CORS protocol of the Fetch Standard).
//!
//! Fields and headers are Apache APISIX's. A preflight is answered here and goes no further, so it needs no key. A
//! pattern of `allow_origins_by_regex` must match the whole origin, whereas in APISIX it may match a part of it, by
//! which `https://example.com.evil.org` gets in.

mod origins;

use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::http::{Body, Response};
use ::http::{HeaderName, HeaderValue, Method, header};
use origins::Origins;
use schemars::JsonSchema;
use serde::Deserialize;

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");
const EVERY_METHOD: &str = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE";

/// Allows calls from pages of other origins.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Origins that may call, as `https://chatgpt.com`, several with commas between. `*` is any origin, without
    /// credentials. `**` is any origin even with credentials: any page that a signed-in user opens can then act as that
    /// user, so it is for APIs that are public anyway.
    allow_origins: String,
    /// Methods that may be used, with commas between; `*` is any without credentials, `**` any.
    allow_methods: String,
    /// Request headers that may be sent, with commas between; `*` is any without credentials, `**` whichever are asked
    /// for.
    allow_headers: String,
    /// Response headers that the page may read, with commas between; `*` is any without credentials.
    expose_headers: Option<String>,
    /// For how many seconds a browser may remember the answer to a preflight; -1: not at all.
    #[schemars(range(min = -1))]
    max_age: i64,
    /// Whether the page may send cookies and other credentials. No other setting may then be `*`.
    allow_credential: bool,
    /// Regular expressions for origins, used instead of `allow_origins`; one must match the whole origin.
    #[schemars(length(min = 1))]
    allow_origins_by_regex: Option<Vec<String>>,
    /// Names of lists of origins in the plugin's metadata, which are allowed beside those of `allow_origins` where that is
    /// set. A gateway puts the lists in the place of the names before it gives the settings to the engine.
    #[schemars(length(min = 1, max = 100))]
    allow_origins_by_metadata: Option<Vec<String>>,
    /// Origins whose pages may measure how long requests took (Resource Timing), written as `allow_origins`.
    timing_allow_origins: Option<String>,
    /// Regular expressions for such origins, used instead; one must match the whole origin.
    #[schemars(length(min = 1))]
    timing_allow_origins_by_regex: Option<Vec<String>>,
    /// Whether a page on the public internet may call a gateway on this private network, as ChatGPT does with plugins
    /// under development on localhost.
    allow_private_network: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_origins: "*".into(),
            allow_methods: "*".into(),
            allow_headers: "*".into(),
            expose_headers: None,
            max_age: 5,
            allow_credential: false,
            allow_origins_by_regex: None,
            allow_origins_by_metadata: None,
            timing_allow_origins: None,
            timing_allow_origins_by_regex: None,
            allow_private_network: false,
        }
    }
}

/// The plugin.
pub struct Cors {
    origins: Origins,
    timing: Option<Origins>,
    methods: HeaderValue,
    headers: AllowedHeaders,
    expose: Option<HeaderValue>,
    max_age: HeaderValue,
    credentials: bool,
    private_network: bool,
}

enum AllowedHeaders {
    Echoed,
    Fixed(HeaderValue),
}

impl Build for Cors {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let expose = config.expose_headers.as_deref().filter(|text| !text.is_empty());
        if expose == Some("**") {
            return Err(
                "expose_headers: browsers know no `**`; list the headers, or use `*` without credentials"
                    .into(),
            );
        }
        if config.allow_credential {
            let settings = [
                (
                    "allow_origins",
                    Some(&*config.allow_origins).filter(|_| config.allow_origins_by_regex.is_none()),
                ),
                ("allow_methods", Some(&*config.allow_methods)),
                ("allow_headers", Some(&*config.allow_headers)),
                ("expose_headers", expose),
            ];
            if let Some((name, _)) = settings.iter().find(|(_, value)| *value == Some("*")) {
                let why = "must not be `*` (its default, unless it is expose_headers) when allow_credential is true";
                return Err(format!("{name}: {why}; list what is allowed"));
            }
        }
        if config.max_age < -1 {
            return Err("max_age: must be -1 or more".into());
        }
        if config.allow_origins_by_metadata.is_some() {
            return Err("allow_origins_by_metadata: the lists must stand in allow_origins by now".into());
        }
        let methods = if config.allow_methods == "**" { EVERY_METHOD } else { &config.allow_methods };
        Ok(Self {
            origins: Origins::build(
                "allow_origins",
                Some(&config.allow_origins),
                config.allow_origins_by_regex.as_deref(),
            )?
            .unwrap_or(Origins::Any),
            timing: Origins::build(
                "timing_allow_origins",
                config.timing_allow_origins.as_deref(),
                config.timing_allow_origins_by_regex.as_deref(),
            )?,
            methods: tokens("allow_methods", methods)?,
            headers: match config.allow_headers.as_str() {
                "**" => AllowedHeaders::Echoed,
                text => AllowedHeaders::Fixed(tokens("allow_headers", text)?),
            },
            expose: expose.map(|text| tokens("expose_headers", text)).transpose()?,
            max_age: HeaderValue::from(config.max_age),
            credentials: config.allow_credential,
            private_network: config.allow_private_network,
        })
    }
}

impl Plugin for Cors {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let request = &exchange.request;
        let origin = request.headers.get(header::ORIGIN);
        let is_preflight = request.method == Method::OPTIONS
            && origin.is_some()
            && request.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let timing = self.timing.as_ref().and_then(|timing| timing.allow(origin));
        if let Some(allowed) = self.origins.allow(origin) {
            self.allow(allowed, is_preflight, exchange);
        }
        if let Some(timing) = timing {
            exchange.response_headers.insert(TIMING_ALLOW_ORIGIN, timing);
        }
        let depends = |origins: &Origins| !matches!(origins, Origins::Any);
        if depends(&self.origins) || self.timing.as_ref().is_some_and(depends) {
            exchange.response_headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        match is_preflight {
            true => Flow::Respond(Response::new(Body::Empty)),
            false => Flow::Continue,
        }
    }
}

impl Cors {
    fn allow(&self, origin: HeaderValue, is_preflight: bool, exchange: &mut Exchange) {
        let asked = &exchange.request.headers;
        let headers = match &self.headers {
            AllowedHeaders::Fixed(value) => Some(value.clone()),
            AllowedHeaders::Echoed => asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
        };
        let is_private = is_preflight
            && self.private_network
            && asked.get(REQUEST_PRIVATE_NETWORK).is_some_and(|value| value == "true");
        let answer = &mut exchange.response_headers;
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        if let Some(headers) = headers {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
        }
        if let Some(expose) = &self.expose {
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        if self.credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if is_private {
            answer.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
    }
}

fn tokens(setting: &str, text: &str) -> Result<HeaderValue, String> {
    let is_token = |item: &str| item.trim().parse::<HeaderName>().is_ok();
    let value = HeaderValue::from_str(text).ok().filter(|_| text.split(',').all(is_token));
    value.ok_or_else(|| format!("{setting}: {text:?} is not a list of names with commas between"))
}

#[cfg(test)]
mod tests;
