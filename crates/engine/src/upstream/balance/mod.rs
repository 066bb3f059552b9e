//! Which node is next: the balancers, over the nodes of one priority that may be used.
//!
//! A balancer keeps no state of its own: positions, requests under way and latencies stand in [`super::node_state`],
//! so that they are shared by workers and outlive a snapshot. Which nodes may be used (health, what was tried before)
//! is asked of the caller.

mod consistent;
mod least;
mod round_robin;

use super::node_state::UpstreamState;
use super::roster::{Member, Tier};
use crate::exchange::Exchange;
use crate::snapshot::{self, HashOn};
use consistent::HashKey;
pub use consistent::hash;
pub use round_robin::cycle;
use std::sync::Arc;

/// A way to choose.
pub enum Balance {
    RoundRobin,
    Hash(HashKey),
    LeastConnections,
    Latency,
}

impl Balance {
    pub fn build(definition: &snapshot::Balance) -> Result<Self, String> {
        Ok(match definition {
            snapshot::Balance::Roundrobin => Self::RoundRobin,
            snapshot::Balance::Chash { hash_on: HashOn::Consumer, .. } => Self::Hash(HashKey::consumer()),
            snapshot::Balance::Chash { hash_on, key } => Self::Hash(HashKey::build(*hash_on, key)?),
            snapshot::Balance::LeastConn => Self::LeastConnections,
            snapshot::Balance::Ewma => Self::Latency,
        })
    }

    /// Whether requests under way have to be counted.
    pub const fn counts_requests(&self) -> bool {
        matches!(self, Self::LeastConnections | Self::Latency)
    }

    /// Whether latencies have to be measured.
    pub const fn measures_latency(&self) -> bool {
        matches!(self, Self::Latency)
    }

    /// The node of `tier` for this exchange, among those that are `usable`.
    pub fn pick<'a>(
        &self,
        tier: &'a Tier,
        exchange: &Exchange,
        state: &UpstreamState,
        usable: &dyn Fn(&Member) -> bool,
    ) -> Option<&'a Arc<Member>> {
        match self {
            Self::RoundRobin => round_robin::pick(tier, state.next_position(), usable),
            Self::Hash(key) => consistent::pick(tier, key.hash_of(exchange), usable),
            Self::LeastConnections => least::connections(tier, state.next_position(), usable),
            Self::Latency => least::latency(tier, state.next_position(), usable),
        }
    }
}

/// Spreads the bits of `value` over all of the result (the finalizer of MurmurHash3), so that counters and similar
/// hashes give numbers that look drawn by lot.
pub const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

/// One of `count` by lot; `lot` names the draw.
pub fn draw(lot: u64, count: usize) -> usize {
    let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
    usize::try_from(mix(lot) % count).unwrap_or(0)
}
