//! What outlives a swap of the snapshot: counters, metrics, and what is known of upstreams and names, keyed by stable ids;
//! what TLS sessions are resumed by, and which passwords were right. Pools live with their worker.

use crate::observe::Metrics;
use crate::plugins::Passwords;
use crate::plugins::counters::Counters;
use crate::server::tls::Tickets;
use crate::upstream::{Names, TlsClients, UpstreamStates};

/// Shared by all workers and all generations of one engine.
#[derive(Default)]
pub struct State {
    pub counters: Counters,
    pub metrics: Metrics,
    pub passwords: Passwords,
    pub tickets: Tickets,
    pub tls_clients: TlsClients,
    pub upstreams: UpstreamStates,
    pub names: Names,
}
