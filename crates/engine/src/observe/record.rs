//! The record of one exchange: filled on the way, read once at the end by metrics and the access log.

use crate::generation::{Consumer, RouteEntry};
use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// What is known of an exchange. Counts of bytes are of bodies.
pub struct Record {
    pub started: SystemTime,
    pub clock: Instant,
    pub client: IpAddr,
    pub method: ::http::Method,
    /// The Host as the client sent it, without port; empty where there is none.
    pub host: String,
    /// The normalised path, without the query, which may hold credentials.
    pub path: String,
    pub request_id: Option<String>,
    pub route: Option<Arc<RouteEntry>>,
    pub consumer: Option<Arc<Consumer>>,
    /// 0 until a response is known.
    pub status: u16,
    /// The error code where the gateway itself answered with an error.
    pub error: Option<&'static str>,
    /// What exactly went wrong, for operators; clients are not told.
    pub error_detail: Option<String>,
    /// What is wrong with the request, where that is only reported.
    pub invalid: Option<String>,
    /// `host:port` of the node that answered.
    pub upstream: Option<Arc<str>>,
    /// From the first try to the upstream's response head.
    pub upstream_latency: Option<Duration>,
    /// From start to end of the exchange, body included; set when it ends.
    pub latency: Duration,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    /// Whether the response body was passed on whole.
    pub complete: bool,
    /// The exchange is a step of another, such as a tool call; its own line says so.
    pub tool: Option<Arc<str>>,
    /// The version of TLS that the client spoke; none without TLS.
    pub tls: Option<&'static str>,
    /// Whether the exchange stands in the metrics already, by whichever `prometheus` plugin came first.
    pub measured: Cell<bool>,
}

impl Record {
    pub fn new(client: IpAddr, method: ::http::Method) -> Self {
        Self {
            started: SystemTime::now(),
            clock: Instant::now(),
            client,
            method,
            host: String::new(),
            path: String::new(),
            request_id: None,
            route: None,
            consumer: None,
            status: 0,
            error: None,
            error_detail: None,
            invalid: None,
            upstream: None,
            upstream_latency: None,
            latency: Duration::ZERO,
            bytes_received: 0,
            bytes_sent: 0,
            complete: false,
            tool: None,
            tls: None,
            measured: Cell::new(false),
        }
    }
}
