//! A response's body on its way in from a stream, as fast as the client takes it; the rest of the request goes out
//! meanwhile, in a task of its own, so that neither direction waits for the other.

use super::connection::Lease;
use super::exchanging::Reply;
use super::sending::{SendError, Sending};
use crate::http::received::BodyFault;
use crate::http::{Body, BoxError, trailers};
use crate::patience::Patience;
use crate::snapshot::Timeouts;
use ::h2::{Error, Reason, RecvStream};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

#[derive(Clone, Copy, Eq, PartialEq)]
enum Left {
    Data,
    Trailers,
    Nothing,
}

pub struct Receiving {
    stream: RecvStream,
    left: Left,
    /// Bytes that are still to come, where the head tells.
    length: Option<u64>,
    lease: Lease,
    _upload: Option<Upload>,
    /// When the request last moved, or since when the client waits for more of the answer.
    moved: Rc<Cell<Instant>>,
    is_waiting: bool,
    limit: Duration,
    patience: Patience,
    /// What broke the body off, while what came before it is on its way to the client.
    broken: Option<BoxError>,
}

/// The rest of a request on its way out; it ends with this.
struct Upload(JoinHandle<()>);

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Receiving {
    /// The body of `reply`. Where there is none the stream has ended.
    pub fn body(reply: Reply, timeouts: &Timeouts) -> Body {
        if reply.stream.is_end_stream() {
            return Body::Empty;
        }
        let moved = Rc::new(Cell::new(Instant::now()));
        let upload = reply.unsent.map(|sending| Upload::start(sending, *timeouts, moved.clone()));
        let length = reply.parts.headers.get(CONTENT_LENGTH);
        Body::stream(Self {
            stream: reply.stream,
            left: Left::Data,
            // `h2` has checked that it is a number, and holds the body to it.
            length: length.and_then(|length| length.to_str().ok()?.parse().ok()),
            lease: reply.lease,
            _upload: upload,
            moved,
            is_waiting: false,
            limit: Duration::from_millis(timeouts.read_ms),
            patience: Patience::default(),
            broken: None,
        })
    }

    fn poll_stream(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Error>> {
        if self.left == Left::Data {
            if let Some(data) = ready!(self.stream.poll_data(context)).transpose()? {
                // The client's side takes the next frame only when it has room, so what was taken has gone on.
                let _ = self.stream.flow_control().release_capacity(data.len());
                self.length = self.length.map(|length| length.saturating_sub(data.len() as u64));
                return Poll::Ready(Ok(Some(Frame::data(data))));
            }
            self.left = Left::Trailers;
        }
        if self.left == Left::Trailers {
            let trailers = ready!(self.stream.poll_trailers(context))?;
            self.left = Left::Nothing;
            if let Some(mut trailers) = trailers {
                trailers::strip(&mut trailers);
                return Poll::Ready(Ok((!trailers.is_empty()).then(|| Frame::trailers(trailers))));
            }
        }
        Poll::Ready(Ok(None))
    }

    /// Ends the body with an error, one turn later: so what has come before it is not lost with the connection.
    fn fail(
        &mut self,
        why: BoxError,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.left = Left::Nothing;
        self.broken = Some(why);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The error as a client may learn of it: a reset of its own stream for the same reason, where that says the same to it.
fn told(error: Error) -> BoxError {
    match error.reason() {
        Some(Reason::CANCEL | Reason::ENHANCE_YOUR_CALM) if error.is_reset() && error.is_remote() => {
            error.into()
        }
        _ => error.to_string().into(),
    }
}

impl Upload {
    fn start(mut sending: Sending, timeouts: Timeouts, moved: Rc<Cell<Instant>>) -> Self {
        let upload = async move {
            let mut patience = Patience::default();
            let is_broken = poll_fn(|context| {
                let mut polled = sending.poll(context);
                // In a dialogue either side may be silent for as long as the other speaks.
                if let Poll::Ready(Err(SendError::Client(error))) = &polled
                    && matches!(error.downcast_ref(), Some(BodyFault::Stalled(_)))
                {
                    polled = sending.poll(context);
                }
                moved.set(moved.get().max(sending.moved()));
                match polled {
                    Poll::Ready(ended) => Poll::Ready(matches!(ended, Err(SendError::Client(_)))),
                    Poll::Pending => {
                        let (deadline, _) = sending.deadline(&timeouts);
                        if patience.has_passed(deadline.into(), context) {
                            Poll::Ready(true)
                        } else {
                            Poll::Pending
                        }
                    }
                }
            });
            if is_broken.await {
                sending.reset();
            }
        };
        Self(tokio::task::spawn_local(upload))
    }
}

impl http_body::Body for Receiving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match self.poll_stream(context) {
            Poll::Ready(Ok(frame)) => {
                self.is_waiting = false;
                Poll::Ready(frame.map(Ok))
            }
            Poll::Ready(Err(error)) => self.fail(told(error), context),
            Poll::Pending => {
                // The time that a slow client took before it asked for more is not the upstream's.
                if !std::mem::replace(&mut self.is_waiting, true) {
                    self.moved.set(Instant::now());
                }
                let deadline = self.moved.get() + self.limit;
                if self.patience.has_passed(deadline.into(), context) {
                    self.lease.retire();
                    return self.fail("the upstream stopped in the middle of its answer".into(), context);
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && (self.left == Left::Nothing || self.stream.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) if self.broken.is_none() => SizeHint::with_exact(length),
            _ => SizeHint::default(),
        }
    }
}
