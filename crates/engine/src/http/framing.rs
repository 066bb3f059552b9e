//! Refuses requests that two parsers could read differently, before anything else believes them.
//!
//! It sees heads that the listener has parsed. Of HTTP/1, `server::http1`
//! - refuses with an empty 400 and a closed connection: control bytes, folded lines, a space before a colon, a
//!   Content-Length that is not digits or differs from another, a Transfer-Encoding in HTTP/1.0 or without a last
//!   `chunked`; malformed chunks become an error of the body, which the answer then must not hide;
//! - resolves quietly: equal Content-Lengths become one; one beside Transfer-Encoding is dropped and the connection
//!   closed after the answer (RFC 9112 section 6.3); lines may end in a bare LF. A forwarded head is written anew, so
//!   none of that goes on;
//! - accepts, and this module refuses: no Host or several, any Host value, a Host that is not the target's, any
//!   target form and scheme, codings before `chunked`, CONNECT and TRACE.
//!
//! `tests/framing.rs` holds both to this. What is resolved is checked here again, for requests from elsewhere.

use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use std::net::Ipv6Addr;

/// The longest name that DNS allows, with room for the brackets of an address.
const MAXIMUM_HOST: usize = 255;

/// Why a request is refused. The connection must be closed after the answer: what follows on it cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    #[error("the methods CONNECT and TRACE are not served")]
    Method,
    #[error("the request's target must be a path, or an http or https address; \"*\" is for OPTIONS alone")]
    Target,
    #[error("the request has no Host header; send exactly one")]
    HostMissing,
    #[error("the request has more than one Host header; send exactly one")]
    HostRepeated,
    #[error("the request's host is not a name or address with an optional port")]
    HostInvalid,
    #[error("the Host header differs from the host in the request's target")]
    HostMismatch,
    #[error("the request has more than one Content-Length; send exactly one")]
    ContentLengthRepeated,
    #[error("the request's Content-Length is not a number of bytes")]
    ContentLengthInvalid,
    #[error("the request has both Content-Length and Transfer-Encoding; send one of them")]
    TwoLengths,
    #[error("the request's Transfer-Encoding is not \"chunked\", the only one that is served")]
    TransferEncodingUnsupported,
    #[error("the request has a Transfer-Encoding, which its HTTP version does not have")]
    TransferEncodingUnexpected,
}

impl FramingError {
    /// The stable code of this error, for the error header, logs and documentation.
    pub fn code(self) -> &'static str {
        match self {
            Self::Method => "method_not_served",
            Self::Target => "target_invalid",
            Self::HostMissing => "host_missing",
            Self::HostRepeated => "host_repeated",
            Self::HostInvalid => "host_invalid",
            Self::HostMismatch => "host_mismatch",
            Self::ContentLengthRepeated => "content_length_repeated",
            Self::ContentLengthInvalid => "content_length_invalid",
            Self::TwoLengths => "content_length_with_transfer_encoding",
            Self::TransferEncodingUnsupported => "transfer_encoding_unsupported",
            Self::TransferEncodingUnexpected => "transfer_encoding_unexpected",
        }
    }

    /// The status of the answer: 501 for what no resource here can do (RFC 9110 section 15.6.2), else 400.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method | Self::TransferEncodingUnsupported => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Checks a request's head. The host that it is for, without port and in the case in which it came; `None` for HTTP/1.0
/// without Host. An IPv6 address keeps its brackets.
///
/// # Errors
/// The first thing found that another parser could read differently, or that is not served.
pub fn check(parts: &Parts) -> Result<Option<&str>, FramingError> {
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Err(FramingError::Method);
    }
    check_target(parts)?;
    let host = check_host(parts)?;
    check_length(parts)?;
    Ok(host)
}

/// RFC 9112 section 3.2; CONNECT alone has a target without a path.
fn check_target(parts: &Parts) -> Result<(), FramingError> {
    let path = parts.uri.path();
    let is_path = path.starts_with('/') || (path == "*" && parts.method == Method::OPTIONS);
    let is_served = match (parts.uri.scheme_str(), parts.uri.authority()) {
        (None, None) | (Some("http" | "https"), Some(_)) => true,
        // In HTTP/2 the scheme may be missing beside an authority that an intermediary put there.
        (None, Some(_)) => parts.version >= Version::HTTP_2,
        _ => false,
    };
    if is_path && is_served { Ok(()) } else { Err(FramingError::Target) }
}

/// RFC 9112 section 3.2 and RFC 9113 section 8.3.1: one host, said once or twice in the same words.
fn check_host(parts: &Parts) -> Result<Option<&str>, FramingError> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err(FramingError::HostRepeated);
    }
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    let is_needed =
        parts.version == Version::HTTP_11 || (parts.version > Version::HTTP_11 && target.is_none());
    let Some(header) = header else {
        return match target {
            _ if is_needed => Err(FramingError::HostMissing),
            Some(target) => host_of(target).map(Some).ok_or(FramingError::HostInvalid),
            None => Ok(None),
        };
    };
    let header = header.to_str().map_err(|_| FramingError::HostInvalid)?;
    let host = host_of(header).ok_or(FramingError::HostInvalid)?;
    match target {
        Some(target) if !target.eq_ignore_ascii_case(header) => Err(FramingError::HostMismatch),
        Some(target) => Ok(host_of(target)),
        None => Ok(Some(host)),
    }
}

/// RFC 9112 section 6: one way to tell where the body ends.
fn check_length(parts: &Parts) -> Result<(), FramingError> {
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = parts.headers.get_all(CONTENT_LENGTH).iter();
    let (coding, length) = (codings.next(), lengths.next());
    if let Some(coding) = coding {
        if parts.version != Version::HTTP_11 {
            return Err(FramingError::TransferEncodingUnexpected);
        }
        if length.is_some() {
            return Err(FramingError::TwoLengths);
        }
        if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(FramingError::TransferEncodingUnsupported);
        }
    }
    match (length, lengths.next()) {
        (Some(_), Some(_)) => Err(FramingError::ContentLengthRepeated),
        (Some(length), None) if !is_length(length) => Err(FramingError::ContentLengthInvalid),
        _ => Ok(()),
    }
}

/// Digits alone, no sign and no list, within 64 bits.
fn is_length(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default();
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok()
}

/// Whether the text is a host with an optional port.
pub fn is_authority(text: &str) -> bool {
    host_of(text).is_some()
}

/// The host of `name`, `name:port`, `[address]` or `[address]:port`; `None` for anything else.
///
/// Stricter than RFC 3986: no user, no percent-encoding, no characters that DNS names do not have, no empty port.
fn host_of(authority: &str) -> Option<&str> {
    let end = match authority.strip_prefix('[') {
        Some(address) => {
            let (address, _) = address.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            address.len() + 2
        }
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end)?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let is_host = host.starts_with('[') || (!host.is_empty() && host.bytes().all(is_name));
    (is_host && host.len() <= MAXIMUM_HOST && is_port(port)).then_some(host)
}

/// Nothing, or a colon and a port.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
        None => text.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    /// A request's head from `METHOD target VERSION` and header lines.
    fn head(line: &str, headers: &[(&str, &str)]) -> Parts {
        let words: Vec<_> = line.split(' ').collect();
        let version = match words[2] {
            "1.0" => Version::HTTP_10,
            "2" => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        let mut request = Request::builder().method(words[0]).uri(words[1]).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn accepts_requests_that_can_be_read_in_one_way_only() {
        for (line, headers, expected) in [
            ("GET / 1.1", &[("host", "a.test")][..], Some("a.test")),
            ("GET / 1.1", &[("host", "A.test:9080")], Some("A.test")),
            ("GET / 1.1", &[("host", "[::1]:80")], Some("[::1]")),
            ("GET / 1.1", &[("host", "127.0.0.1")], Some("127.0.0.1")),
            ("GET http://a.test:80/x 1.1", &[("host", "A.test:80")], Some("a.test")),
            ("OPTIONS * 1.1", &[("host", "a.test")], Some("a.test")),
            ("GET / 1.0", &[], None),
            ("GET / 1.0", &[("host", "a.test")], Some("a.test")),
            ("GET https://a.test/x 2", &[], Some("a.test")),
            ("GET https://a.test/x 2", &[("host", "a.test")], Some("a.test")),
            ("POST / 1.1", &[("host", "a"), ("content-length", "007")], Some("a")),
            ("POST / 1.1", &[("host", "a"), ("transfer-encoding", "Chunked")], Some("a")),
        ] {
            let parts = head(line, headers);
            assert_eq!(check(&parts), Ok(expected), "{line} {headers:?}");
        }
    }

    #[test]
    fn refuses_methods_and_targets_that_are_not_served() {
        for (line, expected) in [
            ("CONNECT a.test:443 1.1", FramingError::Method),
            ("TRACE / 1.1", FramingError::Method),
            ("GET a.test 1.1", FramingError::Target),
            ("GET * 1.1", FramingError::Target),
            ("GET ftp://a.test/ 1.1", FramingError::Target),
        ] {
            assert_eq!(check(&head(line, &[("host", "a.test")])), Err(expected), "{line}");
        }
    }

    #[test]
    fn refuses_a_host_that_is_missing_repeated_or_not_the_targets() {
        let one: &[_] = &[("host", "a.test")];
        for (line, headers, expected) in [
            ("GET / 1.1", &[][..], FramingError::HostMissing),
            ("GET http://a.test/ 1.1", &[], FramingError::HostMissing),
            ("GET / 2", &[], FramingError::HostMissing),
            ("GET / 1.1", &[("host", "a.test"), ("host", "a.test")], FramingError::HostRepeated),
            ("GET / 1.0", &[("host", "a.test"), ("host", "b.test")], FramingError::HostRepeated),
            ("GET http://b.test/ 1.1", one, FramingError::HostMismatch),
            ("GET http://a.test:80/ 1.1", one, FramingError::HostMismatch),
            ("GET https://b.test/ 2", one, FramingError::HostMismatch),
            ("GET http://u:p@a.test/ 2", &[], FramingError::HostInvalid),
        ] {
            assert_eq!(check(&head(line, headers)), Err(expected), "{line} {headers:?}");
        }
    }

    #[test]
    fn refuses_a_host_that_is_not_a_name_or_address() {
        let long = "a".repeat(MAXIMUM_HOST + 1);
        for host in [
            "", ":80", "a:", "a:b", "a:+1", "a:65536", "a:1:2", "a b", "a/b", "a,b", "u@a", "a%41", "[::1",
            "[a]", "[::1]x", "::1", "é", &long,
        ] {
            let parts = head("GET / 1.1", &[("host", host)]);
            assert_eq!(check(&parts), Err(FramingError::HostInvalid), "{host}");
        }
    }

    #[test]
    fn refuses_a_body_whose_end_is_said_twice_or_not_understood() {
        let length = ("content-length", "3");
        let chunked = ("transfer-encoding", "chunked");
        for (version, headers, expected) in [
            ("1.1", &[length, length][..], FramingError::ContentLengthRepeated),
            ("1.1", &[length, ("content-length", "4")], FramingError::ContentLengthRepeated),
            ("1.1", &[("content-length", "3, 3")], FramingError::ContentLengthInvalid),
            ("1.1", &[("content-length", "+3")], FramingError::ContentLengthInvalid),
            ("1.1", &[("content-length", "")], FramingError::ContentLengthInvalid),
            ("1.1", &[("content-length", "99999999999999999999")], FramingError::ContentLengthInvalid),
            ("1.1", &[length, chunked], FramingError::TwoLengths),
            ("1.1", &[chunked, chunked], FramingError::TransferEncodingUnsupported),
            ("1.1", &[("transfer-encoding", "gzip, chunked")], FramingError::TransferEncodingUnsupported),
            ("1.1", &[("transfer-encoding", "identity")], FramingError::TransferEncodingUnsupported),
            ("1.0", &[chunked], FramingError::TransferEncodingUnexpected),
            ("2", &[chunked], FramingError::TransferEncodingUnexpected),
        ] {
            let mut parts = head(&format!("POST / {version}"), headers);
            parts.headers.insert(HOST, HeaderValue::from_static("a.test"));
            assert_eq!(check(&parts), Err(expected), "{version} {headers:?}");
        }
    }
}
