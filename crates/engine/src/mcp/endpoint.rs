//! The endpoint over HTTP: what is refused before a message is read, which method answers it, and with which status.
//! One POST is one message; there are no streams and no sessions, so any worker can answer anything.

use super::app::McpApp;
use super::call::{Caller, call};
use super::era::{Era, check_legacy, check_modern, check_modern_notification, era, head};
use super::message::{Code, Fault, Message, Params, answer, decode, text};
use super::showing::shown;
use crate::error::{Kind, ProxyError};
use crate::exchange::{Carrier, Exchange};
use crate::http::{Body, Response};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Answers a request to an app's MCP endpoint.
pub async fn serve(exchange: &mut Exchange, app: &Arc<McpApp>) -> Result<Response, ProxyError> {
    let headers = &exchange.request.headers;
    if !app.origins.admit(headers) {
        let fault = Fault::new(Code::InvalidRequest, "Pages of this Origin are not let in");
        return Ok(fault.response(StatusCode::FORBIDDEN, None));
    }
    match exchange.request.method {
        Method::POST => {}
        Method::OPTIONS => return Ok(empty(StatusCode::NO_CONTENT, true)),
        _ => return Ok(empty(StatusCode::METHOD_NOT_ALLOWED, true)),
    }
    if !says_json(headers) {
        let fault = Fault::new(Code::InvalidRequest, "Content-Type must be application/json");
        return Ok(fault.response(StatusCode::UNSUPPORTED_MEDIA_TYPE, None));
    }
    if !takes_json(headers) {
        let fault =
            Fault::new(Code::InvalidRequest, "Accept must list application/json and text/event-stream");
        return Ok(fault.response(StatusCode::NOT_ACCEPTABLE, None));
    }
    let body = body(exchange).await?;
    Ok(message(exchange, app, &body).await)
}

async fn message(exchange: &mut Exchange, app: &McpApp, body: &[u8]) -> Response {
    let message = match decode(body) {
        Ok(message) => message,
        Err((fault, id)) => {
            return fault.response(status(&fault, era(&exchange.request.headers, None)), id);
        }
    };
    match message {
        Message::Request { id, method, params } => {
            let era = era(&exchange.request.headers, params.meta);
            match request(exchange, app, era, &method, &params).await {
                Ok(parts) => answer(id, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>()),
                Err(fault) => fault.response(status(&fault, era), Some(id)),
            }
        }
        Message::Notification { method, params } => {
            let headers = &exchange.request.headers;
            let checked = match era(headers, params.meta) {
                Era::Legacy => check_legacy(headers),
                Era::Modern => check_modern_notification(headers, &method, params.meta),
            };
            match checked {
                Ok(()) => empty(StatusCode::ACCEPTED, false),
                Err(fault) => fault.response(StatusCode::BAD_REQUEST, None),
            }
        }
        // A modern client must not send answers; a legacy one answers requests that this server never makes.
        Message::Answer => match era(&exchange.request.headers, None) {
            Era::Legacy => empty(StatusCode::ACCEPTED, false),
            Era::Modern => {
                let fault =
                    Fault::new(Code::InvalidRequest, "The message must be a request or a notification");
                fault.response(StatusCode::BAD_REQUEST, None)
            }
        },
    }
}

/// The result of a request, in parts.
async fn request(
    exchange: &mut Exchange,
    app: &McpApp,
    era: Era,
    method: &str,
    params: &Params<'_>,
) -> Result<Vec<Vec<u8>>, Fault> {
    let headers = &exchange.request.headers;
    match era {
        Era::Legacy => check_legacy(headers)?,
        Era::Modern => check_modern(headers, method, params)?,
    }
    // What a credential was needed for, only that caller may keep.
    let scope = if exchange.identity.is_some() { "private" } else { "public" };
    match (method, era) {
        ("initialize", Era::Legacy) => {
            let asked = text(params.protocol_version).ok_or_else(|| {
                Fault::new(Code::InvalidParams, "`params.protocolVersion` must be a string")
            })?;
            Ok(vec![app.listing.initialize(&asked)])
        }
        ("ping", Era::Legacy) => Ok(vec![b"{}".to_vec()]),
        ("server/discover", Era::Modern) => Ok(vec![app.listing.discover(scope)]),
        ("tools/list", _) => {
            let bad_cursor =
                || Fault::new(Code::InvalidParams, "`params.cursor` is not a cursor of this list");
            let cursor = params.cursor.map(|raw| text(Some(raw)).ok_or_else(bad_cursor)).transpose()?;
            let shown = shown(exchange, app).await;
            let list = app.listing.tools(cursor.as_deref(), era, scope, shown.as_deref());
            list.map(|list| vec![list]).ok_or_else(bad_cursor)
        }
        ("tools/call", _) => tools_call(exchange, app, era, params).await,
        (method, _) => Err(Fault::new(Code::MethodNotFound, format!("Method not found: {}", head(method)))),
    }
}

async fn tools_call(
    exchange: &Exchange,
    app: &McpApp,
    era: Era,
    params: &Params<'_>,
) -> Result<Vec<Vec<u8>>, Fault> {
    let invalid = |message: String| Fault::new(Code::InvalidParams, message);
    let name = text(params.name).ok_or_else(|| invalid("`params.name` must be a string".into()))?;
    let Some(tool) = app.tool(&name) else {
        let near = app.near(&name).map(|near| format!(". Did you mean {near}?")).unwrap_or_default();
        return Err(invalid(format!("Unknown tool: {}{near}", head(&name))));
    };
    let arguments = arguments(params.arguments).map_err(invalid)?;
    let caller = Caller {
        worker: &exchange.worker,
        generation: &exchange.generation,
        headers: &exchange.request.headers,
        queries: [exchange.request.uri.query().unwrap_or_default(), &exchange.withheld_query],
        arrival: &exchange.arrival,
        carrier: Some(Carrier {
            consumer: exchange.identity.as_ref().map(|identity| identity.consumer.clone()),
        }),
    };
    let mut outcome = call(&caller, app, tool, &name, arguments).await;
    let meta = outcome.take_meta();
    let result =
        outcome.json().map_err(|_| Fault::new(Code::InternalError, "The result could not be written"))?;
    // Both are objects: the opening takes the place of the result's brace.
    Ok(vec![app.listing.opening(era, meta.as_ref()), result.get(1..).unwrap_or_default().to_vec()])
}

/// A call's arguments; absent and null are none. Deeper than 128 levels is refused by the parser.
pub(super) fn arguments(
    raw: Option<&RawValue>,
) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(serde_json::Map::new()),
        Some(json) => serde_json::from_str(json)
            .map_err(|error| format!("`params.arguments` must be an object: {error}")),
    }
}

/// HTTP statuses of errors: the modern era has one for each; the legacy era answers a request that it could read with
/// 200 (2026-07-28 and 2025-11-25, basic/transports).
const fn status(fault: &Fault, era: Era) -> StatusCode {
    match (fault.code, era) {
        (Code::MethodNotFound, Era::Modern) => StatusCode::NOT_FOUND,
        (Code::MethodNotFound | Code::InvalidParams | Code::InternalError, Era::Legacy)
        | (Code::InternalError, Era::Modern) => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    }
}

async fn body(exchange: &mut Exchange) -> Result<Bytes, ProxyError> {
    let limit = exchange.generation.limits.mcp_body_bytes;
    let too_large = || ProxyError::new(Kind::BodyTooLarge, format!("an MCP message may have {limit} bytes"));
    let mut body = std::mem::replace(&mut exchange.body, Body::Empty);
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(too_large());
    }
    if let Body::Bytes(bytes) = body {
        exchange.record.bytes_received += bytes.len() as u64;
        return Ok(bytes);
    }
    let mut bytes = Vec::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ProxyError::of_client_body(error.as_ref()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    exchange.record.bytes_received += bytes.len() as u64;
    Ok(bytes.into())
}

/// A page of another origin can only send `application/json` after a preflight, so nothing else is taken.
fn says_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Clients must list both types; many send less, and `*/*` or nothing at all will do.
fn takes_json(headers: &HeaderMap) -> bool {
    const TAKEN: &[&str] = &["application/json", "text/event-stream", "application/*", "*/*"];
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    values.peek().is_none()
        || values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|part| {
            let essence = part.split(';').next().unwrap_or_default().trim();
            TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(essence))
        })
}

fn empty(status: StatusCode, with_allow: bool) -> Response {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    if with_allow {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn takes_what_admits_json_or_a_stream_and_what_says_nothing() {
        assert!(takes_json(&HeaderMap::new()));
        for accept in
            ["application/json, text/event-stream", "*/*", "text/event-stream;q=0.5", "Application/JSON"]
        {
            assert!(takes_json(&headers(header::ACCEPT, accept)), "{accept}");
        }
        assert!(!takes_json(&headers(header::ACCEPT, "text/html, image/*")));
    }

    #[test]
    fn a_body_must_say_that_it_is_json() {
        assert!(says_json(&headers(header::CONTENT_TYPE, "application/json; charset=utf-8")));
        assert!(!says_json(&headers(header::CONTENT_TYPE, "text/plain")));
        assert!(!says_json(&HeaderMap::new()));
    }

    #[test]
    fn arguments_are_an_object_of_bounded_depth() {
        let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).unwrap();
        assert!(arguments(None).unwrap().is_empty());
        assert!(arguments(Some(&raw("null"))).unwrap().is_empty());
        assert_eq!(arguments(Some(&raw(r#"{"a":1}"#))).unwrap().len(), 1);
        assert!(arguments(Some(&raw("[]"))).is_err());
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(arguments(Some(&raw(&deep))).is_err());
    }

    #[test]
    fn statuses_follow_the_era() {
        let fault = |code| Fault::new(code, "");
        assert_eq!(status(&fault(Code::MethodNotFound), Era::Modern), 404);
        assert_eq!(status(&fault(Code::MethodNotFound), Era::Legacy), 200);
        assert_eq!(status(&fault(Code::InvalidParams), Era::Modern), 400);
        assert_eq!(status(&fault(Code::InvalidParams), Era::Legacy), 200);
        assert_eq!(status(&fault(Code::HeaderMismatch), Era::Modern), 400);
        assert_eq!(status(&fault(Code::ParseError), Era::Legacy), 400);
        assert_eq!(status(&fault(Code::UnsupportedProtocolVersion), Era::Legacy), 400);
    }
}
