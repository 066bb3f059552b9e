//! `forward-auth`: an authorization service is asked about each request, and answers in the client's place where it refuses.
//!
//! Fields and statuses are Apache APISIX's. The service is told the path as the upstream will see it, so that both decide
//! about the same one, and `Authorization` is kept from the upstream unless `hide_credentials` is set to false.

use super::asking::{
    MAXIMUM_BODY, header, headers, keepalive_pool, keepalive_timeout, settings, timeout, yes,
};
use super::{Build, BuildContext, Flow, Plugin};
use crate::error::{CODE_HEADER, Kind, refusal};
use crate::exchange::Exchange;
use crate::http::headers::strip_alike;
use crate::http::{Body, Response};
use crate::outbound::{Endpoint, Fault, Question, Reply};
use crate::variable::{Template, Variable};
use ::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the service is told of the request.
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Lets an authorization service decide about each request.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The URL of the service. Any answer from 200 to 299 lets the request go on.
    #[schemars(length(min = 1))]
    uri: String,
    /// Whether the service's certificate is checked.
    #[serde(default = "yes")]
    ssl_verify: bool,
    /// How the service is asked. `POST` sends it the request's body, up to a megabyte.
    #[serde(default)]
    request_method: AskedBy,
    /// Headers of the client that the service gets.
    #[serde(default)]
    request_headers: Vec<String>,
    /// Further headers that it gets; variables may stand in them.
    #[serde(default)]
    extra_headers: BTreeMap<String, String>,
    /// Headers of its answer that the upstream gets; the same headers of clients are removed.
    #[serde(default)]
    upstream_headers: Vec<String>,
    /// Headers of its answer that the client gets where it refuses.
    #[serde(default)]
    client_headers: Vec<String>,
    /// Whether `Authorization` is kept from the upstream where the service gets it. In APISIX it is not.
    #[serde(default = "yes")]
    hide_credentials: bool,
    /// Milliseconds for the whole question.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1, max = 60_000))]
    timeout: u64,
    /// Whether connections to the service are kept for further questions.
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
    /// Whether requests go on where the service cannot be asked.
    #[serde(default)]
    allow_degradation: bool,
    /// The status of the answer where the service cannot be asked.
    #[serde(default = "status_on_error")]
    #[schemars(range(min = 200, max = 599))]
    status_on_error: u16,
}

/// Methods of questions.
#[derive(Clone, Copy, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
enum AskedBy {
    #[default]
    Get,
    Post,
}

/// The plugin.
pub struct ForwardAuth {
    endpoint: Endpoint,
    asked_by: AskedBy,
    request_headers: Vec<HeaderName>,
    extra_headers: Vec<(HeaderName, Template)>,
    upstream_headers: Vec<HeaderName>,
    client_headers: Vec<HeaderName>,
    hides_authorization: bool,
    goes_on: bool,
    status_on_error: StatusCode,
}

impl Build for ForwardAuth {
    type Config = Config;

    fn build(config: Config, context: &BuildContext<'_>) -> Result<Self, String> {
        let pool = if config.keepalive { config.keepalive_pool } else { 0 };
        let settings = settings(config.ssl_verify, config.timeout, pool, config.keepalive_timeout);
        let endpoint =
            Endpoint::build(&config.uri, &settings, context.state).map_err(|why| format!("uri: {why}"))?;
        let extra_headers = config.extra_headers.iter().map(|(name, value)| {
            let template = Template::parse(value).map_err(|why| format!("extra_headers: {name}: {why}"))?;
            if template.largest_group().is_some() {
                return Err(format!(
                    "extra_headers: {name}: there is no regex whose groups could stand here"
                ));
            }
            Ok((header("extra_headers", name)?, template))
        });
        let request_headers = headers("request_headers", &config.request_headers)?;
        let status_on_error = StatusCode::from_u16(config.status_on_error)
            .map_err(|_| "status_on_error: must be between 200 and 599")?;
        Ok(Self {
            endpoint,
            asked_by: config.request_method,
            extra_headers: extra_headers.collect::<Result<_, String>>()?,
            upstream_headers: headers("upstream_headers", &config.upstream_headers)?,
            client_headers: headers("client_headers", &config.client_headers)?,
            hides_authorization: config.hide_credentials && request_headers.contains(&AUTHORIZATION),
            request_headers,
            goes_on: config.allow_degradation,
            status_on_error,
        })
    }
}

impl Plugin for ForwardAuth {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        Flow::Wait(Box::pin(self.ask(exchange)))
    }

    fn credential_headers(&self) -> &[HeaderName] {
        &self.request_headers
    }
}

impl ForwardAuth {
    async fn ask(&self, exchange: &mut Exchange) -> Option<Response> {
        let question = match self.question(exchange).await {
            Ok(question) => question,
            Err(response) => return Some(response),
        };
        let worker = exchange.worker.clone();
        let answered = self.endpoint.ask(&worker, question).await;
        // What the service gets of the client is not what it says itself.
        strip_alike(&mut exchange.request.headers, &self.upstream_headers);
        if self.hides_authorization {
            exchange.withheld.push(AUTHORIZATION);
        }
        match answered {
            Ok(reply) if reply.status.is_success() => {
                self.tell_upstream(exchange, &reply.headers);
                None
            }
            Ok(reply) => Some(self.refuse(reply)),
            Err(_) if self.goes_on => None,
            Err(fault) => Some(self.fail(exchange, &fault)),
        }
    }

    async fn question(&self, exchange: &mut Exchange) -> Result<Question, Response> {
        let mut body = Bytes::new();
        if self.asked_by == AskedBy::Post {
            let too_large = || {
                refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large for the authorization service")
            };
            let read = exchange.read_ahead(MAXIMUM_BODY).await.map_err(|error| error.response())?;
            body = read.ok_or_else(too_large)?;
        }
        let mut headers = HeaderMap::new();
        for name in &self.request_headers {
            for value in exchange.request.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        if self.asked_by == AskedBy::Post {
            for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                if let Some(value) = exchange.request.headers.get(&name) {
                    headers.insert(name, value.clone());
                }
            }
        }
        for (name, template) in &self.extra_headers {
            let mut text = String::new();
            template.write(exchange, |_| None, &mut text);
            set(&mut headers, name, &text);
        }
        let mut path = String::new();
        Variable::Uri.write(exchange, &mut path);
        if let Some(query) = exchange.request.uri.query() {
            path.push('?');
            path.push_str(query);
        }
        set(&mut headers, &PROTO, exchange.arrival.scheme);
        set(&mut headers, &METHOD, exchange.request.method.as_str());
        set(&mut headers, &FORWARDED_HOST, exchange.host());
        set(&mut headers, &URI, &path);
        headers.insert(FOR, exchange.arrival.client_value.clone());
        let method = if self.asked_by == AskedBy::Post { Method::POST } else { Method::GET };
        Ok(Question { method, headers, body })
    }

    fn tell_upstream(&self, exchange: &mut Exchange, said: &HeaderMap) {
        for name in &self.upstream_headers {
            for value in said.get_all(name) {
                exchange.request.headers.append(name, value.clone());
            }
            exchange.withheld.retain(|withheld| withheld != name);
        }
    }

    fn refuse(&self, reply: Reply) -> Response {
        let mut response = Response::new(Body::from(reply.body));
        *response.status_mut() = reply.status;
        for name in self.client_headers.iter().chain(&[CONTENT_TYPE]) {
            response.headers_mut().remove(name);
            for value in reply.headers.get_all(name) {
                response.headers_mut().append(name, value.clone());
            }
        }
        response
    }

    fn fail(&self, exchange: &mut Exchange, fault: &Fault) -> Response {
        fault.record(exchange);
        let mut response = refusal(self.status_on_error, "The authorization service could not be asked");
        let code = HeaderValue::from_static(Kind::OutboundFailed.code());
        response.headers_mut().insert(CODE_HEADER, code);
        response
    }
}

/// Sets the header, unless the text cannot stand in one.
fn set(headers: &mut HeaderMap, name: &HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

const fn status_on_error() -> u16 {
    403
}

#[cfg(test)]
mod tests;
