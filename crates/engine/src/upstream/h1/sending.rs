//! The request on its way out: its head and body, written as the socket takes them, and kept for a second try while
//! they fit a bound.

use super::head::{Framing, RequestHead};
use crate::error::Kind;
use crate::http::{Body, BoxError};
use crate::snapshot::Timeouts;
use crate::upstream::stream::Stream;
use bytes::{Buf, Bytes};
use http::Method;
use http_body::Body as _;
use smallvec::SmallVec;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::AsyncWrite;

/// A client's body ends itself when the client is too slow (`http::received`), long before this.
const CLIENT_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of a streamed body that are kept for a second try.
const REPLAY_BYTES: usize = 64 << 10;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// The client has to give the next piece.
    AwaitsClient,
    /// The upstream has to take the last piece.
    AwaitsUpstream,
    /// All was given; the upstream has to answer.
    Sent,
}

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
    body: Body,
    pub framing: Framing,
    /// What the socket has to take next.
    queue: SmallVec<[Bytes; 4]>,
    /// What was taken from the body so far, while it may be sent again.
    replay: Option<SmallVec<[Bytes; 4]>>,
    kept: usize,
    /// Bytes of the body taken from the client.
    pub received: u64,
    body_ended: bool,
    state: State,
    since: Instant,
    /// Whether the socket has taken any byte in this try.
    pub touched: bool,
}

impl Sending {
    /// A request with `head`, whose framing is that of `body`.
    pub fn new(head: RequestHead, body: Body, framing: Framing) -> Self {
        let mut sending = Self {
            head,
            body,
            framing,
            queue: SmallVec::new(),
            replay: Some(SmallVec::new()),
            kept: 0,
            received: 0,
            body_ended: false,
            state: State::AwaitsUpstream,
            since: Instant::now(),
            touched: false,
        };
        sending.restart();
        sending
    }

    /// The framing that a body needs. Methods that expect one say so when there is none (RFC 9110, section 8.6).
    pub fn framing_of(method: &Method, body: &Body) -> Framing {
        match body.size_hint().exact() {
            _ if matches!(body, Body::Empty) => match *method {
                Method::POST | Method::PUT | Method::PATCH => Framing::Length(0),
                _ => Framing::None,
            },
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        }
    }

    /// Makes everything ready to be sent from the start with another head. Only while [`Self::can_repeat`].
    pub fn restart_with(&mut self, head: RequestHead) {
        self.head = head;
        self.restart();
    }

    /// Makes everything ready to be sent from the start. Only while [`Self::can_repeat`].
    pub fn restart(&mut self) {
        self.queue.clear();
        self.queue.push(self.head.bytes.clone());
        for data in self.replay.iter().flatten() {
            push_data(&mut self.queue, data.clone(), self.framing);
        }
        if self.body_ended {
            self.push_end();
        }
        self.touched = false;
        self.set(State::AwaitsUpstream);
    }

    /// Whether all that was taken from the client is still here.
    pub fn can_repeat(&self) -> bool {
        self.replay.is_some()
    }

    /// Whether the whole request has left.
    pub fn is_sent(&self) -> bool {
        self.state == State::Sent
    }

    fn set(&mut self, state: State) {
        if self.state != state || state == State::AwaitsUpstream {
            self.since = Instant::now();
        }
        self.state = state;
    }

    /// When the present state has lasted too long, and what is then wrong.
    pub fn deadline(&self, timeouts: &Timeouts) -> (Instant, Kind) {
        let (patience, kind) = match self.state {
            State::AwaitsClient => (CLIENT_PATIENCE, Kind::BodyTimeout),
            State::AwaitsUpstream => (Duration::from_millis(timeouts.send_ms), Kind::SendTimeout),
            State::Sent => (Duration::from_millis(timeouts.read_ms), Kind::ReadTimeout),
        };
        (self.since + patience, kind)
    }

    /// Sends as much as can be sent now. Ready when all has left.
    pub fn poll(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            if self.state == State::Sent {
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
                self.set(State::Sent);
            } else if waits {
                self.set(State::AwaitsClient);
                let _ = Pin::new(&mut *stream).poll_flush(context).map_err(SendError::Upstream)?;
                return Poll::Pending;
            }
        }
    }

    /// Takes one frame from the client into the queue.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if matches!(self.framing, Framing::None | Framing::Length(0)) {
            self.body_ended = true;
            return Poll::Ready(Ok(()));
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(frame) => frame.map_err(SendError::Client)?,
            None => {
                self.end();
                return Poll::Ready(Ok(()));
            }
        };
        // Trailers of a request are left out: an upstream that merges them would believe in headers nobody has checked.
        if let Ok(data) = frame.into_data() {
            self.received += data.len() as u64;
            self.keep(&data);
            push_data(&mut self.queue, data, self.framing);
            self.set(State::AwaitsUpstream);
        }
        if self.body.is_end_stream() {
            self.end();
        }
        Poll::Ready(Ok(()))
    }

    fn keep(&mut self, data: &Bytes) {
        self.kept += data.len();
        match &mut self.replay {
            Some(replay) if self.kept <= REPLAY_BYTES => replay.push(data.clone()),
            replay => *replay = None,
        }
    }

    fn end(&mut self) {
        self.body_ended = true;
        self.push_end();
    }

    fn push_end(&mut self) {
        if self.framing == Framing::Chunked {
            self.queue.push(Bytes::from_static(b"0\r\n\r\n"));
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
            self.set(State::AwaitsUpstream);
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
    if data.is_empty() {
        return;
    }
    if framing == Framing::Chunked {
        queue.push(format!("{:x}\r\n", data.len()).into());
        queue.push(data);
        queue.push(Bytes::from_static(b"\r\n"));
    } else {
        queue.push(data);
    }
}
