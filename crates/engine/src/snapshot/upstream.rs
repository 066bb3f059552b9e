//! Upstreams: named sets of nodes, with how to choose one and how to speak to it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamDefinition {
    pub id: String,
    pub scheme: Scheme,
    /// Nodes for weighted round robin; a weight of 0 takes a node out.
    pub nodes: Vec<Node>,
    pub pass_host: PassHost,
    /// The Host sent upstream where `pass_host` is `rewrite`.
    #[serde(default)]
    pub upstream_host: Option<String>,
    /// Further nodes tried when no connection to the first can be made.
    pub retries: u32,
    pub timeout: Timeouts,
    pub keepalive: Keepalive,
    /// Whether the upstream's certificate is checked, for `https`.
    pub tls_verify: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    Http,
    Https,
}

/// Which Host the upstream sees: the client's, the node's own, or `upstream_host`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PassHost {
    Pass,
    Node,
    Rewrite,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The node's name: DNS name or address, without port. Used for Host and TLS server name.
    pub host: String,
    pub port: u16,
    pub weight: u32,
    /// Where to connect instead of `host:port`: `host:port`, or `unix:/path`.
    #[serde(default)]
    pub connect_to: Option<String>,
}

/// Milliseconds: to connect (TLS included), between two writes, between two reads.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    pub connect_ms: u64,
    pub send_ms: u64,
    pub read_ms: u64,
}

/// The idle connections kept per worker and node.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Keepalive {
    /// Idle connections kept per worker and node; 0 keeps none.
    pub size: usize,
    pub idle_timeout_ms: u64,
    /// Requests after which a connection is closed.
    pub requests: u64,
}
