//! JSON-RPC 2.0 messages as MCP uses them: one message a body, decoded without looking into arguments, and the answers.

use crate::error::CODE_HEADER;
use crate::http::{Body, Response};
use ::http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Bytes of an id as it is written.
const LONGEST_ID: usize = 1000;

/// Error codes of JSON-RPC 2.0 section 5.1, and those of MCP 2026-07-28, basic/index, error codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Code {
    ParseError,
    InvalidRequest,
    MethodNotFound,
    InvalidParams,
    InternalError,
    HeaderMismatch,
    UnsupportedProtocolVersion,
}

impl Code {
    pub const fn number(self) -> i32 {
        match self {
            Code::ParseError => -32700,
            Code::InvalidRequest => -32600,
            Code::MethodNotFound => -32601,
            Code::InvalidParams => -32602,
            Code::InternalError => -32603,
            Code::HeaderMismatch => -32020,
            Code::UnsupportedProtocolVersion => -32022,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Code::ParseError => "mcp_parse_error",
            Code::InvalidRequest => "mcp_invalid_request",
            Code::MethodNotFound => "mcp_method_not_found",
            Code::InvalidParams => "mcp_invalid_params",
            Code::InternalError => "mcp_internal",
            Code::HeaderMismatch => "mcp_header_mismatch",
            Code::UnsupportedProtocolVersion => "mcp_unsupported_version",
        }
    }
}

/// An error answer in the making.
#[derive(Debug)]
pub struct Fault {
    pub code: Code,
    pub message: String,
    pub data: Option<Value>,
}

impl Fault {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The answer with this HTTP status. `id` is the request's as it was written, none where it is not known.
    pub fn response(&self, status: StatusCode, id: Option<&RawValue>) -> Response {
        let body = ErrorAnswer {
            jsonrpc: "2.0",
            id,
            error: ErrorObject { code: self.code.number(), message: &self.message, data: self.data.as_ref() },
        };
        let mut response = json(status, serde_json::to_vec(&body).unwrap_or_default());
        response.headers_mut().insert(CODE_HEADER, HeaderValue::from_static(self.code.name()));
        response
    }
}

#[derive(Serialize)]
struct ErrorAnswer<'a> {
    jsonrpc: &'static str,
    id: Option<&'a RawValue>,
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// An answer whose result is `result`, the JSON of an object.
pub fn answer(id: &RawValue, result: &[&[u8]]) -> Response {
    let length = result.iter().map(|part| part.len()).sum::<usize>();
    let mut body = Vec::with_capacity(length + id.get().len() + 40);
    body.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    body.extend_from_slice(id.get().as_bytes());
    body.extend_from_slice(b",\"result\":");
    result.iter().for_each(|part| body.extend_from_slice(part));
    body.push(b'}');
    json(StatusCode::OK, body)
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// One message of a client.
#[derive(Debug)]
pub enum Message<'a> {
    Request {
        id: &'a RawValue,
        method: String,
        params: Params<'a>,
    },
    Notification {
        method: String,
        params: Params<'a>,
    },
    /// An answer to a request of ours; there are none.
    Answer,
}

/// The members of `params` that any method here reads, as they were written; an absent `params` has none.
#[derive(Debug, Default, Deserialize)]
pub struct Params<'a> {
    #[serde(borrow, default, rename = "_meta", deserialize_with = "present")]
    pub meta: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub name: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub uri: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub arguments: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub cursor: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "protocolVersion", deserialize_with = "present")]
    pub protocol_version: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    jsonrpc: String,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(default)]
    method: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// A member that is there even if it is null, which `Option` alone would take for absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The text of a JSON string; none for anything else.
pub fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// Decodes a body. The error comes with the request's id where that could be read.
pub fn decode(body: &[u8]) -> Result<Message<'_>, (Fault, Option<&RawValue>)> {
    let fault = |code, message: String| (Fault::new(code, message), None);
    let Ok(body) = std::str::from_utf8(body) else {
        return Err(fault(Code::ParseError, "The body is not UTF-8".into()));
    };
    // Most bodies are messages, so that they are is found out last.
    let envelope = match body.trim_ascii_start().as_bytes().first() {
        Some(b'{') => serde_json::from_str::<Envelope<'_>>(body),
        _ => Err(serde::de::Error::custom("it is no object")),
    };
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(error) => return Err(no_message(body, &error)),
    };
    let id = envelope.id.filter(|id| is_id(id));
    let invalid = |message: &str| Err((Fault::new(Code::InvalidRequest, message), id));
    if envelope.jsonrpc != "2.0" {
        return invalid("`jsonrpc` must be \"2.0\"");
    }
    if envelope.id.is_some() && id.is_none() {
        return invalid("`id` must be a string or an integer, of at most 1,000 bytes");
    }
    let Some(method) = envelope.method else {
        let is_answer = id.is_some() && (envelope.result.is_some() || envelope.error.is_some());
        return if is_answer { Ok(Message::Answer) } else { invalid("`method` is missing") };
    };
    let Some(id) = id else {
        // Nobody gets an answer that could tell what is wrong with the parameters.
        let params = envelope.params.and_then(|params| object(params).ok()).unwrap_or_default();
        return Ok(Message::Notification { method, params });
    };
    let params = envelope.params.map_or(Ok(Params::default()), |params| {
        object(params).map_err(|error| {
            let why = format!("`params` must be an object with each member once: {error}");
            (Fault::new(Code::InvalidParams, why), Some(id))
        })
    })?;
    Ok(Message::Request { id, method, params })
}

/// What is wrong with a body that is no message: it may be no JSON, or other JSON.
fn no_message<'a>(body: &str, error: &serde_json::Error) -> (Fault, Option<&'a RawValue>) {
    let (code, message) = match serde_json::from_str::<&RawValue>(body).map(RawValue::get) {
        Err(error) => (Code::ParseError, format!("The body is not JSON: {error}")),
        Ok(json) if json.starts_with('[') => {
            (Code::InvalidRequest, "A batch is not served: send one message".to_owned())
        }
        Ok(json) if json.starts_with('{') => {
            (Code::InvalidRequest, format!("The message is not valid: {error}"))
        }
        Ok(_) => (Code::InvalidRequest, "The body must be one JSON-RPC message".to_owned()),
    };
    (Fault::new(code, message), None)
}

/// Decodes an object; a list would pass for one otherwise.
pub fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, serde_json::Error> {
    match raw.get().as_bytes().first() {
        Some(b'{') => serde_json::from_str(raw.get()),
        _ => Err(serde::de::Error::custom("it is no object")),
    }
}

/// Answers repeat the id, so it has a longest length.
fn is_id(id: &RawValue) -> bool {
    let id = id.get();
    if id.len() > LONGEST_ID {
        return false;
    }
    let digits = id.strip_prefix('-').unwrap_or(id);
    id.starts_with('"') || (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> i32 {
        decode(body.as_bytes()).unwrap_err().0.code.number()
    }

    #[test]
    fn decodes_requests_notifications_and_answers() {
        let body = br#" {"jsonrpc":"2.0","id":"a\"b","method":"tools/call","params":{"name":"x","arguments":{"a":1.0}}}"#;
        let Message::Request { id, method, params } = decode(body).unwrap() else { panic!() };
        assert_eq!((id.get(), method.as_str()), (r#""a\"b""#, "tools/call"));
        assert_eq!(text(params.name).as_deref(), Some("x"));
        assert_eq!(params.arguments.unwrap().get(), r#"{"a":1.0}"#);
        let body = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert!(matches!(decode(body), Ok(Message::Notification { .. })));
        assert!(matches!(decode(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Ok(Message::Answer)));
    }

    #[test]
    fn tells_what_is_no_json_from_what_is_no_message() {
        assert_eq!(code("{"), -32700);
        assert_eq!(code(""), -32700);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#), -32700);
        assert_eq!(code("5"), -32600);
        assert_eq!(code(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#), -32600);
        assert_eq!(code(r#"{"id":1,"method":"ping"}"#), -32600);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1}"#), -32600);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":5}"#), -32600);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#), -32600);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#), -32600);
        let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(1000));
        assert_eq!(code(&long), -32600);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#), -32600);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#), -32602);
        assert_eq!(decode(b"\"\xff\"").unwrap_err().0.code.number(), -32700);
    }

    #[test]
    fn a_deeply_nested_body_costs_no_stack() {
        let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
        let head = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":"#;
        let body = format!("{head}{open}{close}}}}}");
        let Ok(Message::Request { params, .. }) = decode(body.as_bytes()) else { panic!() };
        assert_eq!(params.arguments.unwrap().get().len(), 2_000_000);
    }
}
