//! HTTP/1.1 with a client (RFC 9112): a codec that runs in the connection's own task, with the exchange.
//!
//! No task and no channel stand between a connection and its exchange, a body that comes with its head is in memory, and
//! head and body of an answer leave in one write. [`conversation`] takes one request after the other, [`request`] reads
//! heads, [`body`] gives bodies to the exchange, [`response`] writes heads, [`wire`] is the connection that they share.
//! What both sides have in common is in `http::h1`. How long a client may take is watched here.

mod body;
mod conversation;
mod request;
mod response;
mod wire;

use super::activity::{Activity, GRACE};
use super::bell::Belled;
use super::opening::Opened;
use super::worker::Worker;
use crate::exchange::Arrival;
use conversation::Conversation;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use wire::Wire;

/// Answers requests on what was opened until either side ends it.
pub async fn serve<S>(
    worker: Rc<Worker>,
    opened: Opened<S>,
    arrival: Arrival,
    activity: Rc<Activity>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = worker.generation().limits.clone();
    let head = Duration::from_millis(limits.head_timeout_ms);
    let idle = Duration::from_millis(limits.idle_timeout_ms);
    let is_ending = Rc::new(Cell::new(false));
    let (stream, first) = opened.into_parts();
    let conversation = Conversation {
        worker,
        arrival,
        activity: activity.clone(),
        limits,
        stopped: stop.clone(),
        is_ending: is_ending.clone(),
        wire: Rc::new(RefCell::new(Wire::new(stream, first))),
    };
    let mut conversation = pin!(conversation.hold());
    // The conversation goes first: a request that has come is answered before the connection is asked to end.
    loop {
        // Whatever begins after this look cannot be late before the next one.
        let mut look_at = Instant::now() + head.min(idle);
        look_at = look_at.min(activity.patience_ends(head, idle).unwrap_or(look_at));
        if activity.is_stopping() && !is_ending.get() {
            look_at = look_at.min(activity.grace_ends());
        }
        let stops = pin!(async {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop), if !activity.is_stopping() => true,
                () = tokio::time::sleep_until(look_at.into()) => false,
            }
        });
        tokio::select! {
            biased;
            () = conversation.as_mut() => return,
            stops = Belled::new(stops) => if stops {
                activity.stop();
                continue;
            }
        }
        let now = Instant::now();
        if activity.patience_ends(head, idle).is_some_and(|end| end <= now) {
            break;
        }
        if activity.is_stopping() && activity.grace_ends() <= now {
            is_ending.set(true);
        }
    }
    is_ending.set(true);
    let _ = tokio::time::timeout(GRACE, conversation).await;
}
