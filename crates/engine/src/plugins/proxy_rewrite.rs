//! `proxy-rewrite`: changes the method, path, host and headers of the request that goes upstream.
//!
//! Fields are Apache APISIX's. Everything is parsed and checked when the plugin is built. What a client puts into a
//! variable cannot break out of its place: it is encoded in a path, and left out of a header where it does not fit.

mod headers;
mod uri;

use self::headers::{HeaderChanges, Headers};
use self::uri::UriRewrite;
use super::{Build, BuildContext, Flow, Plugin};
use crate::error::refusal;
use crate::exchange::Exchange;
use ::http::uri::Authority;
use ::http::{HeaderValue, Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

/// Changes the request before it goes upstream.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The path, and a query if it has one, for example `/v2$uri` or `/users/$arg_id`. The client's query is kept, after
    /// the query given here. It goes before `regex_uri`, and both before the prefixes of an api.
    #[serde(default)]
    uri: Option<String>,
    /// Pairs of a regular expression on the path and what to put in place of its match, with `$1` to `$9` for its
    /// groups: `["^/old/(.*)", "/new/$1"]`. The first expression that matches is used; if none does, nothing changes.
    #[serde(default)]
    regex_uri: Option<Vec<String>>,
    /// The method, for example `POST`.
    #[serde(default)]
    method: Option<String>,
    /// The Host that the upstream sees, as `name` or `name:port`.
    #[serde(default)]
    host: Option<String>,
    /// Changes to headers; values may contain variables and the groups of `regex_uri`.
    #[serde(default)]
    headers: Option<Headers>,
}

/// The plugin.
pub struct ProxyRewrite {
    uri: UriRewrite,
    method: Option<Method>,
    host: Option<HeaderValue>,
    headers: HeaderChanges,
}

impl Build for ProxyRewrite {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let uri = UriRewrite::build(config.uri.as_deref(), config.regex_uri.as_deref())?;
        let headers = match &config.headers {
            Some(headers) => HeaderChanges::build(headers, uri.groups())?,
            None => HeaderChanges::default(),
        };
        Ok(Self {
            uri,
            method: config.method.as_deref().map(method).transpose()?,
            host: config.host.as_deref().map(host).transpose()?,
            headers,
        })
    }
}

impl Plugin for ProxyRewrite {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let Ok(rewritten) = self.uri.apply(exchange) else {
            return Flow::Respond(refusal(StatusCode::BAD_REQUEST, "The rewritten path is not valid"));
        };
        let headers = self.headers.resolve(exchange, &rewritten.groups);
        self.headers.apply(headers, exchange);
        if let Some(uri) = rewritten.uri {
            exchange.rewrite.uri = Some(uri);
        }
        if let Some(method) = &self.method {
            exchange.request.method = method.clone();
        }
        if let Some(host) = &self.host {
            exchange.rewrite.host = Some(host.clone());
        }
        Flow::Continue
    }
}

fn method(name: &str) -> Result<Method, String> {
    let method = name.parse::<Method>().map_err(|_| format!("method: {name:?} is not a method"))?;
    match method {
        // The client waits for the body that the answer to its own method has.
        Method::HEAD => {
            Err("method: HEAD cannot be set, because its answer has no body for the client".into())
        }
        Method::CONNECT => Err("method: CONNECT cannot be sent to an upstream".into()),
        _ if name != name.to_ascii_uppercase() => {
            Err(format!("method: {name:?} must be in upper case, as {:?}", name.to_ascii_uppercase()))
        }
        _ => Ok(method),
    }
}

fn host(text: &str) -> Result<HeaderValue, String> {
    let why = || format!("host: {text:?} is not a host; write it as \"name\" or \"name:port\"");
    let authority: Authority = text.parse().map_err(|_| why())?;
    if authority.host().is_empty() || text.contains('@') {
        return Err(why());
    }
    HeaderValue::from_str(text).map_err(|_| why())
}

#[cfg(test)]
mod tests;
