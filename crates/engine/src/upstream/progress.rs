//! How far the sending of a request has come, so that the right side is blamed when nothing moves: a client that is
//! slow to give its body costs the upstream no timeout.

use crate::error::{Kind, ProxyError};
use crate::http::{Body, BoxError};
use crate::snapshot::Timeouts;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// A client's body ends itself when the client is too slow (`http::received`), long before this.
const CLIENT_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Copy)]
enum State {
    /// The client has to give the next piece.
    AwaitsClient,
    /// The upstream has to take the last piece.
    AwaitsUpstream,
    /// All was given; the upstream has to answer.
    Sent,
    /// The client's body broke off, or left its limits.
    ClientFailed(Kind),
}

/// Shared by the body that is sent and the wait for the answer.
pub struct Progress {
    state: Cell<(State, Instant)>,
    bytes: Cell<u64>,
}

/// The request's body on its way upstream.
pub struct Sending {
    body: Body,
    progress: Rc<Progress>,
}

impl Progress {
    fn set(&self, state: State) {
        self.state.set((state, Instant::now()));
    }

    /// When the present state has lasted too long, and what is then wrong.
    pub fn deadline(&self, timeouts: &Timeouts) -> (Instant, Kind) {
        let (state, since) = self.state.get();
        let (patience, kind) = match state {
            State::AwaitsClient => (CLIENT_PATIENCE, Kind::BodyTimeout),
            State::ClientFailed(kind) => (CLIENT_PATIENCE, kind),
            State::AwaitsUpstream => (Duration::from_millis(timeouts.send_ms), Kind::SendTimeout),
            State::Sent => (Duration::from_millis(timeouts.read_ms), Kind::ReadTimeout),
        };
        (since + patience, kind)
    }

    /// What is wrong with the client's body, if that is what ended the sending.
    pub fn client_failure(&self) -> Option<Kind> {
        match self.state.get().0 {
            State::ClientFailed(kind) => Some(kind),
            _ => None,
        }
    }

    /// Bytes of the body taken from the client so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }
}

impl Sending {
    pub fn new(body: Body) -> (Self, Rc<Progress>) {
        let state = if body.is_end_stream() { State::Sent } else { State::AwaitsUpstream };
        let progress = Rc::new(Progress { state: Cell::new((state, Instant::now())), bytes: Cell::new(0) });
        (Self { body, progress: progress.clone() }, progress)
    }
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.progress.set(State::AwaitsClient);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.progress.bytes.set(self.progress.bytes.get() + length);
                let ended = self.body.is_end_stream();
                self.progress.set(if ended { State::Sent } else { State::AwaitsUpstream });
            }
            Some(Err(error)) => {
                let kind = ProxyError::of_client_body(error.as_ref()).kind;
                self.progress.set(State::ClientFailed(kind));
            }
            None => self.progress.set(State::Sent),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
