//! The body of a request on its way to an upstream, piece by piece, and kept for a second try while it fits a bound.
//!
//! Whoever sends ([`super::h1`], [`super::h2`]) takes pieces and says how they look on the wire; nothing here knows.

use super::h1::Framing;
use crate::http::{Body, BoxError, trailers};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, header};
use http_body::Body as _;
use smallvec::SmallVec;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Bytes of a streamed body that are kept for a second try.
const REPLAY_BYTES: usize = 64 << 10;

/// One step of a body.
pub enum Piece {
    /// Never empty.
    Data(Bytes),
    /// The end, with the trailers that may go on.
    End(Option<HeaderMap>),
}

/// A body, its start included.
pub struct Upload {
    body: Body,
    /// How it is delimited where it needs to be.
    pub framing: Framing,
    /// What was taken from the body so far, while it may be sent again.
    replay: Option<SmallVec<[Bytes; 4]>>,
    kept: usize,
    /// Pieces of `replay` that have been given in this try.
    given: usize,
    /// Bytes taken from the client.
    pub received: u64,
    has_ended: bool,
    trailers: Option<HeaderMap>,
    /// Fields of the request's head, which no trailer may contradict. None: no trailer goes on at all.
    said: Option<Box<[HeaderName]>>,
}

impl Upload {
    /// The body of a request with this head. `may_trail` says that trailers go on though none are announced, as in HTTP/2.
    pub fn new(method: &Method, headers: &HeaderMap, body: Body, may_trail: bool) -> Self {
        let framing = framing(method, &body);
        let has_ended = matches!(framing, Framing::None | Framing::Length(0));
        let is_announced = || framing == Framing::Chunked && headers.contains_key(header::TRAILER);
        let trails = if may_trail { !has_ended } else { is_announced() };
        let said = trails.then(|| headers.keys().cloned().collect());
        Self {
            body,
            framing,
            replay: Some(SmallVec::new()),
            kept: 0,
            given: 0,
            received: 0,
            has_ended,
            trailers: None,
            said,
        }
    }

    /// Begins again with the first piece. Only while [`Self::can_repeat`].
    pub fn rewind(&mut self) {
        self.given = 0;
    }

    /// Whether all that was taken from the client is still here.
    pub fn can_repeat(&self) -> bool {
        self.replay.is_some()
    }

    /// Whether nothing but the end comes, without trailers.
    pub fn is_at_end(&self) -> bool {
        let has_ended = self.has_ended || self.body.is_end_stream();
        has_ended && self.trailers.is_none() && self.replayed().is_none()
    }

    fn replayed(&self) -> Option<&Bytes> {
        self.replay.as_ref()?.get(self.given)
    }

    /// The next piece. The error is the client's.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Piece, BoxError>> {
        if let Some(data) = self.replayed().cloned() {
            self.given += 1;
            return Poll::Ready(Ok(Piece::Data(data)));
        }
        while !self.has_ended {
            match ready!(Pin::new(&mut self.body).poll_frame(context)).transpose()? {
                None => self.has_ended = true,
                Some(frame) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => {
                        self.keep(&data);
                        return Poll::Ready(Ok(Piece::Data(data)));
                    }
                    Err(frame) => {
                        self.trailers =
                            frame.into_trailers().ok().and_then(|trailers| self.passable(trailers));
                        self.has_ended = true;
                    }
                },
            }
        }
        Poll::Ready(Ok(Piece::End(self.trailers.clone())))
    }

    fn keep(&mut self, data: &Bytes) {
        self.received += data.len() as u64;
        self.kept += data.len();
        self.given += 1;
        match &mut self.replay {
            Some(replay) if self.kept <= REPLAY_BYTES => replay.push(data.clone()),
            replay => *replay = None,
        }
    }

    /// Trailers without what the head says already: the gateway has checked that, and may have set it.
    fn passable(&self, mut trailers: HeaderMap) -> Option<HeaderMap> {
        let said = self.said.as_ref()?;
        trailers::remove(&mut trailers, |name| said.contains(name));
        (!trailers.is_empty()).then_some(trailers)
    }
}

/// The framing that a body needs. Methods that expect one say so when there is none (RFC 9110, section 8.6).
fn framing(method: &Method, body: &Body) -> Framing {
    match body.size_hint().exact() {
        _ if matches!(body, Body::Empty) => match *method {
            Method::POST | Method::PUT | Method::PATCH => Framing::Length(0),
            _ => Framing::None,
        },
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    }
}
