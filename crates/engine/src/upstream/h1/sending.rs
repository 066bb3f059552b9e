//! The request on its way out: its head and body, written as the socket takes them.

use super::head::RequestHead;
use crate::error::Kind;
use crate::http::BoxError;
use crate::http::h1::{Framing, Outbox, last_chunk};
use crate::snapshot::Timeouts;
use crate::upstream::pace::{Pace, Stage};
use crate::upstream::stream::Stream;
use crate::upstream::upload::{Piece, Upload};
use http::HeaderMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::AsyncWrite;

/// Why sending ended early.
#[derive(Debug)]
pub enum SendError {
    /// The client's body broke off.
    Client(BoxError),
    /// The upstream takes no more.
    Upstream(io::Error),
}

/// A request that is being sent.
pub struct Sending {
    pub head: RequestHead,
    pub upload: Upload,
    /// What the socket has to take next.
    outbox: Outbox,
    body_ended: bool,
    pace: Pace,
    /// Whether the socket has taken any byte.
    pub touched: bool,
}

impl Sending {
    /// A request with `head`, which has the framing of `upload`.
    pub fn new(head: RequestHead, upload: Upload) -> Self {
        let mut outbox = Outbox::default();
        outbox.push(head.bytes.clone());
        Self { head, upload, outbox, body_ended: false, pace: Pace::begin(), touched: false }
    }

    /// Whether the whole request has left.
    pub fn is_sent(&self) -> bool {
        self.pace.is_sent()
    }

    /// When the present state has lasted too long, and what is then wrong.
    pub fn deadline(&self, timeouts: &Timeouts) -> (Instant, Kind) {
        self.pace.deadline(timeouts)
    }

    /// Sends as much as can be sent now. Ready when all has left.
    pub fn poll(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            if self.is_sent() {
                return Poll::Ready(Ok(()));
            }
            // What a small body has at hand goes out with the head, in one write; more is taken only when that has left.
            let takes = !self.body_ended && self.outbox.len() <= 1;
            let waits = takes && self.poll_body(context)?.is_pending();
            if let Err(error) = ready!(self.poll_outbox(stream, context)) {
                return Poll::Ready(Err(SendError::Upstream(error)));
            }
            if self.body_ended {
                ready!(Pin::new(&mut *stream).poll_flush(context)).map_err(SendError::Upstream)?;
                self.pace.set(Stage::Sent);
            } else if waits {
                self.pace.set(Stage::AwaitsClient);
                let _ = Pin::new(&mut *stream).poll_flush(context).map_err(SendError::Upstream)?;
                return Poll::Pending;
            }
        }
    }

    /// Takes one piece of the body into the outbox.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match ready!(self.upload.poll(context)).map_err(SendError::Client)? {
            Piece::Data(data) => {
                self.outbox.push_data(data, self.upload.framing);
                self.pace.set(Stage::AwaitsUpstream);
                if self.upload.is_at_end() {
                    self.end(None);
                }
            }
            Piece::End(trailers) => self.end(trailers),
        }
        Poll::Ready(Ok(()))
    }

    fn end(&mut self, trailers: Option<HeaderMap>) {
        self.body_ended = true;
        if self.upload.framing == Framing::Chunked {
            let trailers = trailers.filter(|_| self.head.trails);
            self.outbox.push(last_chunk(trailers.as_ref()));
        }
    }

    fn poll_outbox(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_empty() {
            ready!(self.outbox.poll_write(stream, context))?;
            self.touched = true;
            self.pace.set(Stage::AwaitsUpstream);
        }
        Poll::Ready(Ok(()))
    }
}
