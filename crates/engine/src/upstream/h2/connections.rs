//! The HTTP/2 connections of one worker, by node. Each carries many streams, so they stand here while they are in use.

use super::connection::{Connection, Driver, Lease};
use crate::snapshot::Keepalive;
use ::h2::client::SendRequest;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::Semaphore;

#[derive(Default)]
pub struct Connections {
    groups: RefCell<FxHashMap<Arc<str>, Rc<Group>>>,
    /// The serial number of the last connection.
    last: Cell<u64>,
}

/// The connections to one node.
pub struct Group {
    open: RefCell<Vec<Rc<Connection>>>,
    /// One connection is opened at a time, since those who wait for it may find room on it.
    pub turn: Semaphore,
    /// Whether the node chose HTTP/1.1 the last time it had the choice: then nobody waits for anybody.
    pub chose_http1: Cell<bool>,
}

impl Connections {
    /// Those of the node that `key` names.
    pub fn group(&self, key: &Arc<str>) -> Rc<Group> {
        self.groups.borrow_mut().entry(key.clone()).or_insert_with(|| Rc::new(Group::new())).clone()
    }

    /// Takes a new connection in, with a place for whoever opened it.
    pub fn add(
        &self,
        group: &Group,
        (sender, driver): (SendRequest<Bytes>, Driver),
        keepalive: &Keepalive,
    ) -> Lease {
        let serial = self.last.get() + 1;
        self.last.set(serial);
        let connection = Connection::start(sender, driver, serial, *keepalive);
        let lease = Lease::new(&connection, keepalive, true);
        group.open.borrow_mut().push(connection);
        lease
    }

    /// Lets go of what is closed, has been idle for too long, or is one idle connection too many.
    pub fn sweep(&self) {
        self.groups.borrow_mut().retain(|_, group| {
            group.sweep();
            // Somebody who opens a connection for it holds it too.
            !group.open.borrow().is_empty() || Rc::strong_count(group) > 1
        });
    }
}

impl Group {
    fn new() -> Self {
        Self { open: RefCell::default(), turn: Semaphore::new(1), chose_http1: Cell::new(false) }
    }

    /// A place on a connection with room that is later than number `after`. The oldest goes first, so that those which
    /// were opened for a rush fall idle again.
    pub fn lease(&self, keepalive: &Keepalive, after: u64) -> Option<Lease> {
        let mut open = self.open.borrow_mut();
        open.retain(|connection| connection.is_usable());
        let found = open.iter().find(|connection| connection.serial > after && connection.has_room())?;
        Some(Lease::new(found, keepalive, false))
    }

    fn sweep(&self) {
        let mut idle = 0;
        self.open.borrow_mut().retain(|connection| {
            idle += usize::from(connection.is_idle());
            let is_kept = !connection.is_idle() || idle <= connection.most_idle();
            connection.is_usable() && !connection.has_expired() && is_kept
        });
    }
}
