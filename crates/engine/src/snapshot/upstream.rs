//! Upstreams: named sets of nodes, with how to choose one and how to speak to it.

use super::{Certificate, Checks};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamDefinition {
    pub id: String,
    pub scheme: Scheme,
    /// A weight of 0 takes a node out.
    pub nodes: Vec<Node>,
    /// How a node is chosen.
    #[serde(default)]
    pub balance: Balance,
    pub pass_host: PassHost,
    /// The Host sent upstream where `pass_host` is `rewrite`.
    #[serde(default)]
    pub upstream_host: Option<String>,
    /// Further nodes tried where one fails before it answers, and the request is safe to repeat: nothing of it was
    /// sent, or its method is idempotent and its body still at hand.
    pub retries: u32,
    /// Milliseconds after which no further node is tried; none: no such limit.
    #[serde(default)]
    pub retry_timeout_ms: Option<u64>,
    pub timeout: Timeouts,
    pub keepalive: Keepalive,
    /// Whether the upstream's certificate is checked, for `https` and `grpcs`.
    pub tls_verify: bool,
    /// How it is found out which nodes are well; none: all are taken to be.
    #[serde(default)]
    pub checks: Option<Checks>,
    /// What else TLS needs; absent: the system's authorities and no certificate of the gateway's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<UpstreamTls>,
}

/// TLS towards an upstream, beyond whether its certificate is checked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTls {
    /// PEM of the authorities that are believed instead of the system's.
    #[serde(default)]
    pub ca: Option<String>,
    /// What the gateway shows where the upstream asks for a certificate.
    #[serde(default)]
    pub certificate: Option<Certificate>,
    /// For `https`: whether HTTP/2 is spoken with nodes that choose it by ALPN.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub http2: bool,
}

/// How a node is chosen among those of the highest priority that are available.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Balance {
    /// Each as often as its weight says, smoothly.
    #[default]
    Roundrobin,
    /// The same node for the same key, as long as there is that node.
    Chash { hash_on: HashOn, key: String },
    /// The one with the fewest requests under way for its weight.
    LeastConn,
    /// The faster of two that are drawn.
    Ewma,
}

/// Where the text comes from that is hashed; `key` names the value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HashOn {
    /// A variable, without `$`.
    Vars,
    /// A header, by its name.
    Header,
    /// A cookie, by its name.
    Cookie,
    /// The name of the consumer; the key is without effect.
    Consumer,
    /// Text with variables in it, such as `$remote_addr$http_x_tenant`.
    VarsCombinations,
}

/// How nodes are spoken to. `h2c` and `grpc` are the same on the wire.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 over TLS; with `tls.http2` also HTTP/2, where the node agrees to it.
    Https,
    /// HTTP/2 by prior knowledge.
    H2c,
    /// HTTP/2 by prior knowledge.
    Grpc,
    /// HTTP/2 over TLS, and nothing else.
    Grpcs,
}

impl Scheme {
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs)
    }

    /// The port that a Host need not name.
    pub fn port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }
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
    /// Nodes of a lower priority are chosen only where none of a higher one is available.
    #[serde(default)]
    pub priority: i32,
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
