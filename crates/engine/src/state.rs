//! What outlives a swap of the snapshot: counters, metrics, and what is known of upstreams and names, keyed by stable ids;
//! what TLS sessions are resumed by, which passwords were right, what identity providers told, and tokens for upstreams.
//! Pools live with their worker.

use crate::observe::Metrics;
use crate::outbound::{Fetched, Fetches, Registry};
use crate::plugins::counters::Counters;
use crate::plugins::{Discovery, Grant, KeySet, Passwords, Told};
use crate::server::tls::Tickets;
use crate::upstream::{Names, TlsClients, UpstreamStates};

/// Shared by all workers and all generations of one engine.
#[derive(Default)]
pub struct State {
    pub counters: Counters,
    pub metrics: Metrics,
    pub passwords: Passwords,
    pub discoveries: Registry<Fetched<Discovery>>,
    pub key_sets: Registry<Fetched<KeySet>>,
    pub introspections: Registry<Fetches<Told>>,
    pub tickets: Tickets,
    pub tls_clients: TlsClients,
    pub upstreams: UpstreamStates,
    pub names: Names,
    pub upstream_tokens: Registry<Fetched<Grant>>,
    pub exchanged_tokens: Registry<Fetches<Grant>>,
}
