//! What a connection is doing: requests under way, when it did something last, and how many requests its client gave
//! up. Decides when a connection is idle, abusive, or may be closed in a drain.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long a connection may still bring a request after the drain has begun, counted from its last one. A client that
/// was about to send is then told by `Connection: close` instead of a reset.
pub const GRACE: Duration = Duration::from_secs(1);

/// Requests given up that any client may have; beyond them no more than half may be (rapid reset, CVE-2023-44487).
const ABANDONED: u64 = 100;

pub struct Activity {
    under_way: Cell<u64>,
    ended: Cell<u64>,
    abandoned: Cell<u64>,
    last: Cell<Instant>,
    stopping: Cell<bool>,
    abused: Notify,
}

/// A request under way, until its answer has gone wholly; dropped without [`UnderWay::answered`] it was given up by the
/// client.
pub struct UnderWay {
    activity: Rc<Activity>,
    is_answered: Cell<bool>,
}

impl Activity {
    pub fn begin() -> Rc<Self> {
        Rc::new(Self {
            under_way: Cell::new(0),
            ended: Cell::new(0),
            abandoned: Cell::new(0),
            last: Cell::new(Instant::now()),
            stopping: Cell::new(false),
            abused: Notify::new(),
        })
    }

    /// Counts a request until the guard is dropped.
    pub fn request(self: &Rc<Self>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        UnderWay { activity: self.clone(), is_answered: Cell::new(false) }
    }

    /// Says that the connection is to end.
    pub fn stop(&self) {
        self.stopping.set(true);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// When the connection has had its chance to bring another request.
    pub fn grace_ends(&self) -> Instant {
        self.last.get() + GRACE
    }

    /// When the connection has been without a request for `limit`; none while it has one.
    pub fn idle_since(&self) -> Option<Instant> {
        (self.under_way.get() == 0).then(|| self.last.get())
    }

    /// Returns when the client has given up too many of its requests.
    pub async fn abused(&self) {
        self.abused.notified().await;
    }
}

impl UnderWay {
    pub fn answered(&self) {
        self.is_answered.set(true);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Self { activity, is_answered } = self;
        activity.under_way.set(activity.under_way.get() - 1);
        activity.ended.set(activity.ended.get() + 1);
        activity.last.set(Instant::now());
        if !is_answered.get() {
            activity.abandoned.set(activity.abandoned.get() + 1);
            let abandoned = activity.abandoned.get();
            if abandoned > ABANDONED && abandoned * 2 > activity.ended.get() {
                activity.abused.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_abused(activity: &Activity) -> bool {
        let waker = std::task::Waker::noop();
        std::pin::pin!(activity.abused()).poll(&mut std::task::Context::from_waker(waker)).is_ready()
    }

    #[test]
    fn a_client_that_gives_up_most_requests_is_abusive() {
        let activity = Activity::begin();
        (0..ABANDONED).for_each(|_| drop(activity.request()));
        assert!(!is_abused(&activity));
        drop(activity.request());
        assert!(is_abused(&activity));
    }

    #[test]
    fn a_client_that_gives_up_a_few_of_many_requests_is_not() {
        let activity = Activity::begin();
        for _ in 0..2 * ABANDONED {
            activity.request().answered();
            drop(activity.request());
        }
        assert!(!is_abused(&activity));
    }

    #[test]
    fn a_connection_is_idle_once_the_answer_has_gone() {
        let activity = Activity::begin();
        let request = activity.request();
        assert_eq!(activity.idle_since(), None);
        request.answered();
        assert_eq!(activity.idle_since(), None);
        drop(request);
        assert!(activity.idle_since().is_some());
    }
}
