//! When the head of a request began to come on an HTTP/1 connection. The stream tells it of bytes, and the connection
//! asks it whether a client takes too long; both are on one thread, but the stream may be handed over by hyper.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub struct HeadClock {
    origin: Instant,
    /// Microseconds since `origin` and one; 0: not a byte.
    began: AtomicU64,
}

impl HeadClock {
    pub fn new() -> Self {
        Self { origin: Instant::now(), began: AtomicU64::new(0) }
    }

    /// Bytes have come.
    pub fn hear(&self) {
        if self.began.load(Ordering::Relaxed) == 0 {
            let since = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX - 1);
            self.began.store(since + 1, Ordering::Relaxed);
        }
    }

    /// What came belonged to a request that is known by now.
    pub fn reset(&self) {
        self.began.store(0, Ordering::Relaxed);
    }

    /// When the first byte came of a head that is not complete.
    pub fn began(&self) -> Option<Instant> {
        let since = self.began.load(Ordering::Relaxed).checked_sub(1)?;
        self.origin.checked_add(Duration::from_micros(since))
    }
}
