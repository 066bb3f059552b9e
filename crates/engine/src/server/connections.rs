//! The open client connections of all workers: how many there are, how many there may be, and who serves the next.
//!
//! The kernel spreads connections over the workers' sockets by a hash, which with few of them leaves one worker with
//! most of the work. So a worker that has more than another passes what it accepted on to the one that has fewest.
//! This costs something once a connection and nothing for a request.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Connections that a worker is to serve which others accepted.
pub type Queue = mpsc::UnboundedReceiver<Accepted>;

pub struct Connections {
    total: AtomicUsize,
    /// What may be open where the configuration says nothing.
    default_most: usize,
    seats: Box<[Seat]>,
}

/// One worker.
struct Seat {
    open: AtomicUsize,
    /// Bounded by the number of connections that may be open.
    queue: mpsc::UnboundedSender<Accepted>,
}

/// A connection that was accepted and is not served yet.
pub struct Accepted {
    pub stream: TcpStream,
    pub client: SocketAddr,
    /// The listener's port.
    pub port: u16,
    pub is_tls: bool,
    pub slot: Slot,
}

/// Counts a connection for as long as it lives.
pub struct Slot {
    connections: Arc<Connections>,
    worker: usize,
}

impl Connections {
    /// For so many workers, each with its queue.
    pub fn new(workers: usize, default_most: usize) -> (Arc<Self>, Vec<Queue>) {
        let (seats, queues): (Vec<_>, Vec<_>) = (0..workers)
            .map(|_| {
                let (queue, receiver) = mpsc::unbounded_channel();
                (Seat { open: AtomicUsize::new(0), queue }, receiver)
            })
            .unzip();
        let connections = Self { total: AtomicUsize::new(0), default_most, seats: seats.into() };
        (Arc::new(connections), queues)
    }

    /// Those of all workers.
    pub fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Those of each worker.
    pub fn by_worker(&self) -> impl Iterator<Item = usize> {
        self.seats.iter().map(|seat| seat.open.load(Ordering::Relaxed))
    }

    /// A place for one more at the worker that has fewest; at `own` where none has fewer. None where `most` are open,
    /// or as many as the process's files are enough for.
    pub fn admit(self: &Arc<Self>, own: usize, most: Option<usize>) -> Option<Slot> {
        if self.total.fetch_add(1, Ordering::Relaxed) >= most.unwrap_or(self.default_most) {
            self.total.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let counts = self.by_worker().enumerate();
        let (worker, _) = counts.min_by_key(|(worker, open)| (*open, *worker != own)).unwrap_or((own, 0));
        let slot = Slot { connections: self.clone(), worker };
        slot.count(1);
        Some(slot)
    }

    /// Gives the connection to the worker of its slot. Back it comes where that one takes no more.
    pub fn pass_on(&self, accepted: Accepted) -> Result<(), Accepted> {
        match self.seats.get(accepted.slot.worker) {
            Some(seat) => seat.queue.send(accepted).map_err(|refused| refused.0),
            None => Err(accepted),
        }
    }
}

impl Slot {
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// Counts the connection for another worker.
    pub fn move_to(&mut self, worker: usize) {
        self.count(usize::MAX);
        self.worker = worker;
        self.count(1);
    }

    /// Adds to the worker's number, which wraps, so that the largest number takes one away.
    fn count(&self, number: usize) {
        if let Some(seat) = self.connections.seats.get(self.worker) {
            seat.open.fetch_add(number, Ordering::Relaxed);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.count(usize::MAX);
        self.connections.total.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(connections: &Connections) -> Vec<usize> {
        connections.by_worker().collect()
    }

    #[test]
    fn the_worker_that_has_fewest_serves_the_next_and_among_equals_the_one_that_accepted() {
        let (connections, _queues) = Connections::new(3, 100);
        let mut slots: Vec<Slot> = [1, 1, 1, 2].map(|own| connections.admit(own, None).unwrap()).into();
        assert_eq!(slots.iter().map(Slot::worker).collect::<Vec<_>>(), [1, 0, 2, 2]);
        slots.truncate(1);
        assert_eq!((counts(&connections), connections.total()), (vec![0, 1, 0], 1));
        slots[0].move_to(2);
        assert_eq!((counts(&connections), connections.total()), (vec![0, 0, 1], 1));
    }

    #[test]
    fn no_more_are_admitted_than_may_be_open() {
        let (connections, _queues) = Connections::new(2, 3);
        let two = [0, 0].map(|own| connections.admit(own, Some(2)).unwrap());
        assert!(connections.admit(0, Some(2)).is_none());
        let _third = connections.admit(0, None).unwrap();
        assert!(connections.admit(0, None).is_none());
        drop(two);
        assert!(connections.admit(1, Some(2)).is_some());
    }
}
