//! A request sent on a stream, until its response's head has come; and what it means where none comes.

use super::connection::Lease;
use super::sending::{SendError, Sending};
use crate::error::{Kind, ProxyError};
use crate::patience::Patience;
use crate::snapshot::Timeouts;
use crate::upstream::delivery::Failure;
use crate::upstream::upload::Upload;
use ::h2::client::ResponseFuture;
use ::h2::{Error, Reason, RecvStream};
use http::request;
use http::response::Parts;
use http::{Request, Response};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A response's head, and the stream that its body comes on.
pub struct Reply {
    pub parts: Parts,
    pub stream: RecvStream,
    pub lease: Lease,
    /// The request's body where it has not gone wholly yet.
    pub unsent: Option<Sending>,
    /// Bytes of the request's body so far.
    pub received: u64,
}

/// What went wrong.
struct Broken {
    kind: Kind,
    detail: String,
    /// The peer says that nobody has seen the request (RFC 9113, section 8.7).
    is_unseen: bool,
    /// The connection has ended.
    is_closed: bool,
}

/// Sends a request to the node `label` and waits for the head of its response.
pub async fn send(
    lease: Lease,
    head: request::Parts,
    upload: Upload,
    timeouts: &Timeouts,
    label: &str,
) -> Result<Reply, Failure> {
    let is_idempotent = head.method.is_idempotent();
    let is_sent = upload.is_at_end();
    let failed = |broken: Broken, upload: Upload, lease: &Lease| {
        let may_repeat =
            is_idempotent && !broken.kind.is_of_client() && broken.kind != Kind::UpstreamProtocol;
        let repeatable = upload.can_repeat() && (broken.is_unseen || may_repeat);
        // A connection that is closed may have been so before, unless it was made for this request.
        let again = repeatable && (broken.is_unseen || (broken.is_closed && !lease.is_first));
        let detail = format!("{label}: {}", broken.detail);
        let error = ProxyError { kind: broken.kind, detail, retry: repeatable };
        Failure { error, upload: Box::new(upload), again }
    };
    let (mut response, stream) = match lease.sender().send_request(Request::from_parts(head, ()), is_sent) {
        Ok(begun) => begun,
        Err(error) => return Err(failed(Broken::before_sending(&error), upload, &lease)),
    };
    let mut sending = Sending::new(stream, upload, is_sent);
    let mut patience = Patience::default();
    let head =
        poll_fn(|context| poll_head(&mut response, &mut sending, &mut patience, timeouts, context)).await;
    match head {
        Ok(response) => {
            let (parts, stream) = response.into_parts();
            let received = sending.upload.received;
            let unsent = (!sending.is_sent()).then_some(sending);
            Ok(Reply { parts, stream, lease, unsent, received })
        }
        Err(broken) => {
            if matches!(broken.kind, Kind::SendTimeout | Kind::ReadTimeout) {
                lease.retire();
            }
            Err(failed(broken, sending.upload, &lease))
        }
    }
}

fn poll_head(
    response: &mut ResponseFuture,
    sending: &mut Sending,
    patience: &mut Patience,
    timeouts: &Timeouts,
    context: &mut Context<'_>,
) -> Poll<Result<Response<RecvStream>, Broken>> {
    if let Poll::Ready(Err(SendError::Client(error))) = sending.poll(context) {
        let ProxyError { kind, detail, .. } = ProxyError::of_client_body(error.as_ref());
        return Poll::Ready(Err(Broken::new(kind, detail)));
    }
    // An upstream that takes no more may have answered before, so what comes back decides.
    if let Poll::Ready(head) = Pin::new(response).poll(context) {
        return Poll::Ready(head.map_err(|error| Broken::of(&error)));
    }
    let (deadline, kind) = sending.deadline(timeouts);
    match patience.has_passed(deadline.into(), context) {
        true => Poll::Ready(Err(Broken::new(kind, "no progress in time".to_owned()))),
        false => Poll::Pending,
    }
}

impl Broken {
    fn new(kind: Kind, detail: String) -> Self {
        Self { kind, detail, is_unseen: false, is_closed: false }
    }

    /// What a stream's error means.
    fn of(error: &Error) -> Self {
        let is_goaway = error.is_go_away() && error.is_remote();
        let is_refused =
            error.is_reset() && error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM);
        let kind = match () {
            () if is_goaway || error.is_io() => Kind::UpstreamClosed,
            () if error.is_reset() && error.is_remote() => Kind::UpstreamReset,
            () => Kind::UpstreamProtocol,
        };
        Self {
            kind,
            detail: error.to_string(),
            // `h2` gives a peer's GOAWAY to those streams only that it excludes; the others go on.
            is_unseen: is_goaway || is_refused,
            is_closed: is_goaway || error.is_io(),
        }
    }

    /// What the error of a request means that did not become a stream.
    fn before_sending(error: &Error) -> Self {
        Self { is_unseen: error.is_go_away() || error.is_io(), ..Self::of(error) }
    }
}
