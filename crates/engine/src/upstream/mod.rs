//! The way to an upstream: choose a node, take or make a connection, send the request, hand back the response.
//!
//! [`send`] is called by the exchange when its plugins are done. Nodes are chosen by [`balance`] as [`attempts`] asks for
//! them, [`delivery`] brings the request to one, and [`h1`] or [`h2`] speaks to it on a connection of the worker's
//! ([`pool`]); every wait has an end. Beside the exchanges, [`upkeep`] resolves names and probes nodes.

mod asking;
mod attempts;
mod balance;
mod connect;
mod delivery;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod h1;
mod h2;
mod health;
mod node_state;
mod pace;
mod pool;
mod prepare;
mod resolve;
mod roster;
mod stream;
mod tls;
mod tunnel;
mod upkeep;
mod upload;

pub use asking::ask;
pub use attempts::NodeChoice;
pub use health::Health;
pub use node_state::{UpstreamStates, shared};
pub use pool::Pool;
pub use resolve::{Names, name_servers};
pub use roster::{Member, Roster};
pub use tls::TlsClients;
pub use tunnel::Tunnel;
pub use upkeep::{Orders, Upkeep};

use crate::error::{CODE_HEADER, Kind, ProxyError};
use crate::exchange::Exchange;
use crate::http::{Body, Response, headers};
use crate::server::Worker;
use crate::snapshot::{
    ActiveChecks, CheckKind, Keepalive, PassHost, PassiveChecks, Timeouts, UpstreamDefinition,
};
use crate::state::State;
use crate::table::Keyed;
use ::http::header::{CONNECTION, UPGRADE};
use ::http::{HeaderValue, StatusCode};
use arc_swap::{ArcSwap, Guard};
use attempts::Attempts;
use balance::Balance;
use delivery::{Answer, Protocol, deliver};
use node_state::UpstreamState;
use roster::Targets;
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
    protocol: Protocol,
    tls: Option<Arc<rustls::ClientConfig>>,
    /// For exchanges that need HTTP/1.1, where nodes have the choice.
    tls_http1: Option<Arc<rustls::ClientConfig>>,
    probe_tls: Option<Arc<rustls::ClientConfig>>,
}

impl Upstream {
    /// Builds it from what is known now. Nodes that another generation has too keep their state in `state`. The error
    /// is a JSON pointer below the upstream and what is wrong there.
    pub fn build(definition: UpstreamDefinition, state: &State) -> Result<Self, (String, String)> {
        let whole = |why: String| (String::new(), why);
        let balance = Balance::build(&definition.balance).map_err(whole)?;
        let targets = Targets::build(&definition, &state.names).map_err(whole)?;
        let own = state.upstreams.of(&definition.id);
        let roster = Roster::build(&definition, &targets, &own, &balance).map_err(whole)?;
        let host = definition.upstream_host.as_deref().map(HeaderValue::from_str).transpose();
        health::probe::check(&definition).map_err(whole)?;
        let protocol = Protocol::of(&definition);
        let tls = |protocol: Protocol| {
            state.tls_clients.config(definition.tls_verify, definition.tls.as_ref(), protocol.names())
        };
        Ok(Self {
            roster: ArcSwap::from_pointee(roster),
            targets,
            balance,
            state: own,
            pass_host: definition.pass_host,
            upstream_host: host
                .map_err(|_| ("/upstream_host".to_owned(), "this is not a valid Host".to_owned()))?,
            retries: definition.retries,
            retry_timeout: definition.retry_timeout_ms.map(Duration::from_millis),
            timeouts: definition.timeout,
            keepalive: definition.keepalive,
            protocol,
            tls: definition.scheme.is_tls().then(|| tls(protocol)).transpose()?,
            tls_http1: (protocol == Protocol::Negotiated).then(|| tls(Protocol::Http1)).transpose()?,
            probe_tls: match definition.checks.as_ref().and_then(|checks| checks.active.as_ref()) {
                Some(checks) if checks.kind == CheckKind::Https => {
                    Some(state.tls_clients.config(checks.tls_verify, definition.tls.as_ref(), &[])?)
                }
                _ => None,
            },
            definition,
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

    /// How its nodes are probed by TLS.
    pub fn probe_tls(&self) -> Option<&Arc<rustls::ClientConfig>> {
        self.probe_tls.as_ref()
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

impl Keyed for Upstream {
    fn key(&self) -> &[u8] {
        self.definition.id.as_bytes()
    }
}

/// Sends the exchange's request to a node of `upstream` and answers with its response, the body still streaming.
pub async fn send(
    exchange: &mut Exchange,
    upstream: &Arc<Upstream>,
    strip_prefix: &str,
    add_prefix: &str,
) -> Result<Response, ProxyError> {
    let outline = prepare::outline(exchange, upstream, strip_prefix, add_prefix)?;
    let started = Instant::now();
    let mut attempts = Attempts::new(upstream);
    let mut choice = attempts.first(exchange)?;
    let mut upload = None;
    let mut answer = loop {
        exchange.record.upstream = Some(choice.node().label.clone());
        match deliver(exchange, upstream, choice.node(), &outline, &mut upload).await {
            Ok(answer) => break answer,
            Err(error) => {
                choice = attempts.next(exchange, choice, error).inspect_err(|_| {
                    exchange.record.bytes_received = upload.as_ref().map_or(0, |upload| upload.received);
                })?
            }
        }
    };
    exchange.record.bytes_received = answer.received();
    exchange.record.upstream_latency = Some(started.elapsed());
    attempts.answered(&choice, answer.parts().status.as_u16());
    exchange.record.choice = Some(choice);
    match answer {
        Answer::Http1(reply) if reply.parts.status == StatusCode::SWITCHING_PROTOCOLS => {
            switch(exchange, reply, upstream)
        }
        answer => Ok(respond(&exchange.worker, answer, upstream)),
    }
}

/// The answer to an upgrade. Bytes pass when the client has got it.
fn switch(exchange: &mut Exchange, reply: h1::Reply, upstream: &Upstream) -> Result<Response, ProxyError> {
    let Some(client) = exchange.arrival.upgrade.take() else {
        return Err(ProxyError::new(Kind::UpstreamProtocol, "this connection cannot change its protocol"));
    };
    let mut headers = reply.parts.headers;
    let protocol = headers.remove(UPGRADE);
    headers::strip_hop_by_hop(&mut headers);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.extend(protocol.map(|protocol| (UPGRADE, protocol)));
    let patience = Duration::from_millis(upstream.timeouts.read_ms);
    exchange.tunnel = Some(Tunnel { client, connection: reply.connection, patience });
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    Ok(response)
}

fn respond(worker: &Rc<Worker>, mut answer: Answer, upstream: &Upstream) -> Response {
    let (mut parts, ()) = ::http::Response::new(()).into_parts();
    std::mem::swap(&mut parts, answer.parts());
    headers::strip_hop_by_hop(&mut parts.headers);
    // Only the gateway tells of its errors.
    parts.headers.remove(CODE_HEADER);
    parts.version = ::http::Version::HTTP_11;
    Response::from_parts(parts, answer.into_body(worker, upstream))
}
