//! Heads of responses, and how their bodies are delimited (RFC 9112 section 6).

use super::request::Asked;
use crate::http::Body;
use crate::http::h1::{Framing, digits, says, write_field};
use ::http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRAILER, TRANSFER_ENCODING};
use ::http::{HeaderMap, HeaderName, StatusCode, response};
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of a body that are rather copied than written apart from the head.
const SMALL_BODY: usize = 4096;

/// A head that is ready to leave, and what follows it.
pub struct Head {
    pub bytes: BytesMut,
    pub framing: Framing,
    /// Whether the connection may serve another request afterwards.
    pub keep_alive: bool,
    /// Fields that may come after the body.
    pub trailers: Vec<HeaderName>,
}

impl Head {
    /// `may_stay` says whether the gateway would keep the connection open.
    pub fn new(parts: &response::Parts, body: &Body, asked: &Asked, may_stay: bool) -> Self {
        let headers = &parts.headers;
        let framing = framing(parts.status, headers, body, asked);
        let is_switched = parts.status == StatusCode::SWITCHING_PROTOCOLS;
        let says_close = headers.get_all(CONNECTION).iter().any(|value| says(value, "close"));
        let keep_alive =
            may_stay && asked.keep_alive && !says_close && framing != Framing::UntilClose && !is_switched;
        let mut bytes = BytesMut::with_capacity(160 + headers.len() * 48 + small(body).map_or(0, Bytes::len));
        write_status(&mut bytes, parts.status, asked.is_http10);
        let mut has_date = false;
        for (name, value) in headers {
            match *name {
                CONTENT_LENGTH if !keeps_length(framing, asked) => continue,
                TRANSFER_ENCODING => continue,
                TRAILER if framing != Framing::Chunked => continue,
                DATE => has_date = true,
                _ => {}
            }
            write_field(&mut bytes, name.as_str(), value.as_bytes());
        }
        if !keep_alive && !says_close && !asked.is_http10 && !is_switched {
            bytes.extend_from_slice(b"connection: close\r\n");
        } else if keep_alive && asked.is_http10 {
            bytes.extend_from_slice(b"connection: keep-alive\r\n");
        }
        let has_length = keeps_length(framing, asked) && headers.contains_key(CONTENT_LENGTH);
        match framing {
            Framing::Chunked => bytes.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Framing::Length(length) if !has_length => {
                write_field(&mut bytes, "content-length", itoa::Buffer::new().format(length).as_bytes());
            }
            Framing::None if !has_length && may_have_length(parts.status) => {
                // HEAD is told the length of what a GET would have got, where that is known.
                let length = match asked.is_head {
                    true => body.size_hint().exact().filter(|length| *length > 0),
                    false => Some(0),
                };
                if let Some(length) = length {
                    write_field(&mut bytes, "content-length", itoa::Buffer::new().format(length).as_bytes());
                }
            }
            Framing::None | Framing::Length(_) | Framing::UntilClose => {}
        }
        if !has_date {
            write_date(&mut bytes);
        }
        bytes.extend_from_slice(b"\r\n");
        Self { bytes, framing, keep_alive, trailers: announced(headers, framing, asked) }
    }

    /// An empty answer to what is no request, after which the connection is closed.
    pub fn refusal(status: StatusCode) -> Bytes {
        let (mut parts, ()) = ::http::Response::new(()).into_parts();
        parts.status = status;
        let asked = Asked { is_http10: false, is_head: false, takes_trailers: false, keep_alive: false };
        Self::new(&parts, &Body::Empty, &asked, false).bytes.freeze()
    }
}

/// A body that leaves in one piece with its head.
pub fn small(body: &Body) -> Option<&Bytes> {
    match body {
        Body::Bytes(bytes) if bytes.len() <= SMALL_BODY => Some(bytes),
        _ => None,
    }
}

/// RFC 9112 section 6.3, for a response to what was `asked`.
fn framing(status: StatusCode, headers: &HeaderMap, body: &Body, asked: &Asked) -> Framing {
    if asked.is_head || !may_have_length(status) || body.is_end_stream() {
        return Framing::None;
    }
    let said = || digits(headers.get(CONTENT_LENGTH)?.as_bytes());
    match body.size_hint().exact().or_else(said) {
        Some(length) => Framing::Length(length),
        None if asked.is_http10 => Framing::UntilClose,
        None => Framing::Chunked,
    }
}

/// RFC 9110 section 8.6.
fn may_have_length(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Whether the headers' own Content-Length stays: it is the body's, or that of the body which a GET would have had.
fn keeps_length(framing: Framing, asked: &Asked) -> bool {
    match framing {
        Framing::Length(_) => true,
        Framing::None => asked.is_head,
        Framing::Chunked | Framing::UntilClose => false,
    }
}

fn write_status(bytes: &mut BytesMut, status: StatusCode, is_http10: bool) {
    if status == StatusCode::OK && !is_http10 {
        return bytes.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    bytes.extend_from_slice(if is_http10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    bytes.extend_from_slice(status.as_str().as_bytes());
    bytes.extend_from_slice(b" ");
    bytes.extend_from_slice(status.canonical_reason().unwrap_or("<none>").as_bytes());
    bytes.extend_from_slice(b"\r\n");
}

/// The fields that Trailer names, where the client takes any.
fn announced(headers: &HeaderMap, framing: Framing, asked: &Asked) -> Vec<HeaderName> {
    if framing != Framing::Chunked || !asked.takes_trailers {
        return Vec::new();
    }
    let lists = headers.get_all(TRAILER).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Date (RFC 9110 section 6.6.1), which is made once a second.
fn write_date(bytes: &mut BytesMut) {
    thread_local! {
        static WRITTEN: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    WRITTEN.with_borrow_mut(|(second, text)| {
        if *second != now {
            *second = now;
            *text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
        }
        write_field(bytes, "date", text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::{HeaderValue, Response};

    fn asked() -> Asked {
        Asked { is_http10: false, is_head: false, takes_trailers: false, keep_alive: true }
    }

    fn head(status: u16, fields: &[(&'static str, &'static str)], body: Body, asked: &Asked) -> String {
        let (mut parts, ()) = Response::builder().status(status).body(()).unwrap().into_parts();
        parts.headers.insert("date", HeaderValue::from_static("now"));
        for (name, value) in fields {
            parts.headers.append(*name, HeaderValue::from_static(value));
        }
        let head = Head::new(&parts, &body, asked, true);
        String::from_utf8(head.bytes.to_vec()).unwrap().replace("date: now\r\n", "").replace("\r\n", "|")
    }

    /// A body of unknown length.
    fn stream() -> Body {
        struct Endless;

        impl http_body::Body for Endless {
            type Data = Bytes;
            type Error = crate::http::BoxError;

            fn poll_frame(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
                std::task::Poll::Pending
            }
        }

        Body::stream(Endless)
    }

    #[test]
    fn a_body_is_delimited_in_one_way() {
        let length = ("content-length", "2");
        assert_eq!(head(200, &[], Body::from("ab"), &asked()), "HTTP/1.1 200 OK|content-length: 2||");
        assert_eq!(head(200, &[length], Body::from("ab"), &asked()), "HTTP/1.1 200 OK|content-length: 2||");
        assert_eq!(head(200, &[], Body::Empty, &asked()), "HTTP/1.1 200 OK|content-length: 0||");
        assert_eq!(head(204, &[length], Body::Empty, &asked()), "HTTP/1.1 204 No Content||");
        assert_eq!(head(304, &[length], Body::Empty, &asked()), "HTTP/1.1 304 Not Modified||");
        assert_eq!(head(200, &[], stream(), &asked()), "HTTP/1.1 200 OK|transfer-encoding: chunked||");
        assert_eq!(head(200, &[length], stream(), &asked()), "HTTP/1.1 200 OK|content-length: 2||");
        let coded = [("transfer-encoding", "gzip")];
        assert_eq!(head(200, &coded, stream(), &asked()), "HTTP/1.1 200 OK|transfer-encoding: chunked||");
    }

    #[test]
    fn head_is_told_of_the_body_and_gets_none() {
        let asked = Asked { is_head: true, ..asked() };
        assert_eq!(
            head(200, &[("content-length", "2")], Body::Empty, &asked),
            "HTTP/1.1 200 OK|content-length: 2||"
        );
        assert_eq!(head(200, &[], Body::from("ab"), &asked), "HTTP/1.1 200 OK|content-length: 2||");
        assert_eq!(head(200, &[], Body::Empty, &asked), "HTTP/1.1 200 OK||");
        assert_eq!(head(200, &[], stream(), &asked), "HTTP/1.1 200 OK||");
    }

    #[test]
    fn http10_gets_no_chunks_and_is_told_when_the_connection_stays() {
        let asked = Asked { is_http10: true, ..asked() };
        assert_eq!(
            head(200, &[], Body::from("ab"), &asked),
            "HTTP/1.0 200 OK|connection: keep-alive|content-length: 2||"
        );
        assert_eq!(head(200, &[], stream(), &asked), "HTTP/1.0 200 OK||");
    }

    #[test]
    fn close_is_said_once() {
        let asked = Asked { keep_alive: false, ..asked() };
        let expected = "HTTP/1.1 200 OK|connection: close|content-length: 0||";
        assert_eq!(head(200, &[], Body::Empty, &asked), expected);
        assert_eq!(head(200, &[("connection", "close")], Body::Empty, &asked), expected);
    }

    #[test]
    fn a_change_of_protocol_says_only_what_it_changes_to() {
        let fields = [("connection", "upgrade"), ("upgrade", "websocket")];
        let expected = "HTTP/1.1 101 Switching Protocols|connection: upgrade|upgrade: websocket||";
        assert_eq!(head(101, &fields, Body::Empty, &asked()), expected);
    }

    #[test]
    fn an_unknown_status_has_a_reason_too() {
        assert!(head(599, &[], Body::Empty, &asked()).starts_with("HTTP/1.1 599 <none>|"));
    }
}
