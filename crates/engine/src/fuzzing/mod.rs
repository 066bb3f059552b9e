//! What the fuzz targets run, each on any bytes: parsers that read what strangers sent, and the whole way from a client's
//! bytes to an upstream's. What must hold is asserted; a panic is a finding. `fuzz/` calls these with bytes that it
//! makes up, the tests here with its seeds. Compiled for tests and with the feature `fuzzing` alone.
#![allow(clippy::panic, clippy::expect_used)]

mod rig;
mod strict;
#[cfg(test)]
mod tests;

pub use rig::{mcp, proxy};

use crate::Engine;
use crate::http::forwarded::{Forwarded, Origin, tell, value};
use crate::http::{framing, path};
use crate::network::Networks;
use crate::router::{Router, Turn};
use crate::snapshot::{DoubledSlashes, EncodedSlashes, PathRules};
use crate::upstream::fuzzing::{Chunks, ResponseReader};
use ::http::header::{HeaderName, HeaderValue};
use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, Method, Request, request};
use bytes::BytesMut;
use std::net::IpAddr;

/// The rules that paths can be normalised by.
const RULES: [PathRules; 4] = {
    const fn rules(doubled_slashes: DoubledSlashes, encoded_slashes: EncodedSlashes) -> PathRules {
        PathRules { doubled_slashes, encoded_slashes }
    }
    [
        rules(DoubledSlashes::Keep, EncodedSlashes::Keep),
        rules(DoubledSlashes::Keep, EncodedSlashes::Refuse),
        rules(DoubledSlashes::Merge, EncodedSlashes::Keep),
        rules(DoubledSlashes::Merge, EncodedSlashes::Refuse),
    ]
};

/// A request's head: framing, host, and its path; and the bytes as a path of their own.
pub fn request(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        spelled(text);
    }
    let Some(parts) = head(data) else { return };
    let Ok(host) = framing::check(&parts) else { return };
    let host = host.unwrap_or_default();
    assert!(framing::is_authority(host) || host.is_empty(), "{host:?}");
    assert!(parts.headers.get_all("content-length").iter().count() <= 1);
    spelled(parts.uri.path());
}

/// A path that is taken has one spelling, without what another could read as a step up.
fn spelled(text: &str) {
    for rules in RULES {
        let Ok(path) = path::normalise_by(text, rules) else { continue };
        assert_eq!(path::normalise_by(&path, rules).as_deref(), Ok(&*path), "of {text:?}");
        assert!(path.starts_with('/') || path == "*", "{path:?}");
        assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")), "{path:?} of {text:?}");
        assert!(PathAndQuery::try_from(&*path).is_ok_and(|uri| uri.path() == path), "{path:?} of {text:?}");
    }
}

/// The head that `data` begins with, as the listener would hand it over.
fn head(data: &[u8]) -> Option<request::Parts> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut fields);
    if !parsed.parse(data).ok()?.is_complete() {
        return None;
    }
    let mut request = Request::builder().method(parsed.method?).uri(parsed.path?);
    for field in parsed.headers.iter() {
        request = request.header(field.name, field.value);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// An upstream's answer, its head and then chunks: however it is cut into pieces, the same is read.
pub fn response(data: &[u8]) {
    let Some((how, bytes)) = data.split_first() else { return };
    let method = if how & 1 == 0 { Method::GET } else { Method::HEAD };
    let step = usize::from(how >> 1).max(1);
    assert_eq!(read_response(&method, bytes, step), read_response(&method, bytes, bytes.len().max(1)));
    assert_eq!(read_chunks(bytes, step), read_chunks(bytes, bytes.len().max(1)));
}

/// What is read of a head, and of the chunks that follow where it says so.
fn read_response(method: &Method, bytes: &[u8], step: usize) -> (String, Option<(Vec<u8>, String)>) {
    let (mut reader, mut buffer) = (ResponseReader::new(method), BytesMut::new());
    let mut pieces = bytes.chunks(step);
    while let Some(piece) = pieces.next() {
        buffer.extend_from_slice(piece);
        let Some(told) = reader.read(&mut buffer) else { continue };
        pieces.for_each(|piece| buffer.extend_from_slice(piece));
        let is_chunked = told.ends_with("Chunked");
        return (told, is_chunked.then(|| read_chunks(&buffer, step)));
    }
    (String::new(), None)
}

/// The content of chunks and how they ended.
fn read_chunks(bytes: &[u8], step: usize) -> (Vec<u8>, String) {
    let (mut chunks, mut buffer, mut content) = (Chunks::default(), BytesMut::new(), Vec::new());
    for piece in bytes.chunks(step) {
        buffer.extend_from_slice(piece);
        if let Some(end) = chunks.read(&mut buffer, &mut content) {
            assert!(content.len() <= bytes.len());
            return (content, end);
        }
    }
    (content, String::new())
}

/// Patterns, one a line after a line of hosts, and in the last line a path that is looked for among them.
pub fn route(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (Some(hosts), Some(path)) = (lines.next(), lines.next_back()) else { return };
    let hosts: Vec<String> = hosts.split_whitespace().map(String::from).collect();
    let mut router = Router::default();
    let mut taken = Vec::new();
    for (sequence, pattern) in (0..16).zip(lines) {
        let turn = Turn { sequence, ..Turn::default() };
        if router.insert(&hosts, &[pattern.to_owned()], turn, &pattern.to_owned()).is_ok() {
            taken.push(pattern);
        }
    }
    let Ok(path) = path::normalise(path) else { return };
    let host = hosts.first().map(|host| host.replace("*.", "a.")).unwrap_or_default();
    let found = router.find(&host, &path, |_| true);
    // What is a literal text has one meaning only.
    let is_meant = |pattern: &&&str| {
        let (literal, is_prefix) = pattern.strip_suffix('*').map_or((**pattern, false), |text| (text, true));
        match path::normalise_literal(literal) {
            Ok(literal) if !literal.contains([':', '{', '}', '*']) => {
                if is_prefix {
                    path.starts_with(&*literal)
                } else {
                    *path == literal
                }
            }
            _ => false,
        }
    };
    if let Some(meant) = taken.iter().find(is_meant) {
        assert!(found.is_some(), "{meant:?} does not match {path:?}");
    }
}

/// A snapshot: decoded and built, or refused.
pub fn snapshot(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = Engine::check(text) {
        assert!(!error.problems.is_empty());
    }
}

/// Headers by which a proxy speaks for a client, one a line after a line of trusted networks.
pub fn forwarded(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let networks = lines.next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let networks: Vec<&str> = networks.split_whitespace().collect();
    let Ok(trusted) = Networks::parse(&networks) else { return };
    let mut headers = HeaderMap::new();
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts.next().and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let peer = IpAddr::from([192, 0, 2, 1]);
    let said = Forwarded::read(&headers, peer, &trusted);
    assert_eq!(said.is_some(), trusted.contain(peer));
    let client = said.as_ref().and_then(Forwarded::client).unwrap_or(peer);
    if let Some(said) = &said {
        assert_eq!(said.chain.last(), Some(&peer));
        assert!(said.chain.iter().skip(1).all(|address| trusted.contain(*address)), "{:?}", said.chain);
    }
    let host = HeaderValue::from_static("a.test");
    let (client_value, port) = (value(client), HeaderValue::from(80_u16));
    let forwarded = said.as_ref();
    let origin = Origin { client: &client_value, scheme: "http", host: Some(&host), port: &port, forwarded };
    let lines = tell(&mut headers, &origin);
    // A server that takes `_` for `-` must not hear it in the client's words either.
    for name in ["forwarded", "x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] {
        assert!(!headers.keys().any(|known| known.as_str().replace('_', "-") == name), "{headers:?}");
    }
    let told = |name: &str| {
        let mut told = lines.iter().filter(|(known, _)| known == name);
        let (value, more) = (told.next().and_then(|(_, value)| value.to_str().ok()), told.next());
        assert!(more.is_none());
        value.unwrap_or_default()
    };
    assert_eq!(told("x-real-ip"), client.to_string());
    let way: Vec<IpAddr> = told("x-forwarded-for").split(", ").filter_map(|text| text.parse().ok()).collect();
    assert_eq!(way, said.map_or_else(|| vec![client], |said| said.chain.to_vec()));
}
