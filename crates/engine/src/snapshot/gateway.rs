//! Settings of the gateway process itself. Addresses and workers hold from start to exit; the rest follows each swap.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Addresses of the HTTP listeners, `host:port`; port 0 takes a free one. Empty: no listener.
    pub listen: Vec<String>,
    /// Addresses of the HTTPS listeners, in the same form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tls_listen: Vec<String>,
    /// Worker threads, at least 1.
    pub workers: usize,
    /// Address of the metrics listener, `host:port`; none: no metrics are served.
    #[serde(default)]
    pub metrics: Option<String>,
    /// Address of the control listener (health of nodes, liveness, readiness), `host:port`; none: no such listener.
    #[serde(default)]
    pub control: Option<String>,
    #[serde(default)]
    pub dns: Dns,
    /// Where access log lines go: `stdout`, or the path of a file that is appended to; none: no access log.
    #[serde(default)]
    pub access_log: Option<String>,
    /// Addresses and networks of proxies that are believed when they say for whom they speak; empty: nobody is.
    #[serde(default)]
    pub trusted_addresses: Vec<String>,
    /// The claim of a caller's token that has its roles; dots lead to a claim within others.
    #[serde(default = "roles_claim")]
    pub roles_claim: String,
    #[serde(default)]
    pub path: PathRules,
    #[serde(default)]
    pub limits: Limits,
}

fn roles_claim() -> String {
    "roles".into()
}

/// How names of nodes are resolved.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Name servers, `address` or `address:port`, asked in this order; empty: those of the system.
    pub nameservers: Vec<String>,
}

/// Bounds on what a client may send and how slowly.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request head (request line and headers), 64 KiB by default; beyond it 431.
    pub head_bytes: usize,
    /// Header fields of a request, 100 by default; beyond it 431.
    pub headers: usize,
    /// Milliseconds that a client may take for a request head, 30,000 by default; beyond it the connection is closed.
    pub head_timeout_ms: u64,
    /// Milliseconds that a connection may be without a request, 75,000 by default; beyond it it is closed.
    pub idle_timeout_ms: u64,
    /// Client connections that may be open in all, beyond which new ones are closed at once. None, the default: half as
    /// many as the process may open files.
    pub connections: Option<usize>,
    /// Milliseconds for a TLS handshake, 10,000 by default; beyond it the connection is closed.
    pub handshake_timeout_ms: u64,
    /// TLS handshakes that a worker does at the same time, 1,024 by default; further ones wait. It holds from the start.
    pub handshakes: usize,
    /// Streams that a client may have open on an HTTP/2 connection, 100 by default.
    pub http2_streams: u32,
    /// Bytes of an MCP message, 4 MiB by default; beyond it 413.
    pub mcp_body_bytes: usize,
    /// Bytes of a body that may be looked at to find a route, 64 KiB by default; longer ones match no route that asks.
    pub match_body_bytes: usize,
    /// Bytes of a request's body; beyond it 413. None, the default: any number.
    pub body_bytes: Option<u64>,
    /// Bytes of path and query, 16 KiB by default; beyond it 414.
    pub uri_bytes: usize,
    /// Milliseconds that a client may pause in the middle of a body, 60,000 by default; beyond it 408.
    pub body_timeout_ms: u64,
}

/// How paths are normalised, where that is a matter of choice.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PathRules {
    pub doubled_slashes: DoubledSlashes,
    pub encoded_slashes: EncodedSlashes,
}

/// What becomes of `//`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DoubledSlashes {
    #[default]
    Keep,
    /// One is left of each run, before dot segments are removed.
    Merge,
}

/// What becomes of `%2F`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EncodedSlashes {
    #[default]
    Keep,
    /// The request is answered with 400.
    Refuse,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 << 10,
            headers: 100,
            head_timeout_ms: 30_000,
            idle_timeout_ms: 75_000,
            connections: None,
            handshake_timeout_ms: 10_000,
            handshakes: 1024,
            http2_streams: 100,
            mcp_body_bytes: 4 << 20,
            match_body_bytes: 64 << 10,
            body_bytes: None,
            uri_bytes: 16 << 10,
            body_timeout_ms: 60_000,
        }
    }
}
