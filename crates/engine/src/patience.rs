//! How long something may take: one timer for the life of a connection, which costs next to nothing while all goes well.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A timer that is moved only to fire earlier; when it fires before the deadline of then, it is put off. So a deadline
/// that changes with every request touches the runtime's timers once in its length, not once a request.
#[derive(Default)]
pub struct Patience {
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when there has been no progress.
    waiting: Option<Instant>,
}

impl Patience {
    /// Whether `deadline` has passed; otherwise the task is woken when it has.
    pub fn has_passed(&mut self, deadline: Instant, context: &mut Context<'_>) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if deadline <= Instant::now() {
                return true;
            }
            timer.as_mut().reset(deadline);
        }
        false
    }

    /// `polled` as it is, unless it has been pending for longer than `limit` without a break.
    pub fn bound<T>(
        &mut self,
        polled: Poll<T>,
        limit: Duration,
        context: &mut Context<'_>,
    ) -> Result<Poll<T>, Expired> {
        if polled.is_ready() {
            self.waiting = None;
            return Ok(polled);
        }
        let since = *self.waiting.get_or_insert_with(Instant::now);
        if self.has_passed(since + limit, context) { Err(Expired) } else { Ok(Poll::Pending) }
    }
}

/// Nothing has happened for too long.
#[derive(Debug)]
pub struct Expired;
