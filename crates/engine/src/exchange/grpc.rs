//! gRPC's form for answers that the gateway makes itself: a client of gRPC reads its status from trailers, and takes
//! nothing from a body in JSON. What upstreams answer passes as it is.
//!
//! Sources: "gRPC over HTTP2" and "HTTP to gRPC Status Code Mapping", both of the gRPC project.

use crate::http::{Body, Response};
use ::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use ::http::{HeaderName, HeaderValue, StatusCode, Version, request};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use std::borrow::Cow;

const MEDIA_TYPE: &str = "application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// What is encoded in a message: all but printable ASCII, and the percent sign.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// An answer of the gateway's own; plugins say `message`, errors `error_msg`.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, alias = "error_msg")]
    message: Cow<'a, str>,
}

/// Whether the request is a call of gRPC, which there is over HTTP/2 only.
pub fn is_call(request: &request::Parts) -> bool {
    request.version == Version::HTTP_2
        && request.headers.get(CONTENT_TYPE).is_some_and(|value| is_grpc(value.as_bytes()))
}

/// `application/grpc`, with a format (`+proto`) or parameters.
fn is_grpc(value: &[u8]) -> bool {
    match value.split_at_checked(MEDIA_TYPE.len()) {
        Some((start, rest)) => {
            start.eq_ignore_ascii_case(MEDIA_TYPE.as_bytes())
                && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
        }
        None => false,
    }
}

/// A refusal in gRPC's form: one head, with the status where trailers would stand, and no body. Its other headers stay.
pub fn refusal(mut response: Response) -> Response {
    let message = match response.body() {
        Body::Bytes(bytes) => {
            serde_json::from_slice::<Said<'_>>(bytes).ok().map(|said| said.message.into_owned())
        }
        _ => None,
    };
    let message = message.unwrap_or_else(|| response.status().to_string());
    let status = code(response.status());
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(GRPC_STATUS, HeaderValue::from(status));
    if let Ok(message) = HeaderValue::from_str(&utf8_percent_encode(&message, ENCODED).to_string()) {
        headers.insert(GRPC_MESSAGE, message);
    }
    *response.status_mut() = StatusCode::OK;
    response.map(|_| Body::Empty)
}

/// The status of gRPC that clients themselves take an HTTP status for.
fn code(status: StatusCode) -> u16 {
    match status.as_u16() {
        // Internal.
        400 => 13,
        // Unauthenticated.
        401 => 16,
        // Permission denied.
        403 => 7,
        // Unimplemented.
        404 => 12,
        // Unavailable.
        429 | 502 | 503 | 504 => 14,
        // Unknown.
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{error_response, refusal as plain_refusal};

    #[test]
    fn only_grpc_over_http2_is_a_call() {
        for (version, media_type, is_one) in [
            (Version::HTTP_2, "application/grpc", true),
            (Version::HTTP_2, "Application/gRPC+proto", true),
            (Version::HTTP_2, "application/grpc; a=b", true),
            (Version::HTTP_2, "application/grpc-web", false),
            (Version::HTTP_2, "application/json", false),
            (Version::HTTP_11, "application/grpc", false),
        ] {
            let request = ::http::Request::post("/").version(version).header(CONTENT_TYPE, media_type);
            assert_eq!(
                is_call(&request.body(()).unwrap().into_parts().0),
                is_one,
                "{version:?} {media_type}"
            );
        }
    }

    #[test]
    fn a_refusal_keeps_its_message_and_its_other_headers() {
        let mut told = error_response(StatusCode::BAD_GATEWAY, "100 % gone\u{e9}\n");
        told.headers_mut().insert("retry-after", HeaderValue::from_static("3"));
        let response = refusal(told);
        let headers = response.headers();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(matches!(response.body(), Body::Empty));
        for (name, value) in [
            ("content-type", "application/grpc"),
            ("grpc-status", "14"),
            ("grpc-message", "100 %25 gone%C3%A9%0A"),
            ("retry-after", "3"),
        ] {
            assert_eq!(headers.get(name).unwrap(), value, "{name}");
        }
        let response = refusal(plain_refusal(StatusCode::UNAUTHORIZED, "no key"));
        assert_eq!(
            (&response.headers()["grpc-status"], &response.headers()["grpc-message"]),
            (&"16".parse().unwrap(), &"no key".parse().unwrap())
        );
    }

    #[test]
    fn an_answer_without_message_tells_its_status() {
        let mut told = Response::new(Body::from("plain"));
        *told.status_mut() = StatusCode::NOT_FOUND;
        assert_eq!(refusal(told).headers()["grpc-message"], "404 Not Found");
    }
}
