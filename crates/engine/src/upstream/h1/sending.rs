//! The request on its way out: its head and body, written as the socket takes them.

use super::head::{self, Framing, RequestHead};
use crate::error::Kind;
use crate::http::BoxError;
use crate::snapshot::Timeouts;
use crate::upstream::pace::{Pace, Stage};
use crate::upstream::stream::Stream;
use crate::upstream::upload::{Piece, Upload};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use smallvec::SmallVec;
use std::io::{self, IoSlice};
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
    queue: SmallVec<[Bytes; 4]>,
    body_ended: bool,
    pace: Pace,
    /// Whether the socket has taken any byte.
    pub touched: bool,
}

impl Sending {
    /// A request with `head`, which has the framing of `upload`.
    pub fn new(head: RequestHead, upload: Upload) -> Self {
        let mut queue = SmallVec::new();
        queue.push(head.bytes.clone());
        Self { head, upload, queue, body_ended: false, pace: Pace::begin(), touched: false }
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
            let takes = !self.body_ended && self.queue.len() <= 1;
            let waits = takes && self.poll_body(context)?.is_pending();
            if let Err(error) = ready!(self.poll_queue(stream, context)) {
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

    /// Takes one piece of the body into the queue.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match ready!(self.upload.poll(context)).map_err(SendError::Client)? {
            Piece::Data(data) => {
                push_data(&mut self.queue, data, self.upload.framing);
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
            self.queue.push(head::last_chunk(trailers.as_ref()));
        }
    }

    fn poll_queue(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            let written = match self.queue.as_slice() {
                [bytes] => ready!(Pin::new(&mut *stream).poll_write(context, bytes))?,
                queue => {
                    let slices: SmallVec<[IoSlice<'_>; 8]> =
                        queue.iter().map(|bytes| IoSlice::new(bytes)).collect();
                    ready!(Pin::new(&mut *stream).poll_write_vectored(context, &slices))?
                }
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.touched = true;
            self.forget(written);
            self.pace.set(Stage::AwaitsUpstream);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what was written off the queue.
    fn forget(&mut self, mut written: usize) {
        let mut gone = 0;
        for bytes in &mut self.queue {
            let length = written.min(bytes.len());
            bytes.advance(length);
            written -= length;
            if !bytes.is_empty() {
                break;
            }
            gone += 1;
        }
        self.queue.drain(..gone);
    }
}

fn push_data(queue: &mut SmallVec<[Bytes; 4]>, data: Bytes, framing: Framing) {
    if framing == Framing::Chunked {
        queue.push(format!("{:x}\r\n", data.len()).into());
        queue.push(data);
        queue.push(Bytes::from_static(b"\r\n"));
    } else {
        queue.push(data);
    }
}
