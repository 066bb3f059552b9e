//! The connections of one worker that serve further exchanges. Nothing is shared between workers, so nothing is locked.

use super::h1::Connection;
use super::h2;
use crate::snapshot::Keepalive;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Idle {
    connection: Box<Connection>,
    until: Instant,
}

#[derive(Default)]
pub struct Pool {
    /// Those of HTTP/1.1 that are idle, by node, the newest last.
    idle: RefCell<FxHashMap<Arc<str>, VecDeque<Idle>>>,
    /// All of HTTP/2.
    pub multiplexed: h2::Connections,
}

impl Pool {
    /// The idle connection used last that is still open.
    pub fn take(&self, key: &str, keepalive: &Keepalive) -> Option<Box<Connection>> {
        loop {
            let mut connection = self.pop(key)?;
            if connection.used < keepalive.requests && connection.is_open() {
                connection.pooled = true;
                return Some(connection);
            }
        }
    }

    fn pop(&self, key: &str) -> Option<Box<Connection>> {
        let idle = self.idle.borrow_mut().get_mut(key)?.pop_back()?;
        (idle.until > Instant::now()).then_some(idle.connection)
    }

    /// Keeps a connection whose response has been read to its end.
    pub fn put(&self, mut connection: Box<Connection>, keepalive: &Keepalive) {
        if keepalive.size == 0 || connection.used >= keepalive.requests {
            return;
        }
        connection.rest();
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
        self.multiplexed.sweep();
        let now = Instant::now();
        self.idle.borrow_mut().retain(|_, queue| {
            queue.retain_mut(|idle| idle.until > now && idle.connection.is_open());
            !queue.is_empty()
        });
    }
}
