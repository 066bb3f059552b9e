//! Why a server that the gateway asked gave nothing of use. For operators; clients are told no more than that it was so.

use crate::error::{Kind, ProxyError};
use crate::exchange::Exchange;
use crate::http::Response;
use crate::server::Worker;
use std::sync::Arc;

/// Names the server and what is wrong, never a secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{server}: {why}")]
pub struct Fault {
    /// The URL without its query.
    server: Arc<str>,
    why: Arc<str>,
}

impl Fault {
    pub fn new(server: &Arc<str>, why: impl Into<Arc<str>>) -> Self {
        Self { server: server.clone(), why: why.into() }
    }

    /// Has the access log tell of it. It is counted where it comes from.
    pub fn record(&self, exchange: &mut Exchange) {
        exchange.record.error = Some(Kind::OutboundFailed.code());
        exchange.record.error_detail = Some(self.to_string());
    }

    /// The answer to a request that cannot go on without the server's.
    pub fn refuse(&self, exchange: &mut Exchange) -> Response {
        self.record(exchange);
        ProxyError::new(Kind::OutboundFailed, self.to_string()).response()
    }

    /// Counts it among the errors of the gateway.
    pub fn count(&self, worker: &Worker) {
        worker.report(&ProxyError::new(Kind::OutboundFailed, self.to_string()));
    }
}
