//! `opa`: a policy of Open Policy Agent decides about each request.
//!
//! Fields, statuses and the input are Apache APISIX's, but an input has no secret of the configuration, and a decision
//! that is not there or not one lets nobody through.

use super::asking::{MAXIMUM_BODY, headers, keepalive_pool, keepalive_timeout, settings, timeout, yes};
use super::{Build, BuildContext, Flow, Plugin};
use crate::error::{CODE_HEADER, Kind, refusal};
use crate::exchange::Exchange;
use crate::http::headers::{is_of_connection, strip_alike};
use crate::http::{Body, Response};
use crate::outbound::{Endpoint, Fault, Question};
use crate::variable::{arguments, decoded};
use ::http::header::{CONTENT_TYPE, HeaderMap};
use ::http::{HeaderName, HeaderValue, Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Lets a policy of Open Policy Agent decide about each request.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The URL of the agent, such as `http://127.0.0.1:8181`.
    #[schemars(length(min = 1))]
    host: String,
    /// Whether the agent's certificate is checked.
    #[serde(default = "yes")]
    ssl_verify: bool,
    /// The path of the decision below `/v1/data/`: the package, and perhaps a rule, with slashes between.
    #[schemars(length(min = 1, max = 256))]
    policy: String,
    /// Milliseconds for the whole question.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1, max = 60_000))]
    timeout: u64,
    /// Whether connections to the agent are kept for further questions.
    #[serde(default = "yes")]
    keepalive: bool,
    /// For how many milliseconds they are kept.
    #[serde(default = "keepalive_timeout")]
    #[schemars(range(min = 1000))]
    keepalive_timeout: u64,
    /// How many of them each worker keeps.
    #[serde(default = "keepalive_pool")]
    #[schemars(range(min = 1))]
    keepalive_pool: usize,
    /// Whether the input has the route: id, name, uris and hosts.
    #[serde(default)]
    with_route: bool,
    /// Whether the input has the id of the service.
    #[serde(default)]
    with_service: bool,
    /// Whether the input has the consumer: username, group and custom id; and the claims of the caller's token.
    #[serde(default)]
    with_consumer: bool,
    /// Whether the input has the request's body, as text. One of more than a megabyte is refused with 413.
    #[serde(default)]
    with_body: bool,
    /// Headers of a decision that the upstream gets where it allows; the same headers of clients are removed.
    #[serde(default)]
    send_headers_upstream: Vec<String>,
}

/// The plugin.
pub struct Opa {
    endpoint: Endpoint,
    with_route: bool,
    with_service: bool,
    with_consumer: bool,
    with_body: bool,
    upstream_headers: Vec<HeaderName>,
}

/// What the agent answers.
#[derive(Deserialize)]
struct Answer {
    result: Option<Decision>,
}

#[derive(Deserialize)]
struct Decision {
    allow: bool,
    #[serde(default)]
    reason: Option<Value>,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    status_code: Option<u16>,
}

impl Build for Opa {
    type Config = Config;

    fn build(config: Config, context: &BuildContext<'_>) -> Result<Self, String> {
        let pool = if config.keepalive { config.keepalive_pool } else { 0 };
        let settings = settings(config.ssl_verify, config.timeout, pool, config.keepalive_timeout);
        let is_step = |step: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.~".contains(&byte);
            !step.is_empty() && step != "." && step != ".." && step.bytes().all(is_plain)
        };
        if !config.policy.split('/').all(is_step) {
            return Err("policy: expected names with slashes between them, such as example/allow".into());
        }
        if config.host.contains(['?', '#']) {
            return Err("host: the URL must have neither a query nor a fragment".into());
        }
        let url = format!("{}/v1/data/{}", config.host.trim_end_matches('/'), config.policy);
        Ok(Self {
            endpoint: Endpoint::build(&url, &settings, context.state)
                .map_err(|why| format!("host: {why}"))?,
            with_route: config.with_route,
            with_service: config.with_service,
            with_consumer: config.with_consumer,
            with_body: config.with_body,
            upstream_headers: headers("send_headers_upstream", &config.send_headers_upstream)?,
        })
    }
}

impl Plugin for Opa {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        Flow::Wait(Box::pin(self.ask(exchange)))
    }
}

impl Opa {
    async fn ask(&self, exchange: &mut Exchange) -> Option<Response> {
        let mut body = None;
        if self.with_body {
            match exchange.read_ahead(MAXIMUM_BODY).await {
                Ok(Some(read)) => body = Some(String::from_utf8_lossy(&read).into_owned()),
                Ok(None) => {
                    let why = "the body is too large for the policy";
                    return Some(refusal(StatusCode::PAYLOAD_TOO_LARGE, why));
                }
                Err(error) => return Some(error.response()),
            }
        }
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let input = json!({"input": self.input(exchange, body)}).to_string();
        let worker = exchange.worker.clone();
        let answered =
            self.endpoint.ask(&worker, Question { method: Method::POST, headers, body: input.into() }).await;
        strip_alike(&mut exchange.request.headers, &self.upstream_headers);
        let reply = match answered {
            Ok(reply) => reply,
            Err(fault) => return Some(failed(exchange, &fault, StatusCode::FORBIDDEN)),
        };
        let decision = reply.json::<Answer>().and_then(|answer| {
            answer.result.ok_or_else(|| reply.fault("the policy has no decision; is its path right?"))
        });
        match decision {
            Ok(decision) if decision.allow => {
                self.tell_upstream(exchange, &decision.headers);
                None
            }
            Ok(decision) => Some(refused(decision)),
            Err(fault) => {
                fault.count(&worker);
                Some(failed(exchange, &fault, StatusCode::SERVICE_UNAVAILABLE))
            }
        }
    }

    fn input(&self, exchange: &Exchange, body: Option<String>) -> Value {
        let arrival = &exchange.arrival;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let mut input = json!({
            "type": "http",
            "request": {
                "scheme": arrival.scheme,
                "method": exchange.request.method.as_str(),
                "host": exchange.host(),
                "port": arrival.port,
                "path": exchange.path,
                "headers": header_values(&exchange.request.headers),
                "query": query_values(exchange.request.uri.query().unwrap_or_default()),
            },
            "var": {
                "timestamp": now,
                "server_port": arrival.port.to_string(),
                "remote_addr": arrival.client.ip().to_canonical().to_string(),
                "remote_port": arrival.client.port().to_string(),
            },
        });
        let mut add = |place: &str, name: &str, value: Value| {
            if let Some(object) = input.pointer_mut(place).and_then(Value::as_object_mut) {
                object.insert(name.to_owned(), value);
            }
        };
        if let Some(body) = body {
            add("/request", "body", body.into());
        }
        if let Some(route) = exchange.route.as_ref().filter(|_| self.with_route) {
            let (uris, hosts) = (texts(&route.uris), texts(&route.hosts));
            add("", "route", json!({"id": *route.id, "name": *route.name, "uris": uris, "hosts": hosts}));
        }
        if let Some(route) =
            exchange.route.as_ref().filter(|route| self.with_service && !route.service.is_empty())
        {
            add("", "service", json!({"id": *route.service}));
        }
        if self.with_consumer {
            if let Some(identity) = &exchange.identity {
                let consumer = &identity.consumer;
                let about = json!({
                    "username": *consumer.username,
                    "group_id": consumer.group.as_deref(),
                    "custom_id": consumer.custom_id.as_deref(),
                });
                add("", "consumer", about);
            }
            if let Some(claims) = exchange.claims.as_deref() {
                add("", "claims", Value::Object(claims.clone()));
            }
        }
        input
    }

    fn tell_upstream(&self, exchange: &mut Exchange, said: &Map<String, Value>) {
        for (name, value) in said_headers(said) {
            if self.upstream_headers.contains(&name) {
                exchange.request.headers.insert(name, value);
            }
        }
    }
}

/// What the policy wants the client to be told.
fn refused(decision: Decision) -> Response {
    let (body, media_type) = match decision.reason {
        None | Some(Value::Null) => (Body::Empty, None),
        Some(Value::String(text)) => (Body::from(text.into_bytes()), Some("text/plain; charset=utf-8")),
        Some(value) => (Body::from(value.to_string().into_bytes()), Some("application/json")),
    };
    let mut response = Response::new(body);
    let status = decision.status_code.filter(|status| (200..600).contains(status));
    *response.status_mut() =
        status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::FORBIDDEN);
    if let Some(media_type) = media_type {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    for (name, value) in said_headers(&decision.headers) {
        response.headers_mut().insert(name, value);
    }
    response
}

fn failed(exchange: &mut Exchange, fault: &Fault, status: StatusCode) -> Response {
    fault.record(exchange);
    let mut response = refusal(status, "The policy's decision could not be had");
    let code = HeaderValue::from_static(Kind::OutboundFailed.code());
    response.headers_mut().insert(CODE_HEADER, code);
    response
}

/// The headers of a decision that can be sent.
fn said_headers(said: &Map<String, Value>) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    said.iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return None,
        };
        let name: HeaderName = name.parse().ok()?;
        (!is_of_connection(&name)).then_some((name, HeaderValue::try_from(text).ok()?))
    })
}

/// Each header by its name in lower case; a list where it comes several times.
fn header_values(headers: &HeaderMap) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in headers {
        add_value(&mut all, name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    all
}

/// Each argument by its decoded name; a list where it comes several times.
fn query_values(query: &str) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in arguments(query) {
        add_value(&mut all, &decoded(name), decoded(value).into_owned());
    }
    all
}

fn add_value(all: &mut Map<String, Value>, name: &str, value: String) {
    match all.get_mut(name) {
        None => _ = all.insert(name.to_owned(), value.into()),
        Some(Value::Array(several)) => several.push(value.into()),
        Some(one) => *one = Value::Array(vec![one.take(), value.into()]),
    }
}

fn texts(all: &[std::sync::Arc<str>]) -> Vec<&str> {
    all.iter().map(|text| &**text).collect()
}

#[cfg(test)]
mod tests;
