//! `cors`: lets browsers call from other origins (the CORS protocol of the Fetch Standard).
//!
//! Fields and headers are Apache APISIX's. A preflight is answered here and goes no further, so it needs no key. A
//! pattern of `allow_origins_by_regex` must match the whole origin, whereas in APISIX it may match a part of it, by
//! which `https://example.com.evil.org` gets in.

use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::http::{Body, Response};
use ::http::{HeaderName, HeaderValue, Method, Uri, header};
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
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
            allow_private_network: false,
        }
    }
}

/// The plugin.
pub struct Cors {
    origins: Origins,
    methods: HeaderValue,
    headers: AllowedHeaders,
    expose: Option<HeaderValue>,
    max_age: HeaderValue,
    credentials: bool,
    private_network: bool,
}

enum Origins {
    /// `*`.
    Any,
    /// `**`.
    Echoed,
    Listed(Vec<String>),
    Matching(Vec<Regex>),
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
        let methods = if config.allow_methods == "**" { EVERY_METHOD } else { &config.allow_methods };
        Ok(Self {
            origins: Origins::build(&config)?,
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
        if let Some(allowed) = self.origins.allow(origin) {
            self.allow(allowed, is_preflight, exchange);
        }
        if !matches!(self.origins, Origins::Any) {
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

impl Origins {
    fn build(config: &Config) -> Result<Self, String> {
        if let Some(patterns) = &config.allow_origins_by_regex {
            if patterns.is_empty() {
                return Err("allow_origins_by_regex: must not be empty; leave it out instead".into());
            }
            let whole = |pattern: &String| Regex::new(&format!("^(?:{pattern})$"));
            let regexes = patterns.iter().map(whole).collect::<Result<_, _>>();
            return regexes
                .map(Origins::Matching)
                .map_err(|error| format!("allow_origins_by_regex: {error}"));
        }
        match config.allow_origins.as_str() {
            "*" => Ok(Origins::Any),
            "**" => Ok(Origins::Echoed),
            list => list.split(',').map(origin).collect::<Result<_, _>>().map(Origins::Listed),
        }
    }

    /// What the browser is told, or none where the origin may not call.
    fn allow(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let any = HeaderValue::from_static("*");
        let is_allowed = match self {
            Origins::Any => return Some(any),
            Origins::Echoed => return Some(origin.cloned().unwrap_or(any)),
            Origins::Listed(listed) => |text: &str| listed.iter().any(|one| one == text),
            Origins::Matching(regexes) => return origin.filter(|origin| matches(regexes, origin)).cloned(),
        };
        origin.filter(|origin| origin.to_str().is_ok_and(is_allowed)).cloned()
    }
}

fn matches(regexes: &[Regex], origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|text| regexes.iter().any(|regex| regex.is_match(text)))
}

/// An origin as browsers write it (RFC 6454, section 6.2).
fn origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text == "null" {
        return Ok(text.into());
    }
    if text.contains('*') {
        return Err(format!("allow_origins: {text:?} is no origin; for patterns use allow_origins_by_regex"));
    }
    let is_origin = text.parse::<Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.authority().is_some());
    match is_origin && text.matches('/').count() == 2 && !text.contains(['?', '#']) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!("allow_origins: {text:?} is no origin; write it as \"https://example.com\"")),
    }
}

fn tokens(setting: &str, text: &str) -> Result<HeaderValue, String> {
    let is_token = |item: &str| item.trim().parse::<HeaderName>().is_ok();
    let value = HeaderValue::from_str(text).ok().filter(|_| text.split(',').all(is_token));
    value.ok_or_else(|| format!("{setting}: {text:?} is not a list of names with commas between"))
}

#[cfg(test)]
mod tests;
