//! The request as it goes upstream: its URI, its Host and its headers.

use super::Upstream;
use super::connect::Node;
use super::h1::{RequestHead, Sending};
use crate::error::{Kind, ProxyError};
use crate::exchange::Exchange;
use crate::http::Body;
use crate::http::forwarded::{self, Lines, Origin};
use crate::http::headers::remove_cookie;
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

/// Headers by rule: no credential that is withheld, and who calls as the gateway saw it, which comes as lines to be sent
/// beside the exchange's headers.
pub fn headers(exchange: &mut Exchange) -> Lines {
    let request = &mut exchange.request;
    for name in &exchange.withheld {
        request.headers.remove(name);
    }
    for name in &exchange.withheld_cookies {
        remove_cookie(&mut request.headers, name);
    }
    let may_upgrade = exchange.route.as_ref().is_some_and(|route| route.websocket);
    if let Some(protocol) = exchange.upgrade.take().filter(|_| may_upgrade) {
        request.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        request.headers.insert(header::UPGRADE, protocol);
    }
    let arrival = &exchange.arrival;
    let host = request.headers.get(header::HOST).cloned();
    let origin = Origin {
        client: &arrival.client_value,
        scheme: arrival.scheme,
        host: host.as_ref(),
        port: &arrival.port_value,
        forwarded: exchange.forwarded.as_deref(),
    };
    forwarded::tell(&mut request.headers, &origin)
}

/// The request for `node`: made from the exchange at the first try, and with another head where it goes out again.
pub fn sending(
    exchange: &mut Exchange,
    upstream: &Upstream,
    node: &Node,
    uri: &PathAndQuery,
    lines: &Lines,
    earlier: Option<Box<Sending>>,
) -> Box<Sending> {
    if let Some(host) = host(exchange, upstream, node) {
        exchange.request.headers.insert(header::HOST, host);
    }
    let framing = earlier.as_ref().map_or_else(
        || Sending::framing_of(&exchange.request.method, &exchange.body),
        |sending| sending.framing,
    );
    let request = &exchange.request;
    let head = RequestHead::new(&request.method, uri.as_str(), &request.headers, lines, framing);
    match earlier {
        Some(mut sending) => {
            sending.restart_with(head);
            sending
        }
        None => Box::new(Sending::new(head, std::mem::replace(&mut exchange.body, Body::Empty), framing)),
    }
}

/// The Host that the upstream sees; none leaves the client's. A client of HTTP/1.0 may have sent none.
fn host(exchange: &Exchange, upstream: &Upstream, node: &Node) -> Option<HeaderValue> {
    if let Some(host) = &exchange.rewrite.host {
        return Some(host.clone());
    }
    match upstream.pass_host {
        PassHost::Pass if exchange.request.headers.contains_key(header::HOST) => None,
        PassHost::Pass | PassHost::Node => Some(node.host.clone()),
        PassHost::Rewrite => upstream.upstream_host.clone(),
    }
}
