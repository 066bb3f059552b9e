//! Health checks of an upstream: probes of its nodes, and what real requests tell.
//!
//! The words and defaults are those of Apache APISIX; the defaults are written out by whoever makes the snapshot. A
//! threshold of 0 turns off what it counts.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    #[serde(default)]
    pub active: Option<ActiveChecks>,
    #[serde(default)]
    pub passive: Option<PassiveChecks>,
}

/// What a check speaks. `tcp` looks at connections only.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    Http,
    Https,
    Tcp,
}

/// Probes that the gateway sends by itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveChecks {
    pub kind: CheckKind,
    /// Milliseconds for one probe.
    pub timeout_ms: u64,
    /// Probes of this upstream under way at once.
    pub concurrency: usize,
    pub http_path: String,
    /// Host and TLS server name; none: the node's.
    #[serde(default)]
    pub host: Option<String>,
    /// Port instead of the node's.
    #[serde(default)]
    pub port: Option<u16>,
    /// Further header lines, `Name: value`.
    #[serde(default)]
    pub req_headers: Vec<String>,
    /// Whether the certificate is checked, for `https`.
    pub tls_verify: bool,
    /// Milliseconds between two probes of a node that is well.
    pub healthy_interval_ms: u64,
    /// Milliseconds between two probes of a node that is down.
    pub unhealthy_interval_ms: u64,
    pub healthy: HealthySigns,
    pub unhealthy: UnhealthySigns,
}

/// Reading the outcome of real requests.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PassiveChecks {
    pub kind: CheckKind,
    pub healthy: HealthySigns,
    pub unhealthy: UnhealthySigns,
}

/// What speaks for a node.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HealthySigns {
    pub http_statuses: Vec<u16>,
    /// Signs after which a node that is down is taken to be well again.
    pub successes: u8,
}

/// What speaks against a node, and how often it takes to hold it for down.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UnhealthySigns {
    pub http_statuses: Vec<u16>,
    pub http_failures: u8,
    pub tcp_failures: u8,
    pub timeouts: u8,
}
