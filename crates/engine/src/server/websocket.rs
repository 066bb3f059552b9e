//! WebSocket over HTTP/2 (RFC 8441): an extended CONNECT becomes the upgrade of HTTP/1.1 that exchanges know, so that
//! routes, plugins and upstreams see one kind of WebSocket, and its answer becomes that of a CONNECT.
//!
//! In HTTP/2 there is no key to prove that the other side understood (section 5); towards the upstream the gateway is the
//! client, so it makes a key and checks the proof.

use super::worker::Worker;
use crate::error::{Kind, ProxyError};
use crate::http::Response;
use ::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use ::http::{HeaderValue, Method, Request, StatusCode};
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::ext::Protocol;

/// What a key is hashed with (RFC 6455, section 4.2.2).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A WebSocket that is being opened: what the upstream must answer to the key.
pub struct Opening {
    accept: String,
}

/// Makes an upgrade of a CONNECT for WebSocket, and leaves any other request as it is.
pub fn begin<B>(request: &mut Request<B>) -> Option<Opening> {
    let protocol = request.extensions().get::<Protocol>()?;
    if request.method() != Method::CONNECT || protocol.as_str() != "websocket" {
        return None;
    }
    let mut nonce = [0; 16];
    aws_lc_rs::rand::fill(&mut nonce).ok()?;
    let key = STANDARD.encode(nonce);
    let accept = proof(&key);
    *request.method_mut() = Method::GET;
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).ok()?);
    Some(Opening { accept })
}

impl Opening {
    /// The answer to the CONNECT. What succeeds would open the stream for the client, so only a change of protocol may.
    pub fn answer(self, worker: &Worker, mut response: Response) -> Response {
        let status = response.status();
        if !status.is_success() && status != StatusCode::SWITCHING_PROTOCOLS {
            return response;
        }
        let accept = response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
        let is_proven = accept.is_some_and(|accept| accept.as_bytes() == self.accept.as_bytes());
        if status == StatusCode::SWITCHING_PROTOCOLS && is_proven {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(CONNECTION);
            response.headers_mut().remove(UPGRADE);
            return response;
        }
        let error = ProxyError::new(Kind::UpstreamProtocol, "the upstream does not agree to WebSocket");
        worker.report(&error);
        error.response()
    }
}

fn proof(key: &str) -> String {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key.as_bytes());
    context.update(GUID);
    STANDARD.encode(context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_standards_example() {
        assert_eq!(proof("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn only_a_connect_for_websocket_is_translated() {
        for (method, protocol) in [
            (Method::CONNECT, None),
            (Method::CONNECT, Some(Protocol::from_static("connect-udp"))),
            (Method::GET, Some(Protocol::from_static("websocket"))),
        ] {
            let mut request =
                Request::builder().method(method.clone()).uri("https://a.test/").body(()).unwrap();
            request.extensions_mut().extend(
                protocol
                    .map(|protocol| {
                        let mut extensions = ::http::Extensions::new();
                        extensions.insert(protocol);
                        extensions
                    })
                    .unwrap_or_default(),
            );
            assert!(begin(&mut request).is_none());
            assert_eq!(request.method(), method);
        }
    }
}
