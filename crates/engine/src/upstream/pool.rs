//! Idle connections of one worker. Nothing is shared between workers, so nothing is locked.

use super::connect::Node;
use super::progress::Sending;
use crate::snapshot::Keepalive;
use hyper::client::conn::http1::SendRequest;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection in use.
pub struct Connection {
    pub sender: SendRequest<Sending>,
    pub node: Node,
    /// Requests sent on it.
    pub used: u64,
    /// Whether it comes out of the pool, and so may have been closed by the upstream meanwhile.
    pub pooled: bool,
}

struct Idle {
    connection: Connection,
    until: Instant,
}

/// Idle connections by node, the newest last.
#[derive(Default)]
pub struct Pool {
    idle: RefCell<HashMap<Arc<str>, VecDeque<Idle>>>,
}

impl Pool {
    /// The idle connection used last that is still good.
    pub async fn take(&self, key: &str, keepalive: &Keepalive) -> Option<Connection> {
        loop {
            let mut connection = self.pop(key)?;
            if connection.used >= keepalive.requests || connection.sender.is_closed() {
                continue;
            }
            if !connection.sender.is_ready() {
                // Its task may not have run since the last response ended; one turn is enough for that.
                tokio::task::yield_now().await;
            }
            if connection.sender.is_ready() {
                connection.pooled = true;
                return Some(connection);
            }
        }
    }

    fn pop(&self, key: &str) -> Option<Connection> {
        let idle = self.idle.borrow_mut().get_mut(key)?.pop_back()?;
        (idle.until > Instant::now()).then_some(idle.connection)
    }

    /// Keeps a connection whose response has been read to its end.
    pub fn put(&self, connection: Connection, keepalive: &Keepalive) {
        if keepalive.size == 0 || connection.used >= keepalive.requests || connection.sender.is_closed() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let key = connection.node.pool_key.clone();
        let queue = idle.entry(key).or_default();
        if queue.len() >= keepalive.size {
            queue.pop_front();
        }
        let until = Instant::now() + Duration::from_millis(keepalive.idle_timeout_ms);
        queue.push_back(Idle { connection, until });
    }

    /// Drops what is closed or has been idle for too long. The worker calls it now and then.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|_, queue| {
            queue.retain(|idle| idle.until > now && !idle.connection.sender.is_closed());
            !queue.is_empty()
        });
    }
}
