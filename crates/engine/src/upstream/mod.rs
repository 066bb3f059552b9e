//! The way to an upstream: choose a node, take or make a connection, send the request, hand back the response.
//!
//! [`send`] is called by the exchange when its plugins are done. Connections are pooled per worker ([`pool`]), nodes
//! chosen by [`balance`], and [`h1`] speaks to them; every wait has an end.

mod balance;
mod connect;
mod h1;
mod pool;
mod prepare;
mod stream;
mod tls;
mod tunnel;

pub use pool::Pool;
pub use tunnel::Tunnel;

use crate::error::{CODE_HEADER, Kind, ProxyError};
use crate::exchange::Exchange;
use crate::http::{Body, Response, headers};
use crate::snapshot::{Keepalive, PassHost, Scheme, Timeouts, UpstreamDefinition};
use ::http::header::{CONNECTION, UPGRADE};
use ::http::uri::PathAndQuery;
use ::http::{HeaderValue, StatusCode};
use balance::RoundRobin;
use connect::Node;
use h1::{Connection, Receiving, Reply, Sending};
use hyper::upgrade::OnUpgrade;
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
    let mut attempts = upstream.retries.saturating_add(1);
    let mut sending = None;
    let reply = loop {
        let node = upstream.balancer.next().and_then(|index| upstream.nodes.get(index));
        let node = node.ok_or_else(|| ProxyError::new(Kind::NoUpstreamNode, "every node has weight 0"))?;
        exchange.record.upstream = Some(node.label.clone());
        attempts -= 1;
        match attempt(exchange, upstream, node, &uri, &mut sending).await {
            Ok(reply) => break reply,
            Err(error) if error.retry && attempts > 0 => exchange.worker.report(&error),
            Err(error) => {
                exchange.record.bytes_received = sending.map_or(0, |sending| sending.received);
                return Err(error);
            }
        }
    };
    exchange.record.bytes_received = reply.received;
    exchange.record.upstream_latency = Some(started.elapsed());
    match reply.parts.status {
        StatusCode::SWITCHING_PROTOCOLS => switch(exchange, reply, upstream),
        _ => Ok(respond(exchange, reply, upstream)),
    }
}

/// Sends the request to one node, once more on a new connection where an idle one turns out to be closed. `sending` is
/// the request while it is not on its way, made when there is a first connection.
async fn attempt(
    exchange: &mut Exchange,
    upstream: &Upstream,
    node: &Node,
    uri: &PathAndQuery,
    sending: &mut Option<Box<Sending>>,
) -> Result<Reply, ProxyError> {
    let mut connection = match exchange.worker.pool.take(&node.pool_key, &upstream.keepalive) {
        Some(connection) => connection,
        None => connect(upstream, node).await?,
    };
    let mut ready = prepare::sending(exchange, upstream, node, uri, sending.take());
    loop {
        match connection.send(ready, &upstream.timeouts).await {
            Ok(reply) => return Ok(reply),
            Err(failure) if failure.stale && failure.repeatable => {
                ready = failure.sending;
                ready.restart();
                connection = match connect(upstream, node).await {
                    Ok(connection) => connection,
                    Err(error) => {
                        *sending = Some(ready);
                        return Err(error);
                    }
                };
            }
            Err(failure) => {
                *sending = Some(failure.sending);
                return Err(failure.error);
            }
        }
    }
}

async fn connect(upstream: &Upstream, node: &Node) -> Result<Box<Connection>, ProxyError> {
    let limit = Duration::from_millis(upstream.timeouts.connect_ms);
    match tokio::time::timeout(limit, connect::open(node, upstream.tls.as_ref())).await {
        Ok(stream) => Ok(Box::new(Connection::new(stream?, node.clone()))),
        Err(_) => {
            let detail = format!("no connection to {} within {} ms", node.label, limit.as_millis());
            Err(ProxyError::before_sending(Kind::ConnectTimeout, detail))
        }
    }
}

/// The answer to an upgrade. Bytes pass when the client has got it.
fn switch(exchange: &mut Exchange, reply: Reply, upstream: &Upstream) -> Result<Response, ProxyError> {
    let Some(client) = exchange.request.extensions.remove::<OnUpgrade>() else {
        return Err(ProxyError::new(Kind::UpstreamProtocol, "this connection cannot change its protocol"));
    };
    let mut headers = reply.parts.headers;
    let protocol = headers.remove(UPGRADE);
    headers::strip_hop_by_hop(&mut headers);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.extend(protocol.map(|protocol| (UPGRADE, protocol)));
    let patience = Duration::from_millis(upstream.timeouts.read_ms);
    exchange.tunnel = Some(Tunnel { client, connection: reply.connection, patience });
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    Ok(response)
}

fn respond(exchange: &Exchange, mut reply: Reply, upstream: &Upstream) -> Response {
    let (mut parts, ()) = ::http::Response::new(()).into_parts();
    std::mem::swap(&mut parts, &mut reply.parts);
    headers::strip_hop_by_hop(&mut parts.headers);
    // Only the gateway tells of its errors.
    parts.headers.remove(CODE_HEADER);
    parts.version = ::http::Version::HTTP_11;
    let body = Receiving::body(reply, exchange.worker.clone(), upstream.keepalive, upstream.timeouts.read_ms);
    Response::from_parts(parts, body)
}
