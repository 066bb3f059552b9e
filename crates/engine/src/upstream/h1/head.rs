//! Heads of HTTP/1.1 messages: requests written, responses read and their body's framing worked out.

use crate::http::forwarded::Lines;
use crate::http::h1::{Fields, Framing, InvalidField, digits, says, write_field};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Version, response};
use std::mem::MaybeUninit;

/// Bytes of a response's head.
pub const LONGEST_HEAD: usize = 256 << 10;
const MOST_HEADERS: usize = 256;
/// Headers that plugins may add to a response before the map has to grow.
const ADDED_HEADERS: usize = 6;

/// A request's head as it goes over the wire, ready to be sent any number of times.
#[derive(Clone)]
pub struct RequestHead {
    pub bytes: Bytes,
    /// A response to HEAD has no body, whatever its head says.
    pub is_head: bool,
    /// Whether the same request may be sent again after it may have been acted on (RFC 9110, section 9.2.2).
    pub is_idempotent: bool,
    /// Whether the request asks for another protocol on this connection.
    pub upgrades: bool,
    /// Whether trailers are announced and can follow.
    pub trails: bool,
}

/// What is wrong with a response's head.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    #[error("{0}")]
    Syntax(#[from] httparse::Error),
    #[error("the head is longer than {LONGEST_HEAD} bytes")]
    TooLong,
    #[error(transparent)]
    Field(#[from] InvalidField),
    #[error("the Content-Length is not one number")]
    Length,
    #[error("the Transfer-Encoding is not \"chunked\"")]
    TransferEncoding,
}

/// A response's head with what it says of the rest.
pub struct ResponseHead {
    pub parts: response::Parts,
    pub framing: Framing,
    /// Whether the connection may serve another request afterwards.
    pub keep_alive: bool,
}

impl RequestHead {
    /// Writes the head with `headers` and `lines`. `framing` is the body's; Content-Length and Transfer-Encoding among
    /// `headers` are left out.
    pub fn new(method: &Method, uri: &str, headers: &HeaderMap, lines: &Lines, framing: Framing) -> Self {
        let mut bytes = BytesMut::with_capacity(256 + uri.len() + (headers.len() + lines.len()) * 48);
        for part in [method.as_str(), " ", uri, " HTTP/1.1\r\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
        for (name, value) in headers {
            if name != CONTENT_LENGTH && name != TRANSFER_ENCODING {
                write_field(&mut bytes, name.as_str(), value.as_bytes());
            }
        }
        for (name, value) in lines {
            write_field(&mut bytes, name.as_str(), value.as_bytes());
        }
        match framing {
            Framing::Length(length) => {
                write_field(&mut bytes, "content-length", itoa::Buffer::new().format(length).as_bytes());
            }
            Framing::Chunked => write_field(&mut bytes, "transfer-encoding", b"chunked"),
            Framing::None | Framing::UntilClose => {}
        }
        bytes.extend_from_slice(b"\r\n");
        Self {
            bytes: bytes.freeze(),
            is_head: method == Method::HEAD,
            is_idempotent: method.is_idempotent(),
            upgrades: headers.contains_key(http::header::UPGRADE),
            trails: framing == Framing::Chunked && headers.contains_key(http::header::TRAILER),
        }
    }
}

/// Takes a response's head out of `buffer`; none where it is not complete yet.
pub fn read(buffer: &mut BytesMut, request: &RequestHead) -> Result<Option<ResponseHead>, HeadError> {
    let mut fields = [MaybeUninit::uninit(); MOST_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut parsed, buffer, &mut fields)? {
        httparse::Status::Partial if buffer.len() >= LONGEST_HEAD => return Err(HeadError::TooLong),
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(length) => length,
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(HeadError::Syntax(httparse::Error::Status))?;
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    // Values share the head's memory instead of being copied.
    let fields = Fields::find(parsed.headers, buffer)?;
    let mut headers = HeaderMap::with_capacity(fields.count() + ADDED_HEADERS);
    let head = buffer.split_to(length).freeze();
    for field in fields.values(&head) {
        let (name, value) = field?;
        headers.append(name, value);
    }
    let framing = framing(status, version, &mut headers, request)?;
    let keep_alive = framing != Framing::UntilClose && stays_open(version, &headers);
    let (mut parts, ()) = http::Response::new(()).into_parts();
    (parts.status, parts.version, parts.headers) = (status, version, headers);
    Ok(Some(ResponseHead { parts, framing, keep_alive }))
}

/// RFC 9112, section 6.3, for responses.
fn framing(
    status: StatusCode,
    version: Version,
    headers: &mut HeaderMap,
    request: &RequestHead,
) -> Result<Framing, HeadError> {
    let is_bodiless = request.is_head
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    if headers.contains_key(TRANSFER_ENCODING) {
        let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
        let chunked = codings.next().is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if !chunked || codings.next().is_some() || version == Version::HTTP_10 {
            return Err(HeadError::TransferEncoding);
        }
        // Two lengths are the mark of response splitting; neither is trusted.
        if headers.contains_key(CONTENT_LENGTH) {
            return Err(HeadError::Length);
        }
        return Ok(if is_bodiless { Framing::None } else { Framing::Chunked });
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = match (lengths.next(), lengths.next()) {
        (None, _) => None,
        (Some(length), None) => Some(digits(length.as_bytes()).ok_or(HeadError::Length)?),
        (Some(_), Some(_)) => return Err(HeadError::Length),
    };
    Ok(match length {
        _ if is_bodiless => Framing::None,
        Some(0) => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::UntilClose,
    })
}

/// RFC 9112, section 9.3.
fn stays_open(version: Version, headers: &HeaderMap) -> bool {
    let says =
        |option: &str| headers.get_all(http::header::CONNECTION).iter().any(|value| says(value, option));
    if version == Version::HTTP_10 { says("keep-alive") } else { !says("close") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn request(method: &Method) -> RequestHead {
        RequestHead::new(method, "/", &HeaderMap::new(), &Lines::new(), Framing::None)
    }

    fn parsed(method: &Method, text: &str) -> Result<Option<ResponseHead>, HeadError> {
        read(&mut BytesMut::from(text), &request(method))
    }

    #[test]
    fn writes_a_request() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("a.test"));
        headers.insert("content-length", HeaderValue::from_static("99"));
        let lines = Lines::from_iter([(http::header::VIA, HeaderValue::from_static("x"))]);
        let head = RequestHead::new(&Method::POST, "/a?b", &headers, &lines, Framing::Length(3));
        let expected = b"POST /a?b HTTP/1.1\r\nhost: a.test\r\nvia: x\r\ncontent-length: 3\r\n\r\n";
        assert_eq!(&head.bytes[..], expected);
        let head = RequestHead::new(&Method::POST, "/", &HeaderMap::new(), &Lines::new(), Framing::Chunked);
        assert_eq!(&head.bytes[..], b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
    }

    #[test]
    fn tells_how_the_body_is_delimited() {
        for (method, text, framing, keep_alive) in [
            (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::Length(5), true),
            (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Framing::None, true),
            (Method::GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", Framing::Chunked, true),
            (Method::GET, "HTTP/1.1 200 OK\r\n\r\n", Framing::UntilClose, false),
            (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", Framing::None, true),
            (Method::GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Framing::None, true),
            (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::None, true),
            (Method::HEAD, "HTTP/1.1 200 OK\r\n\r\n", Framing::None, true),
            (
                Method::GET,
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x, Close\r\n\r\n",
                Framing::Length(5),
                false,
            ),
            (Method::GET, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::Length(5), false),
        ] {
            let head = parsed(&method, text).unwrap().unwrap();
            assert_eq!((head.framing, head.keep_alive), (framing, keep_alive), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: y\r\n folded\r\n\r\n",
            "SSH-2.0-x\r\n\r\n",
        ] {
            assert!(parsed(&Method::GET, text).is_err(), "{text}");
        }
    }

    #[test]
    fn waits_for_the_whole_head_but_not_for_ever() {
        assert!(parsed(&Method::GET, "HTTP/1.1 200 OK\r\nX: y\r\n").unwrap().is_none());
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(LONGEST_HEAD));
        assert!(matches!(parsed(&Method::GET, &long), Err(HeadError::TooLong)));
    }

    #[test]
    fn leaves_what_follows_the_head() {
        let mut buffer = BytesMut::from("HTTP/1.1 200 OK\r\nX:  y \r\n\r\nbody");
        let head = read(&mut buffer, &request(&Method::GET)).unwrap().unwrap();
        assert_eq!((head.parts.headers["x"].as_bytes(), &buffer[..]), (&b"y"[..], &b"body"[..]));
    }
}
