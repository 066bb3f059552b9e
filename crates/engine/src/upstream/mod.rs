//! The way to an upstream: choose a node, take or make a connection, send the request, hand back the response.
//!
//! [`send`] is called by the exchange when its plugins are done. Connections are pooled per worker ([`pool`]), nodes
//! chosen by [`balance`], and every wait has an end ([`progress`], [`body`]).

mod balance;
mod body;
mod connect;
mod pool;
mod prepare;
mod progress;
mod tls;

pub use pool::Pool;

use crate::error::{Kind, ProxyError};
use crate::exchange::Exchange;
use crate::http::{Body, Response, headers};
use crate::snapshot::{Keepalive, PassHost, Scheme, Timeouts, UpstreamDefinition};
use ::http::HeaderValue;
use balance::RoundRobin;
use connect::Node;
use hyper::body::Incoming;
use pool::Connection;
use progress::{Progress, Sending};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An upstream, ready to be sent to.
pub struct Upstream {
    nodes: Vec<Node>,
    balancer: RoundRobin,
    pass_host: PassHost,
    upstream_host: Option<HeaderValue>,
    retries: u32,
    timeouts: Timeouts,
    keepalive: Keepalive,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Upstream {
    pub fn build(definition: &UpstreamDefinition) -> Result<Self, String> {
        let nodes: Result<Vec<_>, _> =
            definition.nodes.iter().map(|node| Node::build(definition, node)).collect();
        let host = definition.upstream_host.as_deref().map(HeaderValue::from_str).transpose();
        Ok(Self {
            nodes: nodes?,
            balancer: RoundRobin::new(definition.nodes.iter().map(|node| node.weight)),
            pass_host: definition.pass_host,
            upstream_host: host.map_err(|_| "upstream_host is not a valid Host".to_owned())?,
            retries: definition.retries,
            timeouts: definition.timeout,
            keepalive: definition.keepalive,
            tls: match definition.scheme {
                Scheme::Http => None,
                Scheme::Https => Some(tls::client_config(definition.tls_verify)?),
            },
        })
    }
}

/// Sends the exchange's request to a node of `upstream` and answers with its response, the body still streaming.
pub async fn send(
    exchange: &mut Exchange,
    upstream: &Arc<Upstream>,
    strip_prefix: &str,
    add_prefix: &str,
) -> Result<Response, ProxyError> {
    let uri = prepare::uri(exchange, strip_prefix, add_prefix)?;
    prepare::headers(exchange);
    let started = Instant::now();
    let mut attempts = upstream.retries + 1;
    let mut connection = loop {
        let node = upstream.balancer.next().and_then(|index| upstream.nodes.get(index));
        let node = node.ok_or_else(|| ProxyError::new(Kind::NoUpstreamNode, "every node has weight 0"))?;
        exchange.record.upstream = Some(node.label.clone());
        attempts -= 1;
        match connection(exchange, upstream, node).await {
            Ok(connection) => break connection,
            Err(error) if error.retry && attempts > 0 => exchange.worker.report(&error),
            Err(error) => return Err(error),
        }
    };
    let host = prepare::host(exchange, upstream, &connection.node);
    let (body, progress) = Sending::new(std::mem::replace(&mut exchange.body, Body::Empty));
    let mut request = ::http::Request::new(body);
    *request.method_mut() = exchange.request.method.clone();
    *request.uri_mut() = uri.into();
    *request.headers_mut() = std::mem::take(&mut exchange.request.headers);
    if let Some(host) = host {
        request.headers_mut().insert(::http::header::HOST, host);
    }
    let head = loop {
        match exchange_heads(&mut connection, request, &progress, &upstream.timeouts).await {
            Ok(head) => break head,
            // The pooled connection had been closed by the upstream, and nothing was sent on it.
            Err((_, Some(unsent))) if connection.pooled => {
                request = unsent;
                connection = connect(upstream, connection.node.clone()).await?;
            }
            Err((error, _)) => {
                exchange.record.bytes_received = progress.bytes();
                return Err(error);
            }
        }
    };
    exchange.record.bytes_received = progress.bytes();
    exchange.record.upstream_latency = Some(started.elapsed());
    Ok(respond(exchange, head, connection, upstream))
}

/// A connection to `node`: an idle one, or a new one.
async fn connection(
    exchange: &Exchange,
    upstream: &Arc<Upstream>,
    node: &Node,
) -> Result<Connection, ProxyError> {
    match exchange.worker.pool.take(&node.pool_key, &upstream.keepalive).await {
        Some(connection) => Ok(connection),
        None => connect(upstream, node.clone()).await,
    }
}

async fn connect(upstream: &Upstream, node: Node) -> Result<Connection, ProxyError> {
    let limit = Duration::from_millis(upstream.timeouts.connect_ms);
    match tokio::time::timeout(limit, connect::open(&node, upstream.tls.as_ref())).await {
        Ok(sender) => Ok(Connection { sender: sender?, node, used: 0, pooled: false }),
        Err(_) => {
            let detail = format!("no connection to {} within {} ms", node.label, limit.as_millis());
            Err(ProxyError::before_sending(Kind::ConnectTimeout, detail))
        }
    }
}

type Head = ::http::Response<Incoming>;
type Unsent = ::http::Request<Sending>;

/// Sends the request and waits for the response's head. Gives the request back where nothing of it was sent.
async fn exchange_heads(
    connection: &mut Connection,
    request: Unsent,
    progress: &Rc<Progress>,
    timeouts: &Timeouts,
) -> Result<Head, (ProxyError, Option<Unsent>)> {
    connection.used += 1;
    let label = connection.node.label.clone();
    let response = pin!(connection.sender.try_send_request(request));
    match wait(response, progress, timeouts).await {
        Ok(Ok(head)) => Ok(head),
        Ok(Err(mut error)) => {
            let unsent = error.take_message();
            let error = error.into_error();
            let of_upstream = if error.is_parse() { Kind::UpstreamProtocol } else { Kind::UpstreamClosed };
            let kind = progress.client_failure().unwrap_or(of_upstream);
            Err((ProxyError::new(kind, format!("{label}: {error}")), unsent))
        }
        Err(kind) => Err((ProxyError::new(kind, format!("{label} made no progress in time")), None)),
    }
}

/// Waits for `response` as long as the request's body makes progress and the upstream answers in time.
async fn wait<F: Future + Unpin>(
    mut response: F,
    progress: &Progress,
    timeouts: &Timeouts,
) -> Result<F::Output, Kind> {
    let mut timer = pin!(tokio::time::sleep_until(progress.deadline(timeouts).0.into()));
    loop {
        tokio::select! {
            biased;
            output = &mut response => return Ok(output),
            () = &mut timer => {
                let (deadline, kind) = progress.deadline(timeouts);
                if deadline <= Instant::now() {
                    return Err(kind);
                }
                timer.as_mut().reset(deadline.into());
            }
        }
    }
}

fn respond(exchange: &Exchange, head: Head, connection: Connection, upstream: &Upstream) -> Response {
    let (mut parts, incoming) = head.into_parts();
    headers::strip_hop_by_hop(&mut parts.headers);
    parts.version = ::http::Version::HTTP_11;
    let body = body::UpstreamBody::body(incoming, connection, exchange.worker.clone(), upstream);
    Response::from_parts(parts, body)
}
