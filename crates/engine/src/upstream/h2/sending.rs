//! A request's body on its way out on a stream, as far as flow control lets it.

use crate::error::Kind;
use crate::http::BoxError;
use crate::snapshot::Timeouts;
use crate::upstream::pace::{Pace, Stage};
use crate::upstream::upload::{Piece, Upload};
use ::h2::{Reason, SendStream};
use bytes::Bytes;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// A body that is being sent. Where it ends early the stream is reset, unless the upstream takes no more.
pub struct Sending {
    stream: SendStream<Bytes>,
    pub upload: Upload,
    /// What the stream has to take next.
    waiting: Bytes,
    pace: Pace,
}

/// Why sending ended early.
pub enum SendError {
    /// The client's body broke off.
    Client(BoxError),
    /// The upstream takes no more; what became of the stream is told with its response.
    Upstream,
}

impl Sending {
    /// The body of a request whose head has gone; `is_sent` where that was all.
    pub fn new(stream: SendStream<Bytes>, upload: Upload, is_sent: bool) -> Self {
        let mut pace = Pace::begin();
        if is_sent {
            pace.set(Stage::Sent);
        }
        Self { stream, upload, waiting: Bytes::new(), pace }
    }

    pub fn is_sent(&self) -> bool {
        self.pace.is_sent()
    }

    /// When the present stage has lasted too long, and what is then wrong.
    pub fn deadline(&self, timeouts: &Timeouts) -> (Instant, Kind) {
        self.pace.deadline(timeouts)
    }

    /// When it last moved.
    pub fn moved(&self) -> Instant {
        self.pace.since
    }

    /// Gives the stream up.
    pub fn reset(&mut self) {
        self.stream.send_reset(Reason::CANCEL);
    }

    /// Sends as much as can be sent now. Ready when all has gone.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        while !self.is_sent() {
            if !self.waiting.is_empty() {
                ready!(self.poll_waiting(context))?;
                continue;
            }
            // Also wakes this task when the upstream wants no more, while the client has nothing to give.
            if self.stream.poll_reset(context).is_ready() {
                return Poll::Ready(Err(SendError::Upstream));
            }
            let polled = self.upload.poll(context);
            if polled.is_pending() {
                self.pace.set(Stage::AwaitsClient);
            }
            match ready!(polled).map_err(SendError::Client)? {
                Piece::Data(data) => {
                    self.stream.reserve_capacity(data.len());
                    self.waiting = data;
                    self.pace.set(Stage::AwaitsUpstream);
                }
                Piece::End(trailers) => {
                    let sent = match trailers {
                        Some(trailers) => self.stream.send_trailers(trailers),
                        None => self.stream.send_data(Bytes::new(), true),
                    };
                    sent.map_err(|_| SendError::Upstream)?;
                    self.pace.set(Stage::Sent);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what the window has room for.
    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let mut capacity = self.stream.capacity();
        while capacity == 0 {
            capacity = match ready!(self.stream.poll_capacity(context)) {
                Some(Ok(capacity)) => capacity,
                Some(Err(_)) | None => return Poll::Ready(Err(SendError::Upstream)),
            };
        }
        let piece = self.waiting.split_to(capacity.min(self.waiting.len()));
        let is_last = self.waiting.is_empty() && self.upload.is_at_end();
        self.stream.send_data(piece, is_last).map_err(|_| SendError::Upstream)?;
        self.pace.set(if is_last { Stage::Sent } else { Stage::AwaitsUpstream });
        Poll::Ready(Ok(()))
    }
}
