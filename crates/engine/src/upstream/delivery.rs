//! One request to one node: over an idle HTTP/1.1 connection, a stream of an HTTP/2 connection, or a new one of either;
//! and once more on another where nobody can have acted on it. Which node, and what follows a failure, is decided in
//! [`super::attempts`].

use super::connect::{self, Node};
use super::h2::{self, Group, Lease};
use super::prepare::Outline;
use super::upload::Upload;
use super::{Upstream, h1, prepare};
use crate::error::{Kind, ProxyError};
use crate::exchange::Exchange;
use crate::http::Body;
use crate::server::Worker;
use crate::snapshot::{Scheme, UpstreamDefinition};
use ::http::request;
use ::http::response::Parts;
use std::rc::Rc;
use std::time::Duration;

/// How often a request goes out again to the same node, since others may have been refused on its connections too.
const MOST_REPEATS: u32 = 3;

/// What nodes of an upstream are spoken to in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    Http1,
    Http2,
    /// Whichever a node chooses by ALPN.
    Negotiated,
}

impl Protocol {
    pub fn of(upstream: &UpstreamDefinition) -> Self {
        match upstream.scheme {
            Scheme::Http => Self::Http1,
            Scheme::Https if upstream.tls.as_ref().is_some_and(|tls| tls.http2) => Self::Negotiated,
            Scheme::Https => Self::Http1,
            Scheme::H2c | Scheme::Grpc | Scheme::Grpcs => Self::Http2,
        }
    }

    /// The names by which it is agreed on over TLS (RFC 7301); none: TLS says nothing of it.
    pub fn names(self) -> &'static [&'static [u8]] {
        match self {
            Self::Http1 => &[],
            Self::Http2 => &[b"h2"],
            Self::Negotiated => &[b"h2", b"http/1.1"],
        }
    }
}

/// Why a node gave no response.
pub struct Failure {
    pub error: ProxyError,
    /// The body, to be sent again where that is safe.
    pub upload: Box<Upload>,
    /// Whether the request should go out again on another connection to the same node.
    pub again: bool,
}

/// A response's head, and where its body comes from.
pub enum Answer {
    Http1(h1::Reply),
    Http2(Box<h2::Reply>),
}

impl Answer {
    pub fn parts(&mut self) -> &mut Parts {
        match self {
            Self::Http1(reply) => &mut reply.parts,
            Self::Http2(reply) => &mut reply.parts,
        }
    }

    /// Bytes of the request's body so far.
    pub fn received(&self) -> u64 {
        match self {
            Self::Http1(reply) => reply.received,
            Self::Http2(reply) => reply.received,
        }
    }

    /// The body. Where there is none the connection is free again at once.
    pub fn into_body(self, worker: &Rc<Worker>, upstream: &Upstream) -> Body {
        let timeouts = &upstream.timeouts;
        match self {
            Self::Http1(reply) => {
                h1::Receiving::body(reply, worker.clone(), upstream.keepalive, timeouts.read_ms)
            }
            Self::Http2(reply) => h2::Receiving::body(*reply, timeouts),
        }
    }
}

/// What a request goes out on.
enum Way {
    Http1(Box<h1::Connection>),
    Http2(Lease),
}

/// Sends the exchange's request to `node`. What is left of the body where that fails is put into `upload`, from where it
/// is taken when there was an attempt before.
pub async fn deliver(
    exchange: &mut Exchange,
    upstream: &Upstream,
    node: &Node,
    outline: &Outline,
    upload: &mut Option<Upload>,
) -> Result<Answer, ProxyError> {
    prepare::name_host(exchange, upstream, node);
    let body = upload.take().unwrap_or_else(|| prepare::upload(exchange, upstream));
    bring(&exchange.worker, &exchange.request, upstream, node, outline, body).await.map_err(|failure| {
        *upload = Some(*failure.upload);
        failure.error
    })
}

/// Sends `request` with `body` to `node`, over what `worker` has of connections.
pub async fn bring(
    worker: &Worker,
    request: &request::Parts,
    upstream: &Upstream,
    node: &Node,
    outline: &Outline,
    mut body: Upload,
) -> Result<Answer, Failure> {
    let mut repeats = 0;
    // Only connections later than this one are used; h2 counts them.
    let mut after = None;
    loop {
        body.rewind();
        let way = match find(worker, request, upstream, node, after).await {
            Ok(way) => way,
            Err(error) => return Err(Failure { error, upload: Box::new(body), again: false }),
        };
        after = Some(way.serial());
        match way.send(request, upstream, node, outline, body).await {
            Err(failure) if failure.again && repeats < MOST_REPEATS => body = *failure.upload,
            outcome => return outcome,
        }
        repeats += 1;
    }
}

impl Way {
    fn serial(&self) -> u64 {
        match self {
            Self::Http1(_) => 0,
            Self::Http2(lease) => lease.serial(),
        }
    }

    async fn send(
        self,
        request: &request::Parts,
        upstream: &Upstream,
        node: &Node,
        outline: &Outline,
        upload: Upload,
    ) -> Result<Answer, Failure> {
        match self {
            Self::Http1(connection) => {
                let head = h1::RequestHead::new(
                    &request.method,
                    outline.uri.as_str(),
                    &request.headers,
                    &outline.lines,
                    upload.framing,
                );
                let sending = Box::new(h1::Sending::new(head, upload));
                connection.send(sending, &upstream.timeouts).await.map(Answer::Http1)
            }
            Self::Http2(lease) => {
                let head = match prepare::http2_head(request, upstream, outline, upload.framing) {
                    Ok(head) => head,
                    Err(error) => return Err(Failure { error, upload: Box::new(upload), again: false }),
                };
                let reply = h2::send(lease, head, upload, &upstream.timeouts, &node.label);
                reply.await.map(|reply| Answer::Http2(Box::new(reply)))
            }
        }
    }
}

/// A way to `node`, in use before unless `after` says that such a one has failed.
async fn find(
    worker: &Worker,
    request: &request::Parts,
    upstream: &Upstream,
    node: &Node,
    after: Option<u64>,
) -> Result<Way, ProxyError> {
    let pool = &worker.pool;
    let idle = || match after {
        None => pool.take(&node.pool_key, &upstream.keepalive),
        Some(_) => None,
    };
    // Only HTTP/1.1 can change its protocol on a connection (RFC 9113, section 8.6).
    if upstream.protocol == Protocol::Http1 || prepare::upgrades(request) {
        if let Some(connection) = idle() {
            return Ok(Way::Http1(connection));
        }
        let http1_only = upstream.tls_http1.as_ref().or(upstream.tls.as_ref());
        let stream = within(upstream, node, connect::open(node, http1_only)).await?;
        return Ok(Way::Http1(Box::new(h1::Connection::new(stream, node.clone()))));
    }
    let group = pool.multiplexed.group(&node.pool_key);
    if let Some(lease) = group.lease(&upstream.keepalive, after.unwrap_or_default()) {
        return Ok(Way::Http2(lease));
    }
    if upstream.protocol == Protocol::Negotiated
        && let Some(connection) = idle()
    {
        return Ok(Way::Http1(connection));
    }
    within(upstream, node, open(worker, upstream, node, &group, after.unwrap_or_default())).await
}

/// A new connection, unless somebody else's has room by the time it is this exchange's turn to open one.
async fn open(
    worker: &Worker,
    upstream: &Upstream,
    node: &Node,
    group: &Group,
    after: u64,
) -> Result<Way, ProxyError> {
    let _turn = match group.chose_http1.get() {
        true => None,
        // The semaphore is never closed.
        false => group.turn.acquire().await.ok(),
    };
    if let Some(lease) = group.lease(&upstream.keepalive, after) {
        return Ok(Way::Http2(lease));
    }
    let stream = connect::open(node, upstream.tls.as_ref()).await?;
    let is_http2 = upstream.protocol == Protocol::Http2 && !stream.is_tls() || stream.chose_http2();
    group.chose_http1.set(!is_http2);
    if is_http2 {
        let begun = h2::begin(stream).await.map_err(|error| {
            let kind = if error.is_io() { Kind::UpstreamClosed } else { Kind::UpstreamProtocol };
            ProxyError::before_sending(kind, format!("{}: HTTP/2: {error}", node.label))
        })?;
        return Ok(Way::Http2(worker.pool.multiplexed.add(group, begun, &upstream.keepalive)));
    }
    if upstream.protocol == Protocol::Http2 {
        let detail = format!("{}: it does not agree to HTTP/2", node.label);
        return Err(ProxyError::before_sending(Kind::UpstreamTls, detail));
    }
    Ok(Way::Http1(Box::new(h1::Connection::new(stream, node.clone()))))
}

/// What `connecting` gives within the time for it.
async fn within<T>(
    upstream: &Upstream,
    node: &Node,
    connecting: impl Future<Output = Result<T, ProxyError>>,
) -> Result<T, ProxyError> {
    let limit = Duration::from_millis(upstream.timeouts.connect_ms);
    tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
        let detail = format!("no connection to {} within {} ms", node.label, limit.as_millis());
        Err(ProxyError::before_sending(Kind::ConnectTimeout, detail))
    })
}
