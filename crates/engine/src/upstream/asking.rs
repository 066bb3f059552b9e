//! A request of the gateway's own, to an upstream that no route leads to. [`crate::outbound`] says what is asked and how
//! long; the way is that of any exchange: the worker's connections, names as they are resolved, TLS as upstreams have it.

use super::connect::Node;
use super::delivery::bring;
use super::prepare::Outline;
use super::resolve::Address;
use super::upload::Upload;
use super::{Upstream, respond};
use crate::error::{Kind, ProxyError};
use crate::http::forwarded::Lines;
use crate::http::{Body, Response};
use crate::server::Worker;
use ::http::header::HOST;
use ::http::request;
use ::http::uri::PathAndQuery;
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

/// Sends `head` and `body` to the one node of `upstream`, at those of its addresses that are `allowed`, and gives the
/// response, its body still streaming. A connection that was closed while it was idle is made again, so it must do no
/// harm where the request comes twice. The caller sets the time limit.
pub async fn ask(
    worker: &Rc<Worker>,
    upstream: &Upstream,
    mut head: request::Parts,
    body: Bytes,
    allowed: &dyn Fn(IpAddr) -> bool,
) -> Result<Response, ProxyError> {
    upstream.refresh();
    let node = node(upstream, allowed).await?;
    let uri = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let outline = Outline { uri, lines: Lines::new() };
    head.headers.insert(HOST, node.host.clone());
    let upload = || {
        let body = if body.is_empty() { Body::Empty } else { Body::Bytes(body.clone()) };
        Upload::new(&head.method, &head.headers, body, false)
    };
    let mut sent = bring(worker, &head, upstream, &node, &outline, upload()).await;
    if sent.as_ref().is_err_and(|failure| failure.error.kind == Kind::UpstreamClosed) {
        sent = bring(worker, &head, upstream, &node, &outline, upload()).await;
    }
    sent.map(|answer| respond(worker, answer, upstream)).map_err(|failure| failure.error)
}

/// The node at all the addresses that it may be connected to.
async fn node(upstream: &Upstream, allowed: &dyn Fn(IpAddr) -> bool) -> Result<Node, ProxyError> {
    let roster = upstream.roster().clone();
    let first = roster.members.first();
    let first = first.ok_or_else(|| ProxyError::new(Kind::NoUpstreamNode, "it has no address"))?;
    let mut node = first.node.clone();
    let mut addresses = smallvec::SmallVec::new();
    for member in &roster.members {
        let known = member.node.address.resolved().await;
        addresses
            .extend(known.map_err(|error| ProxyError::new(Kind::UpstreamUnreachable, error.to_string()))?);
    }
    addresses.retain(|address: &mut SocketAddr| allowed(address.ip()));
    if addresses.is_empty() {
        let why = format!("{}: it may not be asked at the address that it has", node.label);
        return Err(ProxyError::new(Kind::UpstreamUnreachable, why));
    }
    node.address = Address::Tcp(addresses);
    Ok(node)
}
