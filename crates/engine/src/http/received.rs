//! The body of a client's request, as large and as slow as the limits allow.
//!
//! The exchange puts it around what the listener hands over; whoever reads the body then gets [`BodyFault`] as its error
//! where the client keeps to no limit, and `ProxyError::of_client_body` tells it from a body that broke off.

use super::{Body, BoxError};
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BodyFault {
    #[error("the body has more than {0} bytes")]
    TooLarge(u64),
    #[error("nothing of the body came for {0:?}")]
    Stalled(Duration),
}

/// A body within limits.
pub struct Received {
    body: Body,
    /// The most bytes, and those that may still come.
    limit: Option<(u64, u64)>,
    /// None: somebody else watches.
    patience: Option<Duration>,
    /// Made at the first wait, since most bodies come with their head.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Received {
    /// `body` with at most `limit` bytes and at most `patience` between two pieces. One that has come wholly is left as it
    /// is: its length is known to be within the limit.
    pub fn within(body: Body, limit: Option<u64>, patience: Duration) -> Body {
        match body {
            Body::Empty | Body::Bytes(_) => body,
            body => Self::watched(body, limit, Some(patience)),
        }
    }

    /// `body` with at most `limit` bytes, however slowly they come.
    pub fn at_most(body: Body, limit: u64) -> Body {
        Self::watched(body, Some(limit), None)
    }

    fn watched(body: Body, limit: Option<u64>, patience: Option<Duration>) -> Body {
        if body.is_end_stream() {
            return body;
        }
        let limit = limit.map(|limit| (limit, limit));
        Body::stream(Self { body, limit, patience, timer: None, waiting: false })
    }

    /// After how long it has stalled, if it has.
    fn has_stalled(&mut self, context: &mut Context<'_>) -> Option<Duration> {
        let patience = self.patience?;
        let deadline = Instant::now() + patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !std::mem::replace(&mut self.waiting, true) {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(context).is_ready().then_some(patience)
    }

    fn count(&mut self, frame: &Frame<Bytes>) -> Result<(), BodyFault> {
        if let (Some((limit, left)), Some(data)) = (&mut self.limit, frame.data_ref()) {
            *left = left.checked_sub(data.len() as u64).ok_or(BodyFault::TooLarge(*limit))?;
        }
        Ok(())
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => match self.has_stalled(context) {
                Some(patience) => {
                    // Whoever has more patience may ask again.
                    self.waiting = false;
                    Poll::Ready(Some(Err(BodyFault::Stalled(patience).into())))
                }
                None => Poll::Pending,
            },
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = false;
                let counted = self.count(&frame);
                Poll::Ready(Some(counted.map(|()| frame).map_err(Into::into)))
            }
            Poll::Ready(other) => Poll::Ready(other),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
