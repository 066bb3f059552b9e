//! What outlives a swap of the snapshot: counters and metrics, keyed by stable ids. Pools live with their worker.

use crate::observe::Metrics;
use crate::plugins::counters::Counters;

/// Shared by all workers and all generations of one engine.
#[derive(Default)]
pub struct State {
    pub counters: Counters,
    pub metrics: Metrics,
}
