//! What outlives a swap of the snapshot: counters, metrics, and what is known of upstreams and names, keyed by stable ids.
//! Pools live with their worker.

use crate::observe::Metrics;
use crate::plugins::counters::Counters;
use crate::upstream::{Names, UpstreamStates};

/// Shared by all workers and all generations of one engine.
#[derive(Default)]
pub struct State {
    pub counters: Counters,
    pub metrics: Metrics,
    pub upstreams: UpstreamStates,
    pub names: Names,
}
