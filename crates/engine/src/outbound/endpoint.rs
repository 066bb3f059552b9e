//! One URL that the gateway asks, and all that bounds it: whom it believes, how long it waits, how much it reads.
//!
//! Built once with a plugin. Redirects are answers like any other, so nobody is led elsewhere by one.

use super::{Fault, Reach};
use crate::http::Body;
use crate::server::Worker;
use crate::snapshot::{
    Certificate, Keepalive, Node, PassHost, Scheme, Timeouts, UpstreamDefinition, UpstreamTls,
};
use crate::state::State;
use crate::upstream::{Upstream, ask};
use ::http::header::{ACCEPT, CONTENT_ENCODING, USER_AGENT};
use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const KEEPALIVE: Keepalive = Keepalive { size: 8, idle_timeout_ms: 60_000, requests: 1000 };

/// How an endpoint is asked.
#[derive(Clone)]
pub struct Settings {
    /// Whether the server's certificate is checked, for https.
    pub verify: bool,
    /// PEM of the authorities that are believed instead of the system's.
    pub ca: Option<String>,
    /// What the gateway shows where the server asks for a certificate.
    pub certificate: Option<Certificate>,
    /// For all of it, from resolving the name to the last byte.
    pub timeout: Duration,
    /// Bytes of an answer's body; a longer one is a fault.
    pub most_bytes: usize,
    pub reach: Reach,
    pub keepalive: Keepalive,
}

impl Default for Settings {
    /// Certificates are checked, an answer has 5 seconds and 1 MiB, and the operator has written the URL.
    fn default() -> Self {
        Self {
            verify: true,
            ca: None,
            certificate: None,
            timeout: Duration::from_secs(5),
            most_bytes: 1 << 20,
            reach: Reach::Anywhere,
            keepalive: KEEPALIVE,
        }
    }
}

/// A server's URL, ready to be asked.
#[derive(Clone)]
pub struct Endpoint {
    upstream: Arc<Upstream>,
    uri: Uri,
    /// The URL without its query, for faults.
    shown: Arc<str>,
    timeout: Duration,
    most_bytes: usize,
    reach: Reach,
}

/// What is asked. It must do no harm where the server hears it twice.
pub struct Question {
    pub method: Method,
    /// Host and framing are added.
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What was answered, whatever its status.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    /// Without those of the connection.
    pub headers: HeaderMap,
    pub body: Bytes,
    server: Arc<str>,
}

impl Endpoint {
    /// The endpoint at an http or https URL. The error is a sentence about the URL or the settings.
    pub fn build(url: &str, settings: &Settings, state: &State) -> Result<Self, String> {
        let parts = parse(url)?;
        let milliseconds = u64::try_from(settings.timeout.as_millis()).unwrap_or(u64::MAX);
        let node =
            Node { host: parts.host.clone(), port: parts.port, weight: 1, priority: 0, connect_to: None };
        let definition = UpstreamDefinition {
            // Connections are shared by all endpoints of one server that have the same TLS settings and the same reach.
            id: format!("outbound {:?}", settings.reach),
            scheme: parts.scheme,
            nodes: vec![node],
            balance: Default::default(),
            pass_host: PassHost::Node,
            upstream_host: None,
            retries: 0,
            retry_timeout_ms: None,
            timeout: Timeouts { connect_ms: milliseconds, send_ms: milliseconds, read_ms: milliseconds },
            keepalive: settings.keepalive,
            tls_verify: settings.verify,
            checks: None,
            tls: Some(UpstreamTls {
                ca: settings.ca.clone(),
                certificate: settings.certificate.clone(),
                http2: false,
            }),
        };
        Ok(Self {
            upstream: Arc::new(Upstream::build(definition, state).map_err(|(_, why)| why)?),
            shown: parts.shown.into(),
            uri: parts.path.into(),
            timeout: settings.timeout,
            most_bytes: settings.most_bytes,
            reach: settings.reach,
        })
    }

    /// The URL without its query.
    pub fn shown(&self) -> &Arc<str> {
        &self.shown
    }

    /// A fault of this server.
    pub fn fault(&self, why: impl Into<Arc<str>>) -> Fault {
        Fault::new(&self.shown, why)
    }

    /// Asks, on the connections of `worker`. A fault is counted.
    pub async fn ask(&self, worker: &Rc<Worker>, question: Question) -> Result<Reply, Fault> {
        let late = |_| Err(self.fault(format!("no whole answer within {} ms", self.timeout.as_millis())));
        let answer = tokio::time::timeout(self.timeout, self.answer(worker, question)).await;
        answer.unwrap_or_else(late).inspect_err(|fault| fault.count(worker))
    }

    async fn answer(&self, worker: &Rc<Worker>, question: Question) -> Result<Reply, Fault> {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = question.method;
        head.uri = self.uri.clone();
        head.headers = question.headers;
        head.headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!("toolway/", env!("CARGO_PKG_VERSION"))));
        let allowed = |address| self.reach.allows(address);
        let response = ask(worker, &self.upstream, head, question.body, &allowed).await;
        let (parts, body) = response.map_err(|error| self.fault(error.detail))?.into_parts();
        if parts.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(self.fault("its answer has a content coding that was not asked for"));
        }
        let body = self.whole(body).await?;
        Ok(Reply { status: parts.status, headers: parts.headers, body, server: self.shown.clone() })
    }

    async fn whole(&self, mut body: Body) -> Result<Bytes, Fault> {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.fault(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > self.most_bytes {
                return Err(self.fault(format!("its answer has more than {} bytes", self.most_bytes)));
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }
}

impl Question {
    /// A GET of JSON.
    pub fn get_json() -> Self {
        let accept = (ACCEPT, HeaderValue::from_static("application/json"));
        Self { method: Method::GET, headers: HeaderMap::from_iter([accept]), body: Bytes::new() }
    }
}

impl Reply {
    /// The body as JSON, of an answer of status 200.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if self.status != StatusCode::OK {
            return Err(self.fault(format!("it answers with status {}", self.status.as_u16())));
        }
        // What serde says quotes the answer, which may be a secret.
        serde_json::from_slice(&self.body).map_err(|error| {
            self.fault(format!("its answer is not as expected, at column {}", error.column()))
        })
    }

    /// A fault of the server that has answered so.
    pub fn fault(&self, why: impl Into<Arc<str>>) -> Fault {
        Fault::new(&self.server, why)
    }
}

struct Parts {
    scheme: Scheme,
    host: String,
    port: u16,
    path: PathAndQuery,
    shown: String,
}

fn parse(url: &str) -> Result<Parts, String> {
    // The URL itself stays unsaid: it may hold a password.
    let uri: Uri = url.parse().map_err(|_| "this is not a URL".to_owned())?;
    let scheme = match uri.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        _ => return Err("the URL must begin with http:// or https://".into()),
    };
    let authority = uri.authority().ok_or("the URL has no host")?;
    if authority.as_str().contains('@') || url.contains('#') {
        return Err("the URL must have neither a user nor a fragment".into());
    }
    let port = match authority.port_u16() {
        None if authority.host().len() < authority.as_str().len() => {
            return Err("the URL's port is not a number from 1 to 65535".into());
        }
        Some(0) => return Err("the URL's port is not a number from 1 to 65535".into()),
        port => port.unwrap_or(scheme.port()),
    };
    if authority.host().is_empty() {
        return Err("the URL has no host".into());
    }
    let shown = format!("{}://{authority}{}", uri.scheme_str().unwrap_or_default(), uri.path());
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Ok(Parts { scheme, host: authority.host().to_owned(), port, path, shown })
}

#[cfg(test)]
mod tests;
