//! The way to an upstream: choose a node, take or make a connection, send the request, hand back the response.
//!
//! [`send`] is called by the exchange when its plugins are done. Connections are pooled per worker ([`pool`]), nodes
//! chosen by [`balance`] as [`attempts`] asks for them, and every wait has an end ([`progress`], [`body`]). Beside the
//! exchanges, [`upkeep`] resolves names and probes nodes.

mod attempts;
mod balance;
mod body;
mod connect;
mod health;
mod node_state;
mod pool;
mod prepare;
mod progress;
mod resolve;
mod roster;
mod tls;
mod upkeep;

pub use attempts::NodeChoice;
pub use health::Health;
pub use node_state::UpstreamStates;
pub use pool::Pool;
pub use resolve::{Names, name_servers};
pub use roster::{Member, Roster};
pub use upkeep::{Orders, Upkeep};

use crate::error::{Kind, ProxyError};
use crate::exchange::Exchange;
use crate::http::{Body, Response, headers};
use crate::snapshot::{
    ActiveChecks, Keepalive, PassHost, PassiveChecks, Scheme, Timeouts, UpstreamDefinition,
};
use crate::state::State;
use ::http::HeaderValue;
use arc_swap::{ArcSwap, Guard};
use attempts::Attempts;
use balance::Balance;
use connect::Node;
use hyper::body::Incoming;
use node_state::UpstreamState;
use pool::Connection;
use progress::{Progress, Sending};
use roster::Targets;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An upstream, ready to be sent to.
pub struct Upstream {
    pub definition: UpstreamDefinition,
    targets: Targets,
    /// Changes when the answer for a name of its nodes does.
    roster: ArcSwap<Roster>,
    balance: Balance,
    state: Arc<UpstreamState>,
    pass_host: PassHost,
    upstream_host: Option<HeaderValue>,
    retries: u32,
    retry_timeout: Option<Duration>,
    timeouts: Timeouts,
    keepalive: Keepalive,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Upstream {
    /// Builds it from what is known now. Nodes that another generation has too keep their state in `state`.
    pub fn build(definition: &UpstreamDefinition, state: &State) -> Result<Self, String> {
        let balance = Balance::build(&definition.balance)?;
        let targets = Targets::build(definition, &state.names)?;
        let own = state.upstreams.of(&definition.id);
        let roster = Roster::build(definition, &targets, &own, &balance)?;
        let host = definition.upstream_host.as_deref().map(HeaderValue::from_str).transpose();
        health::probe::check(definition)?;
        Ok(Self {
            roster: ArcSwap::from_pointee(roster),
            targets,
            balance,
            state: own,
            pass_host: definition.pass_host,
            upstream_host: host.map_err(|_| "upstream_host is not a valid Host".to_owned())?,
            retries: definition.retries,
            retry_timeout: definition.retry_timeout_ms.map(Duration::from_millis),
            timeouts: definition.timeout,
            keepalive: definition.keepalive,
            tls: match definition.scheme {
                Scheme::Http => None,
                Scheme::Https => Some(tls::client_config(definition.tls_verify)?),
            },
            definition: definition.clone(),
        })
    }

    /// The nodes as they are now.
    pub fn roster(&self) -> Guard<Arc<Roster>> {
        self.roster.load()
    }

    /// Takes over what has changed about its names.
    pub fn refresh(&self) {
        if self.roster().is_outdated(&self.targets)
            // It could be built before, and nothing but addresses has changed.
            && let Ok(roster) = Roster::build(&self.definition, &self.targets, &self.state, &self.balance)
        {
            self.roster.store(Arc::new(roster));
        }
    }

    pub fn active_checks(&self) -> Option<&ActiveChecks> {
        self.definition.checks.as_ref()?.active.as_ref()
    }

    pub fn passive_checks(&self) -> Option<&PassiveChecks> {
        self.definition.checks.as_ref()?.passive.as_ref()
    }

    /// The next node among those `allowed`. Where none of these is well, one that is down is tried.
    fn choose(&self, exchange: &Exchange, allowed: &dyn Fn(&Member) -> bool) -> Option<Arc<Member>> {
        let roster = self.roster();
        let pick = |usable: &dyn Fn(&Member) -> bool| {
            let mut tiers = roster.tiers.iter();
            tiers.find_map(|tier| self.balance.pick(tier, exchange, &self.state, usable)).cloned()
        };
        let is_up = |member: &Member| member.state.health.is_up() && allowed(member);
        let up = if self.definition.checks.is_some() { pick(&is_up) } else { None };
        up.or_else(|| pick(allowed))
    }
}

/// Sends the exchange's request to a node of `upstream` and answers with its response, the body still streaming.
pub async fn send(
    exchange: &mut Exchange,
    upstream: &Arc<Upstream>,
    strip_prefix: &str,
    add_prefix: &str,
) -> Result<Response, ProxyError> {
    let uri = prepare::uri(exchange, strip_prefix, add_prefix)?;
    prepare::headers(exchange);
    let started = Instant::now();
    let mut attempts = Attempts::new(upstream);
    let mut choice = attempts.first(exchange)?;
    let mut connection = loop {
        exchange.record.upstream = Some(choice.node().label.clone());
        match connection(exchange, upstream, choice.node()).await {
            Ok(connection) => break connection,
            Err(error) => choice = attempts.next(exchange, choice, error)?,
        }
    };
    let host = prepare::host(exchange, upstream, &connection.node);
    let (body, progress) = Sending::new(std::mem::replace(&mut exchange.body, Body::Empty));
    let mut request = ::http::Request::new(body);
    *request.method_mut() = exchange.request.method.clone();
    *request.uri_mut() = uri.into();
    *request.headers_mut() = std::mem::take(&mut exchange.request.headers);
    if let Some(host) = host {
        request.headers_mut().insert(::http::header::HOST, host);
    }
    let head = loop {
        match exchange_heads(&mut connection, request, &progress, &upstream.timeouts).await {
            Ok(head) => break head,
            // The pooled connection had been closed by the upstream, and nothing was sent on it.
            Err((_, Some(unsent))) if connection.pooled => {
                request = unsent;
                connection = match connect(upstream, connection.node.clone()).await {
                    Ok(connection) => connection,
                    Err(error) => {
                        attempts.failed(&choice, &error);
                        return Err(error);
                    }
                };
            }
            Err((error, _)) => {
                attempts.failed(&choice, &error);
                exchange.record.bytes_received = progress.bytes();
                return Err(error);
            }
        }
    };
    exchange.record.bytes_received = progress.bytes();
    exchange.record.upstream_latency = Some(started.elapsed());
    attempts.answered(&choice, head.status().as_u16());
    exchange.choice = Some(choice);
    Ok(respond(exchange, head, connection, upstream))
}

/// A connection to `node`: an idle one, or a new one.
async fn connection(
    exchange: &Exchange,
    upstream: &Arc<Upstream>,
    node: &Node,
) -> Result<Connection, ProxyError> {
    match exchange.worker.pool.take(&node.pool_key, &upstream.keepalive).await {
        Some(connection) => Ok(connection),
        None => connect(upstream, node.clone()).await,
    }
}

async fn connect(upstream: &Upstream, node: Node) -> Result<Connection, ProxyError> {
    let limit = Duration::from_millis(upstream.timeouts.connect_ms);
    match tokio::time::timeout(limit, connect::open(&node, upstream.tls.as_ref())).await {
        Ok(sender) => Ok(Connection { sender: sender?, node, used: 0, pooled: false }),
        Err(_) => {
            let detail = format!("no connection to {} within {} ms", node.label, limit.as_millis());
            Err(ProxyError::before_sending(Kind::ConnectTimeout, detail))
        }
    }
}

type Head = ::http::Response<Incoming>;
type Unsent = ::http::Request<Sending>;

/// Sends the request and waits for the response's head. Gives the request back where nothing of it was sent.
async fn exchange_heads(
    connection: &mut Connection,
    request: Unsent,
    progress: &Rc<Progress>,
    timeouts: &Timeouts,
) -> Result<Head, (ProxyError, Option<Unsent>)> {
    connection.used += 1;
    let label = connection.node.label.clone();
    let response = pin!(connection.sender.try_send_request(request));
    match wait(response, progress, timeouts).await {
        Ok(Ok(head)) => Ok(head),
        Ok(Err(mut error)) => {
            let unsent = error.take_message();
            let error = error.into_error();
            let kind = match () {
                () if progress.client_failed() => Kind::ClientClosed,
                () if error.is_parse() => Kind::UpstreamProtocol,
                () => Kind::UpstreamClosed,
            };
            Err((ProxyError::new(kind, format!("{label}: {error}")), unsent))
        }
        Err(kind) => Err((ProxyError::new(kind, format!("{label} made no progress in time")), None)),
    }
}

/// Waits for `response` as long as the request's body makes progress and the upstream answers in time.
async fn wait<F: Future + Unpin>(
    mut response: F,
    progress: &Progress,
    timeouts: &Timeouts,
) -> Result<F::Output, Kind> {
    let mut timer = pin!(tokio::time::sleep_until(progress.deadline(timeouts).0.into()));
    loop {
        tokio::select! {
            biased;
            output = &mut response => return Ok(output),
            () = &mut timer => {
                let (deadline, kind) = progress.deadline(timeouts);
                if deadline <= Instant::now() {
                    return Err(kind);
                }
                timer.as_mut().reset(deadline.into());
            }
        }
    }
}

fn respond(exchange: &Exchange, head: Head, connection: Connection, upstream: &Upstream) -> Response {
    let (mut parts, incoming) = head.into_parts();
    headers::strip_hop_by_hop(&mut parts.headers);
    parts.version = ::http::Version::HTTP_11;
    let body = body::UpstreamBody::body(incoming, connection, exchange.worker.clone(), upstream);
    Response::from_parts(parts, body)
}
