//! The request as it goes upstream: its URI, its Host and its headers.

use super::Upstream;
use super::connect::Node;
use super::delivery::Protocol;
use super::h1::Framing;
use super::upload::Upload;
use crate::error::{Kind, ProxyError};
use crate::exchange::Exchange;
use crate::http::Body;
use crate::http::forwarded::{self, Lines, Origin};
use crate::http::headers::remove_cookie;
use crate::snapshot::PassHost;
use ::http::uri::{PathAndQuery, Scheme};
use ::http::{HeaderValue, Request, Uri, Version, header, request};

/// What a request says upstream beside the exchange's own method and headers.
pub struct Outline {
    pub uri: PathAndQuery,
    pub lines: Lines,
}

/// Makes the exchange's request ready to be sent to any node of `upstream`.
pub fn outline(
    exchange: &mut Exchange,
    upstream: &Upstream,
    strip_prefix: &str,
    add_prefix: &str,
) -> Result<Outline, ProxyError> {
    let uri = uri(exchange, strip_prefix, add_prefix)?;
    Ok(Outline { uri, lines: headers(exchange, upstream) })
}

/// Path and query for the upstream: what a plugin set, or the client's with the target's prefixes exchanged.
fn uri(exchange: &mut Exchange, strip_prefix: &str, add_prefix: &str) -> Result<PathAndQuery, ProxyError> {
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
fn headers(exchange: &mut Exchange, upstream: &Upstream) -> Lines {
    let request = &mut exchange.request;
    for name in &exchange.withheld {
        request.headers.remove(name);
    }
    for name in &exchange.withheld_cookies {
        remove_cookie(&mut request.headers, name);
    }
    let allows = exchange.route.as_ref().is_some_and(|route| route.websocket);
    let may_upgrade = allows && upstream.protocol != Protocol::Http2;
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

/// The body, ready to be sent.
pub fn upload(exchange: &mut Exchange, upstream: &Upstream) -> Upload {
    let body = std::mem::replace(&mut exchange.body, Body::Empty);
    let request = &exchange.request;
    Upload::new(&request.method, &request.headers, body, upstream.protocol != Protocol::Http1)
}

/// Whether the request asks for another protocol on its connection.
pub fn upgrades(request: &request::Parts) -> bool {
    request.headers.contains_key(header::UPGRADE)
}

/// Names the host for `node`.
pub fn name_host(exchange: &mut Exchange, upstream: &Upstream, node: &Node) {
    if let Some(host) = host(exchange, upstream, node) {
        exchange.request.headers.insert(header::HOST, host);
    }
}

/// The request's head for HTTP/2: the Host becomes `:authority` (RFC 9113, section 8.3.1).
pub fn http2_head(
    request: &request::Parts,
    upstream: &Upstream,
    outline: &Outline,
    framing: Framing,
) -> Result<request::Parts, ProxyError> {
    let mut headers = request.headers.clone();
    headers.extend(outline.lines.iter().cloned());
    let host = headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    if let Framing::Length(length) = framing {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    let host = host.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
    let scheme = if upstream.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(outline.uri.clone()).build();
    let uri = uri.map_err(|_| ProxyError::new(Kind::BadRequest, "the host is not valid"))?;
    let (mut head, ()) = Request::new(()).into_parts();
    (head.method, head.uri, head.version, head.headers) =
        (request.method.clone(), uri, Version::HTTP_2, headers);
    Ok(head)
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
