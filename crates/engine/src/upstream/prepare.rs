//! The request as it goes upstream: its URI, its Host and its headers.

use super::Upstream;
use super::connect::Node;
use crate::error::{Kind, ProxyError};
use crate::exchange::Exchange;
use crate::http::forwarded::{self, Origin};
use crate::http::headers;
use crate::snapshot::PassHost;
use ::http::uri::PathAndQuery;
use ::http::{HeaderValue, header};

/// Path and query for the upstream: what a plugin set, or the client's with the target's prefixes exchanged.
pub fn uri(
    exchange: &mut Exchange,
    strip_prefix: &str,
    add_prefix: &str,
) -> Result<PathAndQuery, ProxyError> {
    if let Some(uri) = exchange.rewrite.uri.take() {
        return Ok(uri);
    }
    let client = exchange.request.uri.path_and_query();
    let unchanged = strip_prefix.is_empty() && add_prefix.is_empty();
    if let Some(client) = client.filter(|client| unchanged && client.path() == exchange.path) {
        return Ok(client.clone());
    }
    let rest = exchange.path.strip_prefix(strip_prefix).unwrap_or(&exchange.path);
    let mut text = String::with_capacity(add_prefix.len() + rest.len() + 64);
    text.push_str(add_prefix);
    if !rest.starts_with('/') && !add_prefix.ends_with('/') {
        text.push('/');
    }
    text.push_str(rest);
    if let Some(query) = exchange.request.uri.query() {
        text.push('?');
        text.push_str(query);
    }
    text.try_into().map_err(|_| ProxyError::new(Kind::BadRequest, "the path is not valid"))
}

/// Headers by rule: nothing of this hop, and who calls as the gateway saw it.
pub fn headers(exchange: &mut Exchange) {
    let request = &mut exchange.request;
    headers::strip_hop_by_hop(&mut request.headers);
    for name in &exchange.withheld {
        request.headers.remove(name);
    }
    let arrival = &exchange.arrival;
    let host = request.headers.get(header::HOST).cloned();
    let origin = Origin {
        client: arrival.client.ip(),
        scheme: arrival.scheme,
        host: host.as_ref(),
        port: arrival.port,
        forwarded: exchange.forwarded.as_deref(),
    };
    forwarded::tell(&mut request.headers, &origin);
}

/// The Host that the upstream sees; none leaves the client's.
pub fn host(exchange: &mut Exchange, upstream: &Upstream, node: &Node) -> Option<HeaderValue> {
    if let Some(host) = exchange.rewrite.host.take() {
        return Some(host);
    }
    match upstream.pass_host {
        PassHost::Pass => None,
        PassHost::Node => Some(node.host.clone()),
        PassHost::Rewrite => upstream.upstream_host.clone(),
    }
}
