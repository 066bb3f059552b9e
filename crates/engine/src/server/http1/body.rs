//! The body of a client's request, read from the connection as the exchange asks for it.

use super::request::Unread;
use super::wire::Wire;
use crate::http::{Body, BoxError};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};

struct Incoming<S>(Rc<RefCell<Wire<S>>>);

/// The body of the request under way. One that has come with its head is in memory.
pub fn body<S>(wire: &Rc<RefCell<Wire<S>>>) -> Body
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut reading = wire.borrow_mut();
    match reading.unread {
        Unread::Nothing => Body::Empty,
        _ => match reading.take_whole() {
            Some(bytes) => Body::Bytes(bytes),
            None => Body::stream(Incoming(wire.clone())),
        },
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> http_body::Body for Incoming<S> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.borrow_mut().poll_body(context)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0.borrow().unread, Unread::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match self.0.borrow().unread {
            Unread::Nothing => SizeHint::with_exact(0),
            Unread::Length(left) => SizeHint::with_exact(left),
            Unread::Chunked(_) | Unread::Broken => SizeHint::default(),
        }
    }
}
