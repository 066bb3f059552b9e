//! What a connection is doing: requests under way, when it did something last, and how many requests its client gave
//! up. Decides when a connection is idle, abusive, or may be closed in a drain.

use super::connections::Slot;
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
    /// When the first byte came of a head that is not complete, for HTTP/1.
    head_began: Cell<Option<Instant>>,
    /// Until the connection and all that came of it have ended.
    _slot: Option<Slot>,
}

/// A request under way, to the end of its response; dropped without [`UnderWay::set_answered`] it was given up by the
/// client.
pub struct UnderWay {
    activity: Rc<Activity>,
    is_answered: bool,
}

impl Activity {
    /// Of a connection that has done nothing yet; `slot` counts it.
    pub fn begin(slot: Option<Slot>) -> Rc<Self> {
        Rc::new(Self {
            under_way: Cell::new(0),
            ended: Cell::new(0),
            abandoned: Cell::new(0),
            last: Cell::new(Instant::now()),
            stopping: Cell::new(false),
            abused: Notify::new(),
            head_began: Cell::new(None),
            _slot: slot,
        })
    }

    /// Counts a request until the guard is dropped.
    pub fn request(self: &Rc<Self>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        self.head_began.set(None);
        UnderWay { activity: self.clone(), is_answered: false }
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

    /// Since when the connection has been without a request; none while it has one.
    pub fn idle_since(&self) -> Option<Instant> {
        (self.under_way.get() == 0).then(|| self.last.get())
    }

    /// When the client will have taken too long: `head` for a request's head, or `idle` without one. None while it has
    /// a request.
    pub fn patience_ends(&self, head: Duration, idle: Duration) -> Option<Instant> {
        let since = self.idle_since()?;
        Some(self.head_began.get().map_or(since + idle, |began| began + head))
    }

    /// A part of a head has come.
    pub fn hear(&self) {
        if self.head_began.get().is_none() {
            self.head_began.set(Some(Instant::now()));
        }
    }

    /// Returns when the client has given up too many of its requests.
    pub async fn abused(&self) {
        self.abused.notified().await;
    }
}

impl UnderWay {
    /// Says that there is a response.
    pub fn set_answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Self { activity, is_answered } = self;
        activity.under_way.set(activity.under_way.get() - 1);
        activity.ended.set(activity.ended.get() + 1);
        activity.last.set(Instant::now());
        activity.head_began.set(None);
        if !*is_answered {
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
        let activity = Activity::begin(None);
        (0..ABANDONED).for_each(|_| drop(activity.request()));
        assert!(!is_abused(&activity));
        drop(activity.request());
        assert!(is_abused(&activity));
    }

    #[test]
    fn a_client_that_gives_up_a_few_of_many_requests_is_not() {
        let activity = Activity::begin(None);
        for _ in 0..2 * ABANDONED {
            activity.request().set_answered();
            drop(activity.request());
        }
        assert!(!is_abused(&activity));
    }

    #[test]
    fn a_connection_is_idle_between_requests() {
        let activity = Activity::begin(None);
        let request = activity.request();
        assert_eq!(activity.idle_since(), None);
        drop(request);
        assert!(activity.idle_since().is_some());
    }
}
