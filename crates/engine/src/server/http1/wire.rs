//! A client's connection as one exchange after the other sees it: heads and bodies read, answers written. The body of a
//! request holds on to it while the exchange reads, so it is shared within the worker's thread.

use super::request::{self, Head, Refusal, Unread};
use crate::http::h1::{ChunkPiece, Inbox, Outbox};
use crate::http::{BoxError, trailers};
use crate::snapshot::Limits;
use ::http::HeaderMap;
use bytes::{Bytes, BytesMut};
use http_body::Frame;
use std::io;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite};

const CONTINUE: Bytes = Bytes::from_static(b"HTTP/1.1 100 Continue\r\n\r\n");

pub struct Wire<S> {
    stream: S,
    inbox: Inbox,
    /// Bytes at its start that are no whole head.
    looked_at: usize,
    pub outbox: Outbox,
    /// Of the body of the request under way.
    pub unread: Unread,
    /// The client waits for 100.
    pub expects: bool,
    /// Whoever serves the connection, to be told when the body has been read by another task.
    server: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// `first` has been read of `stream` already.
    pub fn new(stream: S, first: BytesMut) -> Self {
        Self {
            stream,
            inbox: Inbox::new(first),
            looked_at: 0,
            outbox: Outbox::default(),
            unread: Unread::Nothing,
            expects: false,
            server: None,
        }
    }

    /// The next request's head; none where the client has closed. `hear` is called when a part of one has come.
    pub fn poll_head(
        &mut self,
        limits: &Limits,
        hear: impl Fn(),
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Head>, Refusal>> {
        loop {
            // A head is parsed again only when a further line has come, which bounds the work that drops can cause.
            let buffer = &mut self.inbox.buffer;
            let has_line = buffer.get(self.looked_at..).is_some_and(|new| new.contains(&b'\n'));
            if (has_line || buffer.len() >= limits.head_bytes)
                && let Some(head) = request::read(buffer, limits)?
            {
                self.looked_at = 0;
                return Poll::Ready(Ok(Some(head)));
            }
            self.looked_at = buffer.len();
            if self.looked_at > 0 {
                hear();
            }
            match ready!(self.poll_fill(context)) {
                Ok(0) | Err(_) => return Poll::Ready(Ok(None)),
                Ok(_) => {}
            }
        }
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inbox.poll_fill(&mut self.stream, context)
    }

    /// The next piece of the body.
    pub fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if std::mem::take(&mut self.expects) {
            self.outbox.push(CONTINUE);
            // Where it fails, so does reading.
            let _ = self.poll_flush(context);
        }
        loop {
            match self.take() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if matches!(self.unread, Unread::Nothing | Unread::Broken) => {
                    return Poll::Ready(None);
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(self.breaks_off(error)))),
            }
            match ready!(self.poll_fill(context)) {
                Ok(0) => {
                    let why = "the client closed in the middle of its body";
                    return Poll::Ready(Some(Err(self.breaks_off(why))));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(self.breaks_off(error)))),
            }
        }
    }

    fn breaks_off(&mut self, why: impl Into<BoxError>) -> BoxError {
        self.end(Unread::Broken);
        why.into()
    }

    fn end(&mut self, unread: Unread) {
        self.unread = unread;
        if let Some(server) = self.server.take() {
            server.wake();
        }
    }

    /// What of the body is at hand.
    fn take(&mut self) -> Result<Option<Frame<Bytes>>, BoxError> {
        let buffer = &mut self.inbox.buffer;
        match &mut self.unread {
            Unread::Length(_) if buffer.is_empty() => Ok(None),
            Unread::Length(left) => {
                let length = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
                let data = buffer.split_to(length).freeze();
                *left -= length as u64;
                if *left == 0 {
                    self.end(Unread::Nothing);
                }
                Ok(Some(Frame::data(data)))
            }
            Unread::Chunked(decoder) => Ok(match decoder.next(buffer)? {
                ChunkPiece::Data(data) => Some(Frame::data(data)),
                ChunkPiece::End(trailers) => {
                    self.end(Unread::Nothing);
                    trailers.and_then(passable)
                }
                ChunkPiece::Incomplete => None,
            }),
            Unread::Nothing | Unread::Broken => Ok(None),
        }
    }

    /// The whole body where it has come with its head.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        match self.unread {
            Unread::Length(length) if self.inbox.buffer.len() as u64 >= length => {
                // The client has not waited for 100 after all.
                self.expects = false;
                self.take().ok().flatten().and_then(|frame| frame.into_data().ok())
            }
            _ => None,
        }
    }

    /// Whether the body has been read to its end, by nobody if it came with its head.
    pub fn is_read(&mut self) -> bool {
        while let Ok(Some(_)) = self.take() {}
        matches!(self.unread, Unread::Nothing)
    }

    /// Ready when the client has gone while its request is under way; what it sends meanwhile is kept for later.
    pub fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.unread, Unread::Nothing) {
            self.server = Some(context.waker().clone());
            return Poll::Pending;
        }
        if !self.inbox.buffer.is_empty() {
            return Poll::Pending;
        }
        match ready!(self.poll_fill(context)) {
            Ok(0) | Err(_) => Poll::Ready(()),
            Ok(_) => Poll::Pending,
        }
    }

    /// Writes what waits.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, outbox, .. } = self;
        while !outbox.is_empty() {
            ready!(outbox.poll_write(stream, context))?;
        }
        std::pin::Pin::new(stream).poll_flush(context)
    }

    /// Says that nothing more comes.
    pub fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(context)
    }

    /// Another request may follow.
    pub fn rest(&mut self) {
        self.inbox.rest();
        self.server = None;
    }

    /// The stream, and what was read of it beyond the request.
    pub fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.inbox.buffer)
    }
}

/// Trailers as they may go on; none where nothing is left.
fn passable(mut trailers: HeaderMap) -> Option<Frame<Bytes>> {
    trailers::strip(&mut trailers);
    (!trailers.is_empty()).then(|| Frame::trailers(trailers))
}
