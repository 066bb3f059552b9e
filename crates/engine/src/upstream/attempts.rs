//! The attempts of one exchange: which node is tried first, which one after a failure, and what is learnt from each.
//!
//! Whether an attempt may be repeated at all is decided by whoever sends (`ProxyError::retry`); how often, for how long
//! and where is decided here. No node is tried twice. The addresses of one name count as one node: where none of its
//! connections came about, the next address is tried without using up a retry.

use super::Upstream;
use super::health::Sign;
use super::roster::Member;
use crate::error::{Kind, ProxyError};
use crate::exchange::Exchange;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a failed attempt counts as in latency, so that failing fast does not look like being fast.
const PENALTY: Duration = Duration::from_secs(1);

/// The attempts so far, but for the one under way.
pub struct Attempts<'a> {
    upstream: &'a Upstream,
    tried: SmallVec<[Arc<Member>; 2]>,
    /// Nodes of the snapshot among those tried.
    nodes: u32,
    /// Whether nothing but connecting has failed.
    only_connecting: bool,
    deadline: Option<Instant>,
}

/// A node chosen for an attempt. Where the balancer counts requests under way, this is one until it is dropped.
pub struct NodeChoice {
    member: Arc<Member>,
    counted: bool,
    began: Option<Instant>,
}

impl<'a> Attempts<'a> {
    pub fn new(upstream: &'a Upstream) -> Self {
        let patience = upstream.retry_timeout;
        let deadline = patience.map(|patience| Instant::now() + patience);
        Self { upstream, tried: SmallVec::new(), nodes: 0, only_connecting: true, deadline }
    }

    /// The node for the first attempt.
    pub fn first(&self, exchange: &Exchange) -> Result<NodeChoice, ProxyError> {
        let choice = self.choose(exchange);
        choice.ok_or_else(|| ProxyError::new(Kind::NoUpstreamNode, "every node has weight 0"))
    }

    /// The node for the next attempt after `choice` ended with `error`, which is then counted; else the error, for the
    /// client.
    pub fn next(
        &mut self,
        exchange: &Exchange,
        choice: NodeChoice,
        error: ProxyError,
    ) -> Result<NodeChoice, ProxyError> {
        self.failed(&choice, &error);
        self.only_connecting &= is_of_connecting(error.kind);
        if !self.tried.iter().any(|tried| tried.origin == choice.member.origin) {
            self.nodes = self.nodes.saturating_add(1);
        }
        self.tried.push(choice.member.clone());
        drop(choice);
        if !error.retry || self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(error);
        }
        match self.choose(exchange) {
            Some(next) => {
                exchange.worker.report(&error);
                Ok(next)
            }
            None => Err(error),
        }
    }

    /// Learns from a response's head.
    pub fn answered(&self, choice: &NodeChoice, status: u16) {
        if let Some(began) = choice.began {
            choice.member.state.add_latency(began.elapsed());
        }
        self.learn(choice, Sign::Status(status));
    }

    /// Learns from an attempt that ended without a response.
    pub fn failed(&self, choice: &NodeChoice, error: &ProxyError) {
        let Some(sign) = sign(error.kind) else {
            return;
        };
        if let Some(began) = choice.began {
            choice.member.state.add_latency(began.elapsed().max(PENALTY));
        }
        self.learn(choice, sign);
    }

    fn learn(&self, choice: &NodeChoice, sign: Sign) {
        if let Some(checks) = self.upstream.passive_checks() {
            choice.member.state.health.observe_passively(sign, checks);
        }
    }

    fn choose(&self, exchange: &Exchange) -> Option<NodeChoice> {
        let (tried, only_connecting) = (&self.tried, self.only_connecting);
        let may_go_on = self.nodes <= self.upstream.retries;
        let allowed = |member: &Member| {
            let was_tried = |tried: &Arc<Member>| Arc::ptr_eq(&tried.state, &member.state);
            let is_sibling = || tried.iter().any(|tried| tried.origin == member.origin);
            !tried.iter().any(was_tried) && (may_go_on || (only_connecting && is_sibling()))
        };
        let member = self.upstream.choose(exchange, &allowed)?;
        Some(NodeChoice::new(member, self.upstream))
    }
}

impl NodeChoice {
    fn new(member: Arc<Member>, upstream: &Upstream) -> Self {
        let counted = upstream.balance.counts_requests();
        if counted {
            member.state.begin();
        }
        Self { member, counted, began: upstream.balance.measures_latency().then(Instant::now) }
    }

    pub fn node(&self) -> &super::connect::Node {
        &self.member.node
    }
}

impl Drop for NodeChoice {
    fn drop(&mut self) {
        if self.counted {
            self.member.state.end();
        }
    }
}

/// What an error says of the node; none where it is not the node's.
const fn sign(kind: Kind) -> Option<Sign> {
    match kind {
        Kind::UpstreamUnreachable
        | Kind::UpstreamClosed
        | Kind::UpstreamProtocol
        | Kind::UpstreamReset
        | Kind::UpstreamTls => Some(Sign::Broken),
        Kind::ConnectTimeout | Kind::SendTimeout | Kind::ReadTimeout => Some(Sign::Timeout),
        _ => None,
    }
}

const fn is_of_connecting(kind: Kind) -> bool {
    matches!(kind, Kind::UpstreamUnreachable | Kind::UpstreamTls | Kind::ConnectTimeout)
}
