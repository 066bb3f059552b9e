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
    /// Where access log lines go: `stdout`, or the path of a file that is appended to; none: no access log.
    #[serde(default)]
    pub access_log: Option<String>,
    #[serde(default)]
    pub limits: Limits,
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
    /// So is an HTTP/2 connection without a stream for as long.
    pub head_timeout_ms: u64,
    /// Milliseconds for a TLS handshake, 10,000 by default; beyond it the connection is closed.
    pub handshake_timeout_ms: u64,
    /// TLS handshakes that a worker does at the same time, 1,024 by default; further ones wait.
    pub handshakes: usize,
    /// Streams that a client may have open on an HTTP/2 connection, 100 by default.
    pub http2_streams: u32,
    /// Bytes of an MCP message, 4 MiB by default; beyond it 413.
    pub mcp_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 << 10,
            headers: 100,
            head_timeout_ms: 30_000,
            handshake_timeout_ms: 10_000,
            handshakes: 1024,
            http2_streams: 100,
            mcp_body_bytes: 4 << 20,
        }
    }
}
