//! One request after the other on a client's connection: its head, the exchange, its answer.

use super::body::body;
use super::request::{self, Asked};
use super::response;
use super::wire::Wire;
use crate::exchange::{self, Arrival};
use crate::http::h1::{Framing, last_chunk};
use crate::http::{Body, Request, Response};
use crate::server::upgrade::{Duplex, Handover, Upgrade};
use crate::server::worker::Worker;
use crate::server::{Activity, opening::Opened};
use crate::snapshot::Limits;
use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body::{Body as _, Frame};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// Pieces of an answer that are written together, at most.
const MOST_PIECES: usize = 16;

pub struct Conversation<S> {
    pub worker: Rc<Worker>,
    pub arrival: Arrival,
    pub activity: Rc<Activity>,
    pub limits: Limits,
    /// Tells of the stop also before the connection's task has had its turn to hear of it. Looking takes no lock.
    pub stopped: watch::Receiver<bool>,
    /// The connection ends with the request under way, or now where there is none.
    pub is_ending: Rc<Cell<bool>>,
    pub wire: Rc<RefCell<Wire<S>>>,
}

/// What comes after an answer.
enum Next {
    Request,
    /// The connection is closed when all has left.
    Close,
    /// The client has gone, or the answer broke off: whoever waits for more shall see that.
    Drop,
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Conversation<S> {
    /// Answers requests until either side ends the connection.
    pub async fn hold(self) {
        loop {
            let head = match poll_fn(|context| self.poll_head(context)).await {
                Ok(Some(head)) => head,
                Ok(None) => break,
                Err(refusal) => {
                    let answer = response::Head::refusal(refusal.status());
                    self.wire.borrow_mut().outbox.push(answer);
                    break;
                }
            };
            let request::Head { parts, body: unread, asked, expects, upgrades } = head;
            let body = {
                let mut wire = self.wire.borrow_mut();
                (wire.unread, wire.expects) = (unread, expects);
                drop(wire);
                body(&self.wire)
            };
            let mut arrival = self.arrival.clone();
            let handover = upgrades.then(|| {
                let (handover, upgrade) = Upgrade::prepare();
                arrival.upgrade = Some(upgrade);
                handover
            });
            let request = Request::from_parts(parts, body);
            let Some(response) = self.answer(request, arrival).await else { return };
            if response.status() == StatusCode::SWITCHING_PROTOCOLS
                && let Some(handover) = handover
            {
                return self.switch(response, &asked, handover).await;
            }
            match self.respond(response, &asked).await {
                Next::Request => self.wire.borrow_mut().rest(),
                Next::Close => break,
                Next::Drop => return,
            }
        }
        // The client's affair where it fails.
        let _ = poll_fn(|context| self.poll_end(context)).await;
    }

    fn poll_head(&self, context: &mut Context<'_>) -> Poll<Result<Option<request::Head>, request::Refusal>> {
        let head = self.wire.borrow_mut().poll_head(&self.limits, || self.activity.hear(), context);
        if head.is_pending() && self.is_ending.get() { Poll::Ready(Ok(None)) } else { head }
    }

    fn poll_end(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.wire.borrow_mut();
        ready!(wire.poll_flush(context))?;
        wire.poll_shutdown(context)
    }

    /// The exchange's answer; none where the client has gone before there was one.
    async fn answer(&self, request: Request, arrival: Arrival) -> Option<Response> {
        let mut running = pin!(exchange::run(&self.worker, request, arrival));
        poll_fn(|context| {
            if let Poll::Ready(response) = running.as_mut().poll(context) {
                return Poll::Ready(Some(response));
            }
            let mut wire = self.wire.borrow_mut();
            // The client may have to be told to go on before it sends its body.
            if !wire.outbox.is_empty() && matches!(wire.poll_flush(context), Poll::Ready(Err(_))) {
                return Poll::Ready(None);
            }
            wire.poll_gone(context).map(|()| None)
        })
        .await
    }

    /// Whether the gateway would keep the connection: it is not ending, and nobody has to read on through a body.
    fn may_stay(&self) -> bool {
        let is_ending =
            self.is_ending.get() || self.activity.is_stopping() || self.stopped.has_changed().unwrap_or(true);
        // A body that the exchange still holds may be read while the answer is on its way.
        !is_ending && (Rc::strong_count(&self.wire) > 1 || self.wire.borrow_mut().is_read())
    }

    async fn respond(&self, response: Response, asked: &Asked) -> Next {
        let (parts, body) = response.into_parts();
        let mut head = response::Head::new(&parts, &body, asked, self.may_stay());
        let mut answer = {
            let mut body = Some(body).filter(|_| head.framing != Framing::None);
            if let Some(bytes) = body.as_ref().and_then(response::small) {
                head.bytes.extend_from_slice(bytes);
                body = None;
            }
            self.wire.borrow_mut().outbox.push(head.bytes.freeze());
            Answer { body, framing: head.framing, trailers: head.trailers }
        };
        let sent = poll_fn(|context| self.poll_answer(&mut answer, context)).await;
        drop(answer);
        match sent {
            Err(_) => Next::Drop,
            Ok(()) if head.keep_alive && self.wire.borrow_mut().is_read() => Next::Request,
            Ok(()) => Next::Close,
        }
    }

    /// Writes the answer as it comes and as the client takes it.
    fn poll_answer(&self, answer: &mut Answer, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut waits = false;
            while answer.body.is_some() && !waits && self.wire.borrow().outbox.len() < MOST_PIECES {
                let Some(body) = &mut answer.body else { break };
                // Reading it may read on through the request's body, so the wire is not held meanwhile.
                match Pin::new(body).poll_frame(context) {
                    Poll::Pending => waits = true,
                    Poll::Ready(frame) => {
                        let frame = frame.transpose().map_err(io::Error::other)?;
                        answer.take(frame, &mut self.wire.borrow_mut())?;
                    }
                }
            }
            let mut wire = self.wire.borrow_mut();
            let flushed = wire.poll_flush(context)?;
            if answer.body.is_none() {
                return flushed.map(Ok);
            }
            if waits || flushed.is_pending() {
                let gone = || io::ErrorKind::ConnectionAborted.into();
                return wire.poll_gone(context).map(|()| Err(gone()));
            }
        }
    }

    /// Hands the connection over once the client has its answer.
    async fn switch(self, response: Response, asked: &Asked, handover: Handover) {
        let (parts, _) = response.into_parts();
        let head = response::Head::new(&parts, &Body::Empty, asked, false);
        self.wire.borrow_mut().outbox.push(head.bytes.freeze());
        if poll_fn(|context| self.wire.borrow_mut().poll_flush(context)).await.is_ok()
            && let Some(wire) = Rc::into_inner(self.wire)
        {
            let (stream, early) = wire.into_inner().into_parts();
            let stream: Box<dyn Duplex> = Box::new(Opened::new(early, stream));
            // Nobody waits for it where the upstream has gone already.
            let _ = handover.send(stream);
        }
    }
}

/// What is still to be sent of an answer.
struct Answer {
    body: Option<Body>,
    framing: Framing,
    trailers: Vec<::http::HeaderName>,
}

impl Answer {
    /// Puts a piece of the body where it leaves from. The error says that the body is not what its head says.
    fn take<S>(&mut self, frame: Option<Frame<Bytes>>, wire: &mut Wire<S>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match frame.map(Frame::into_data) {
            None => return self.end(None, wire),
            Some(Ok(data)) if data.is_empty() => {}
            Some(Ok(data)) => {
                if let Framing::Length(left) = &mut self.framing {
                    let too_long = || io::Error::other("the body is longer than its head says");
                    *left = left.checked_sub(data.len() as u64).ok_or_else(too_long)?;
                }
                wire.outbox.push_data(data, self.framing);
            }
            Some(Err(frame)) => return self.end(frame.into_trailers().ok(), wire),
        }
        let has_ended = self.body.as_ref().is_some_and(|body| body.is_end_stream());
        if has_ended { self.end(None, wire) } else { Ok(()) }
    }

    fn end<S>(&mut self, trailers: Option<HeaderMap>, wire: &mut Wire<S>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.body = None;
        match self.framing {
            Framing::Chunked => wire.outbox.push(last_chunk(self.allowed(trailers).as_ref())),
            Framing::Length(1..) => return Err(io::Error::other("the body is shorter than its head says")),
            Framing::None | Framing::Length(_) | Framing::UntilClose => {}
        }
        Ok(())
    }

    /// Those that were announced.
    fn allowed(&self, trailers: Option<HeaderMap>) -> Option<HeaderMap> {
        let mut trailers = trailers?;
        crate::http::trailers::remove(&mut trailers, |name| !self.trailers.contains(name));
        (!trailers.is_empty()).then_some(trailers)
    }
}
