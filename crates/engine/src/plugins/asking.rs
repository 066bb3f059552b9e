//! What plugins have in common that ask another server about each request: how long they wait, the connections that they
//! keep, how much of a body they take, and the headers that their settings may name.

use crate::http::headers::is_of_connection;
use crate::outbound::Settings;
use crate::snapshot::Keepalive;
use ::http::HeaderName;
use ::http::header::HOST;
use std::time::Duration;

/// Bytes of a request's body that a question may have, and of an answer.
pub const MAXIMUM_BODY: usize = 1 << 20;

pub const fn yes() -> bool {
    true
}

/// In milliseconds.
pub const fn timeout() -> u64 {
    3000
}

/// In milliseconds.
pub const fn keepalive_timeout() -> u64 {
    60_000
}

/// Connections of each worker.
pub const fn keepalive_pool() -> usize {
    5
}

/// How a server is asked within `timeout_ms`, with `pool` connections of each worker kept for `idle_ms`.
pub fn settings(verify: bool, timeout_ms: u64, pool: usize, idle_ms: u64) -> Settings {
    let defaults = Settings::default();
    Settings {
        verify,
        timeout: Duration::from_millis(timeout_ms.clamp(1, 60_000)),
        most_bytes: MAXIMUM_BODY,
        keepalive: Keepalive { size: pool, idle_timeout_ms: idle_ms, ..defaults.keepalive },
        ..defaults
    }
}

/// A header that a setting may name.
pub fn header(field: &str, name: &str) -> Result<HeaderName, String> {
    let header: HeaderName =
        name.parse().map_err(|_| format!("{field}: {name:?} is not a valid header name"))?;
    if is_of_connection(&header) || header == HOST {
        return Err(format!("{field}: {header} cannot be passed on, because HTTP itself uses it"));
    }
    Ok(header)
}

/// Headers that a setting may name.
pub fn headers(field: &str, names: &[String]) -> Result<Vec<HeaderName>, String> {
    names.iter().map(|name| header(field, name)).collect()
}
