//! One connection to a node: a stream with what was read ahead, and the exchange of a request for a response's head.

use super::head::{self, ResponseHead};
use super::sending::{SendError, Sending};
use crate::error::{Kind, ProxyError};
use crate::http::h1::{Framing, Inbox};
use crate::patience::Patience;
use crate::snapshot::Timeouts;
use crate::upstream::connect::Node;
use crate::upstream::delivery::Failure;
use crate::upstream::stream::Stream;
use bytes::BytesMut;
use http::StatusCode;
use http::response::Parts;
use std::io;
use std::task::{Context, Poll, Waker};

pub struct Connection {
    pub stream: Stream,
    /// What was read and not yet taken.
    pub inbox: Inbox,
    pub node: Node,
    /// Requests sent on it.
    pub used: u64,
    /// Whether it comes out of the pool, and so may have been closed by the upstream meanwhile.
    pub pooled: bool,
    pub patience: Patience,
}

/// A response's head, and the connection that its body comes on.
pub struct Reply {
    pub parts: Parts,
    pub framing: Framing,
    pub keep_alive: bool,
    pub connection: Box<Connection>,
    /// The request where it has not left wholly yet.
    pub unsent: Option<Box<Sending>>,
    /// Bytes of the request's body so far.
    pub received: u64,
}

/// What went wrong, and whether it may be that nobody has seen the request.
struct Broken {
    kind: Kind,
    detail: String,
    closed: bool,
}

impl Connection {
    pub fn new(stream: Stream, node: Node) -> Self {
        let inbox = Inbox::new(BytesMut::new());
        Self { stream, inbox, node, used: 0, pooled: false, patience: Patience::default() }
    }

    /// Whether the upstream has neither closed it nor said anything unasked. Costs no system call while it is quiet.
    pub fn is_open(&mut self) -> bool {
        self.inbox.buffer.is_empty() && self.poll_fill(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Gives back the memory of large reads, for the time in the pool.
    pub fn rest(&mut self) {
        self.inbox.rest();
    }

    /// Reads more into the buffer. 0: the upstream has closed its side.
    pub fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inbox.poll_fill(&mut self.stream, context)
    }

    /// Sends a request and waits for the head of its response.
    pub async fn send(
        mut self: Box<Self>,
        mut sending: Box<Sending>,
        timeouts: &Timeouts,
    ) -> Result<Reply, Failure> {
        self.used += 1;
        let head = std::future::poll_fn(|context| self.poll_head(&mut sending, timeouts, context)).await;
        match head {
            Ok(ResponseHead { parts, framing, keep_alive }) => {
                let received = sending.upload.received;
                let unsent = (!sending.is_sent()).then_some(sending);
                Ok(Reply { parts, framing, keep_alive, connection: self, unsent, received })
            }
            Err(broken) => {
                let repeatable = !broken.kind.is_of_client()
                    && broken.kind != Kind::UpstreamProtocol
                    && sending.upload.can_repeat()
                    && (sending.head.is_idempotent || !sending.touched);
                let detail = format!("{}: {}", self.node.label, broken.detail);
                let error = ProxyError { kind: broken.kind, detail, retry: repeatable };
                // The upstream had closed the connection while it was idle.
                let again = repeatable && self.pooled && broken.closed;
                Err(Failure { error, upload: Box::new(sending.upload), again })
            }
        }
    }

    fn poll_head(
        &mut self,
        sending: &mut Sending,
        timeouts: &Timeouts,
        context: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, Broken>> {
        if let Poll::Ready(Err(SendError::Client(error))) = sending.poll(&mut self.stream, context) {
            let ProxyError { kind, detail, .. } = ProxyError::of_client_body(error.as_ref());
            return Poll::Ready(Err(Broken::new(kind, detail)));
        }
        // An upstream that takes no more may have answered before it closed, so an error of sending waits for reading.
        loop {
            let before = self.inbox.buffer.len();
            match self.poll_fill(context) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => {
                    let detail = "the connection was closed before an answer";
                    let closed = self.inbox.buffer.is_empty();
                    return Poll::Ready(Err(Broken { closed, ..Broken::new(Kind::UpstreamClosed, detail) }));
                }
                Poll::Ready(Err(error)) => {
                    let closed = self.inbox.buffer.is_empty();
                    return Poll::Ready(Err(Broken { closed, ..Broken::new(Kind::UpstreamClosed, error) }));
                }
                Poll::Ready(Ok(_)) => {}
            }
            // A head is parsed again only when a further line has come, which bounds the work that drops can cause.
            let has_line = self.inbox.buffer.get(before..).is_some_and(|new| new.contains(&b'\n'));
            if let Some(head) = self.take_head(sending, has_line)? {
                return Poll::Ready(Ok(head));
            }
        }
        let (deadline, kind) = sending.deadline(timeouts);
        match self.patience.has_passed(deadline.into(), context) {
            true => Poll::Ready(Err(Broken::new(kind, "no progress in time"))),
            false => Poll::Pending,
        }
    }

    /// The final response's head, where it has come. Interim responses are read over (RFC 9110, section 15.2).
    fn take_head(&mut self, sending: &Sending, has_line: bool) -> Result<Option<ResponseHead>, Broken> {
        if !has_line {
            return match self.inbox.buffer.len() > head::LONGEST_HEAD {
                true => Err(Broken::new(Kind::UpstreamProtocol, head::HeadError::TooLong)),
                false => Ok(None),
            };
        }
        loop {
            let head = head::read(&mut self.inbox.buffer, &sending.head);
            match head.map_err(|error| Broken::new(Kind::UpstreamProtocol, error))? {
                Some(head)
                    if head.parts.status == StatusCode::SWITCHING_PROTOCOLS && !sending.head.upgrades =>
                {
                    return Err(Broken::new(Kind::UpstreamProtocol, "it switches protocols unasked"));
                }
                Some(head) if is_interim(&head) => {}
                head => return Ok(head),
            }
        }
    }
}

fn is_interim(head: &ResponseHead) -> bool {
    head.parts.status.is_informational() && head.parts.status != StatusCode::SWITCHING_PROTOCOLS
}

impl Broken {
    fn new(kind: Kind, detail: impl ToString) -> Self {
        Self { kind, detail: detail.to_string(), closed: false }
    }
}
