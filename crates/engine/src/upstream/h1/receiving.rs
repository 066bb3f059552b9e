//! A response's body on its way in: every piece within the read timeout, the rest of the request sent meanwhile, and
//! the connection back to the pool when the last piece has come.

use super::connection::{Connection, Reply};
use super::sending::Sending;
use crate::http::h1::{ChunkDecoder, ChunkPiece, Framing};
use crate::http::{Body, BoxError, trailers};
use crate::server::Worker;
use crate::snapshot::Keepalive;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// What is still to come.
enum Left {
    Length(u64),
    Chunked(ChunkDecoder),
    UntilClose,
    Nothing,
}

pub struct Receiving {
    left: Left,
    /// Taken when the body has ended; dropped with the body, and so closed, when it has not.
    connection: Option<Box<Connection>>,
    unsent: Option<Box<Sending>>,
    reusable: bool,
    /// What broke the body off, while what came before it is on its way to the client.
    broken: Option<BoxError>,
    worker: Rc<Worker>,
    keepalive: Keepalive,
    patience: Duration,
}

impl Receiving {
    /// The body of `reply`. Where there is none the connection goes back to the pool at once.
    pub fn body(reply: Reply, worker: Rc<Worker>, keepalive: Keepalive, read_ms: u64) -> Body {
        let left = match reply.framing {
            Framing::None => Left::Nothing,
            Framing::Length(length) => Left::Length(length),
            Framing::Chunked => Left::Chunked(ChunkDecoder::default()),
            Framing::UntilClose => Left::UntilClose,
        };
        let mut receiving = Self {
            left,
            connection: Some(reply.connection),
            unsent: reply.unsent,
            reusable: reply.keep_alive,
            broken: None,
            worker,
            keepalive,
            patience: Duration::from_millis(read_ms),
        };
        // What has come whole with the head needs no watching, and its connection may serve others.
        match (&receiving.left, &mut receiving.connection) {
            (Left::Nothing, _) => {
                receiving.release();
                Body::Empty
            }
            (Left::Length(length), Some(connection)) if connection.inbox.buffer.len() as u64 >= *length => {
                // It fits the buffer's length, which is a usize.
                let body = connection.inbox.buffer.split_to(*length as usize).freeze();
                receiving.release();
                Body::Bytes(body)
            }
            _ => Body::stream(receiving),
        }
    }

    fn release(&mut self) {
        self.left = Left::Nothing;
        let Some(connection) = self.connection.take() else { return };
        // A request that has not left wholly, or an answer that says more than it should, ends the connection.
        if self.reusable && self.unsent.is_none() && connection.inbox.buffer.is_empty() {
            self.worker.pool.put(connection, &self.keepalive);
        }
    }

    /// Ends the body with an error, one turn later: so what has come before it is not lost with the connection.
    fn fail(
        &mut self,
        why: impl Into<BoxError>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.connection = None;
        self.left = Left::Nothing;
        self.broken = Some(why.into());
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// What is at hand in the buffer; none where more has to be read.
    fn take(&mut self) -> Result<Option<Frame<Bytes>>, BoxError> {
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let buffer = &mut connection.inbox.buffer;
        let frame = match &mut self.left {
            Left::Nothing => None,
            _ if buffer.is_empty() => None,
            Left::UntilClose => Some(Frame::data(buffer.split().freeze())),
            Left::Length(left) => {
                let length = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
                *left -= length as u64;
                Some(Frame::data(buffer.split_to(length).freeze()))
            }
            Left::Chunked(decoder) => match decoder.next(buffer)? {
                ChunkPiece::Data(data) => Some(Frame::data(data)),
                ChunkPiece::End(trailers) => trailers.and_then(passable),
                ChunkPiece::Incomplete => None,
            },
        };
        let has_ended = match &self.left {
            Left::Length(left) => *left == 0,
            Left::Chunked(decoder) => decoder.has_ended(),
            Left::UntilClose | Left::Nothing => false,
        };
        if has_ended {
            self.release();
        }
        Ok(frame)
    }

    fn send_rest(&mut self, context: &mut Context<'_>) {
        let (Some(sending), Some(connection)) = (&mut self.unsent, &mut self.connection) else { return };
        match sending.poll(&mut connection.stream, context) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.unsent = None,
            // The answer is on its way; only the connection cannot serve another one.
            Poll::Ready(Err(_)) => {
                self.unsent = None;
                self.reusable = false;
            }
        }
    }
}

/// Trailers as they may go on; none where nothing is left.
fn passable(mut trailers: HeaderMap) -> Option<Frame<Bytes>> {
    trailers::strip(&mut trailers);
    (!trailers.is_empty()).then(|| Frame::trailers(trailers))
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
        self.send_rest(context);
        loop {
            match self.take() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) => {}
                Err(error) => return self.fail(error, context),
            }
            if let Left::Nothing = self.left {
                return Poll::Ready(None);
            }
            let patience = self.patience;
            let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
            let filled = connection.poll_fill(context);
            let Ok(filled) = connection.patience.bound(filled, patience, context) else {
                return self.fail("the upstream stopped in the middle of its answer", context);
            };
            match ready!(filled) {
                Ok(0) => match self.left {
                    Left::UntilClose => self.left = Left::Nothing,
                    _ => return self.fail("the upstream closed in the middle of its answer", context),
                },
                Ok(_) => {}
                Err(error) => return self.fail(error, context),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.left, Left::Nothing) && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Left::Nothing if self.broken.is_none() => SizeHint::with_exact(0),
            Left::Nothing => SizeHint::default(),
            Left::Length(left) => SizeHint::with_exact(left),
            Left::Chunked(_) | Left::UntilClose => SizeHint::default(),
        }
    }
}
