//! The life of a request, on one screen. [`run`] is the one way through: the listener calls it for a client, the MCP
//! endpoint for each `tools/call`, the shell for `toolway call`. So a plugin holds on every way in.

use crate::error::{Kind, ProxyError};
use crate::generation::{Consumer, Generation, Identity, RouteEntry, Target};
use crate::http::forwarded::{self, Forwarded};
use crate::http::received::{BodyFault, Received};
use crate::http::{Body, Request, Response, framing, headers, path};
use crate::observe::Record;
use crate::plugins::{Grant, Phase};
use crate::roles::Rule;
use crate::server::tls::{TlsSession, Unmet};
use crate::server::upgrade::Upgrade;
use crate::server::{Activity, Worker};
use crate::upstream::Tunnel;
use crate::{mcp, upstream};
use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request};
use bytes::Bytes;
use http_body::Body as _;
use smallvec::SmallVec;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

mod caller;
mod credentials;
mod ending;
mod grpc;
mod inspection;
mod query;
mod routing;
#[cfg(test)]
mod testing;

pub use ending::Ending;
pub use inspection::Inspected;

/// How a request came to the exchange.
#[derive(Clone)]
pub struct Arrival {
    pub client: SocketAddr,
    /// The client's address, for X-Forwarded-For; written once a connection.
    pub client_value: HeaderValue,
    /// `http` or `https`, as the client spoke.
    pub scheme: &'static str,
    /// The listener's port, and the same for X-Forwarded-Port.
    pub port: u16,
    pub port_value: HeaderValue,
    /// The connection's TLS, where it has any.
    pub tls: Option<Arc<TlsSession>>,
    /// Set for a tool call.
    pub tool: Option<ToolCall>,
    /// The connection's, which is not idle while the exchange goes on; none where there is no connection.
    pub activity: Option<Rc<Activity>>,
    /// Where the client's stream comes from when the protocol changes; none where the client has not asked for it.
    pub upgrade: Option<Upgrade>,
}

impl Arrival {
    /// A request of `client` at the listener of `port`, without TLS.
    pub fn new(client: SocketAddr, scheme: &'static str, port: u16) -> Self {
        let client_value = forwarded::value(client.ip());
        Self {
            client,
            client_value,
            scheme,
            port,
            port_value: port.into(),
            tls: None,
            tool: None,
            activity: None,
            upgrade: None,
        }
    }

    fn set_client(&mut self, client: IpAddr) {
        self.client = SocketAddr::new(client, 0);
        self.client_value = forwarded::value(client);
    }
}

/// A tool call, which runs as an exchange of its own.
#[derive(Clone)]
pub struct ToolCall {
    /// The generation that `route` is of.
    pub generation: Arc<Generation>,
    pub route: Arc<RouteEntry>,
    /// The tool's name, for the log.
    pub name: Arc<str>,
    /// What the tool asks of its callers beside what the route does.
    pub rules: Arc<[Rule]>,
    /// The exchange that carries the call, where one does.
    pub carrier: Option<Carrier>,
}

/// What an exchange that carries a tool call has counted already: the limits of global rules, and those of its consumer.
#[derive(Clone)]
pub struct Carrier {
    pub consumer: Option<Arc<Consumer>>,
}

impl Carrier {
    fn has_counted(&self, consumer: &Consumer) -> bool {
        self.consumer.as_ref().is_some_and(|counted| counted.username == consumer.username)
    }
}

/// One request's journey: what plugins see and may change.
pub struct Exchange {
    pub worker: Rc<Worker>,
    pub generation: Arc<Generation>,
    pub arrival: Arrival,
    /// What a trusted peer says of the request; the client's address and scheme are then in `arrival` already.
    pub forwarded: Option<Box<Forwarded>>,
    /// Method, URI and headers. Changes to method, query and headers go upstream; the path stays the client's.
    pub request: request::Parts,
    pub body: Body,
    /// The normalised path, without query. Routing, plugins and upstream see this one.
    pub path: String,
    /// Set where a route that could match looks at the body.
    pub inspected: Option<Inspected>,
    pub route: Option<Arc<RouteEntry>>,
    pub identity: Option<Identity>,
    pub rewrite: Rewrite,
    /// The protocol that the client asks to change to, where it does.
    pub upgrade: Option<HeaderValue>,
    /// Set when the upstream has agreed to it.
    pub tunnel: Option<Tunnel>,
    /// Headers that the upstream does not get. Plugins and tool calls still see them, so that one credential can
    /// serve a global rule, a route and the exchanges of its tool calls.
    pub withheld: SmallVec<[HeaderName; 2]>,
    /// Likewise of the query, encoded and joined by `&`.
    pub withheld_query: String,
    /// Likewise of the cookies, by name.
    pub withheld_cookies: SmallVec<[Arc<str>; 1]>,
    /// The claims of the caller's token, where a plugin keeps them.
    pub claims: Option<Box<serde_json::Map<String, serde_json::Value>>>,
    /// The token by which the caller has proven who it is, as it came: with its scheme or without.
    pub caller_token: Option<HeaderValue>,
    /// The token that the gateway shows the upstream, where it has got one.
    pub upstream_grant: Option<Arc<Grant>>,
    /// Whether the caller itself may have written the claims, so that they give it no role.
    pub claims_are_own: bool,
    /// Set on the response, whoever makes it, over headers of the same name; only Vary and Set-Cookie are added to what
    /// is there.
    pub response_headers: HeaderMap,
    /// Written when it is dropped, with the exchange or with the body of its response.
    pub record: Ending,
}

/// What plugins changed of the request line that goes upstream.
#[derive(Default)]
pub struct Rewrite {
    /// Path and query instead of the client's; the target's prefixes are then not applied.
    pub uri: Option<PathAndQuery>,
    /// Host instead of what the upstream's `pass_host` says.
    pub host: Option<HeaderValue>,
}

/// Runs one exchange from request to response. The record is written when the response's body has ended or is dropped.
pub async fn run(worker: &Rc<Worker>, request: Request, arrival: Arrival) -> Response {
    let (request, body) = request.into_parts();
    let is_grpc = grpc::is_call(&request);
    let mut exchange = Exchange::new(worker, request, body, arrival);
    let mut is_own = false;
    let mut response = match exchange.answer().await {
        Ok(response) => response,
        Err(error) => {
            is_own = true;
            let response = error.response();
            exchange.record.note(error);
            response
        }
    };
    exchange.record.status = response.status().as_u16();
    exchange.set_response_headers(&mut response);
    exchange.record.set_answered();
    is_own |= exchange.record.upstream.is_none();
    if !is_own {
        exchange.heed_refusal(response.status());
    }
    if is_grpc && is_own && !response.status().is_success() {
        response = grpc::refusal(response);
    }
    match exchange.tunnel.take() {
        None => exchange.record.attach(response),
        Some(tunnel) => {
            tunnel.start(worker, exchange.record);
            response
        }
    }
}

impl Exchange {
    fn new(worker: &Rc<Worker>, request: request::Parts, body: Body, arrival: Arrival) -> Self {
        let mut record = Record::new(arrival.client.ip(), request.method.clone());
        record.tool = arrival.tool.as_ref().map(|call| call.name.clone());
        let called = arrival.tool.as_ref().map(|call| call.generation.clone());
        let generation = called.unwrap_or_else(|| worker.generation());
        record.tls = arrival.tls.as_ref().map(|tls| tls.version);
        let under_way = arrival.activity.as_ref().map(Activity::request);
        let record = Ending::new(record, worker.clone(), generation.clone(), under_way);
        Self {
            worker: worker.clone(),
            generation,
            arrival,
            forwarded: None,
            request,
            body,
            path: String::new(),
            inspected: None,
            route: None,
            identity: None,
            rewrite: Rewrite::default(),
            upgrade: None,
            tunnel: None,
            withheld: SmallVec::new(),
            withheld_query: String::new(),
            withheld_cookies: SmallVec::new(),
            claims: None,
            claims_are_own: false,
            caller_token: None,
            upstream_grant: None,
            response_headers: HeaderMap::new(),
            record,
        }
    }

    /// Every step of the way. Global rules and the route's plugins take turns, so that all rules of a phase know what
    /// the phases before it found out.
    async fn answer(&mut self) -> Result<Response, ProxyError> {
        self.check()?;
        let generation = self.generation.clone();
        self.route = self.find_route(&generation).await?;
        self.record.route.clone_from(&self.route);
        let route = self.route.clone();
        let chains = [Some(&generation.global), route.as_deref().map(|route| &route.chain)];
        self.strip_told(route.as_deref());
        for chain in chains.into_iter().flatten() {
            if let Some(response) = chain.run(Phase::Receive..=Phase::Authenticate, self).await {
                return Ok(response);
            }
        }
        let carrier = self.arrival.tool.as_ref().and_then(|call| call.carrier.as_ref());
        let own = self.identity.as_ref().map(|identity| identity.consumer.clone());
        let merged = match (&route, own) {
            (Some(route), Some(own)) if !own.chain.is_empty() => {
                let merged = route.chain.overlaid(&own.chain);
                let is_counted = carrier.is_some_and(|carrier| carrier.has_counted(&own));
                Some(Rc::new(if is_counted { merged.without_limits_of(&own.chain) } else { merged }))
            }
            _ => None,
        };
        let global = if carrier.is_some() { &generation.global_within } else { &generation.global };
        self.record.merged.clone_from(&merged);
        self.tell_identity();
        self.check_roles(route.as_deref())?;
        self.withhold_credentials(chains);
        let chains = [Some(global), merged.as_deref().or(chains[1])];
        for chain in chains.into_iter().flatten() {
            if let Some(response) = chain.run(Phase::Access..=Phase::Rewrite, self).await {
                return Ok(response);
            }
        }
        let Some(route) = &route else {
            return Err(ProxyError::new(Kind::RouteNotFound, "no route matches"));
        };
        let gone =
            || ProxyError::new(Kind::NoUpstreamNode, "the generation does not have what the route leads to");
        match &route.target {
            Target::Upstream { upstream, strip_prefix, add_prefix } => {
                let upstream = generation.upstreams.get(upstream.as_bytes()).ok_or_else(gone)?;
                upstream::send(self, upstream, strip_prefix, add_prefix).await
            }
            Target::Static(answer) => Ok(self.fixed_answer(answer.status, &answer.headers, &answer.body)),
            Target::Document(document) => {
                mcp::document(self, generation.apps.get(document.app.as_bytes()).ok_or_else(gone)?, document)
                    .await
            }
            Target::Mcp { app } => {
                mcp::serve(self, generation.apps.get(app.as_bytes()).ok_or_else(gone)?).await
            }
        }
    }

    /// What is refused before anything of the request is trusted, and what a client may not say.
    fn check(&mut self) -> Result<(), ProxyError> {
        framing::check(&self.request)?.unwrap_or_default().clone_into(&mut self.record.host);
        self.check_sizes()?;
        let path = path::normalise_by(self.request.uri.path(), self.generation.path)?;
        self.path = path.into_owned();
        self.record.path.clone_from(&self.path);
        self.check_name()?;
        self.upgrade = headers::upgrade(&self.request.headers);
        headers::strip_hop_by_hop(&mut self.request.headers);
        headers::strip_identity(&mut self.request.headers);
        self.believe();
        Ok(())
    }

    /// A connection that was made for one server name may carry requests for another, but not for one that demands
    /// another certificate of its clients (RFC 9110 section 15.5.20). Some paths may be open without one.
    fn check_name(&self) -> Result<(), ProxyError> {
        let Some(tls) = self.arrival.tls.as_ref().filter(|_| self.arrival.tool.is_none()) else {
            return Ok(());
        };
        self.generation.tls.check(tls, &self.record.host, &self.path).map_err(|unmet| match unmet {
            Unmet::Connection => {
                let detail = "the connection was made without the client certificate that this host demands";
                ProxyError::new(Kind::Misdirected, detail)
            }
            Unmet::Certificate => {
                ProxyError::new(Kind::CertificateRequired, "the client showed no certificate")
            }
        })
    }

    /// Whether URI and body are within the limits, as far as the head tells; the rest of the body is watched.
    fn check_sizes(&mut self) -> Result<(), ProxyError> {
        let limits = &self.generation.limits;
        let uri = self.request.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
        if uri > limits.uri_bytes {
            let why = format!("the URI has {uri} bytes, and may have {}", limits.uri_bytes);
            return Err(ProxyError::new(Kind::UriTooLong, why));
        }
        // The body of a tool call is not a client's, and was made from a message that was within its limit.
        if self.arrival.tool.is_some() {
            return Ok(());
        }
        if let Some(limit) = limits.body_bytes.filter(|limit| self.body.size_hint().lower() > *limit) {
            return Err(ProxyError::of_client_body(&BodyFault::TooLarge(limit)));
        }
        let patience = Duration::from_millis(limits.body_timeout_ms);
        let body = std::mem::replace(&mut self.body, Body::Empty);
        self.body = Received::within(body, limits.body_bytes, patience);
        Ok(())
    }

    /// Takes from a trusted peer for whom it speaks. Headers of a tool call are made from its arguments.
    fn believe(&mut self) {
        if self.arrival.tool.is_some() {
            return;
        }
        let peer = self.arrival.client.ip();
        let Some(said) = Forwarded::read(&self.request.headers, peer, &self.generation.trusted) else {
            return;
        };
        self.arrival.scheme = said.scheme.unwrap_or(self.arrival.scheme);
        if let Some(client) = said.client().filter(|client| *client != peer.to_canonical()) {
            self.arrival.set_client(client);
            self.record.client = client;
        }
        self.forwarded = Some(Box::new(said));
    }

    /// Makes `client` the address that plugins, the upstream and the record see.
    pub fn set_client(&mut self, client: IpAddr) {
        self.arrival.set_client(client);
        self.record.client = client;
        if let Some(forwarded) = &mut self.forwarded {
            // The way from this client is not known.
            forwarded.chain.clear();
        }
    }

    /// The host that the client named, without port.
    pub fn host(&self) -> &str {
        &self.record.host
    }

    /// An answer that was there before the request, whose body a HEAD does not get.
    pub fn fixed_answer(&self, status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Response {
        let head_only = self.request.method == Method::HEAD;
        let mut response = Response::new(if head_only { Body::Empty } else { Body::Bytes(body.clone()) });
        *response.status_mut() = status;
        response.headers_mut().clone_from(headers);
        if head_only {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        response
    }
}
