//! The two eras of MCP on one URL. A legacy client negotiates a version by `initialize` and then names it in a header;
//! a modern one (2026-07-28) says it in each request, in the body and in headers that must agree with it.

use super::message::{Code, Fault, Params, object, text};
use ::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

/// The modern revision that is spoken here.
pub const MODERN: &str = "2026-07-28";

/// The legacy revisions, the latest first. 2024-11-05 differs in nothing that is served here.
pub const LEGACY: &[&str] = &["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const VERSION_HEADER: &str = "mcp-protocol-version";
const METHOD_HEADER: &str = "mcp-method";
const NAME_HEADER: &str = "mcp-name";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Era {
    Legacy,
    Modern,
}

/// What `_meta` must hold in the modern era.
#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
}

/// The era of a message: modern where the header or `_meta` names a modern version, and only then.
pub fn era(headers: &HeaderMap, meta: Option<&RawValue>) -> Era {
    let in_body = decode(meta).and_then(|meta| text(meta.version));
    let in_header = headers.get(VERSION_HEADER).and_then(|value| value.to_str().ok());
    let is_modern = [in_body.as_deref(), in_header].into_iter().flatten().any(is_modern);
    if is_modern { Era::Modern } else { Era::Legacy }
}

/// Versions are dates, so their order is that of their texts. What is no date is of no era.
fn is_modern(version: &str) -> bool {
    let fits = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    version.len() == MODERN.len() && version.bytes().enumerate().all(fits) && version >= MODERN
}

/// Checks what a legacy message says of its version. Without the header a legacy client is taken to speak 2025-03-26,
/// which had none.
pub fn check_legacy(headers: &HeaderMap) -> Result<(), Fault> {
    match one(headers, VERSION_HEADER)? {
        Some(version) if !LEGACY.contains(&version) => Err(unsupported(version)),
        _ => Ok(()),
    }
}

/// Checks a modern notification: it has the headers of a request, but need not have `_meta`.
pub fn check_modern_notification(
    headers: &HeaderMap,
    method: &str,
    meta: Option<&RawValue>,
) -> Result<(), Fault> {
    let header = one(headers, VERSION_HEADER)?;
    let in_body = decode(meta).and_then(|meta| text(meta.version));
    let version = in_body.as_deref().or(header).unwrap_or(MODERN);
    agrees("MCP-Protocol-Version", header, version)?;
    agrees("Mcp-Method", one(headers, METHOD_HEADER)?, method)?;
    if version == MODERN { Ok(()) } else { Err(unsupported(version)) }
}

/// Checks a modern request: what `_meta` must hold, and that the headers say what the body says (2026-07-28,
/// basic/transports/streamable-http, server validation).
pub fn check_modern(headers: &HeaderMap, method: &str, params: &Params<'_>) -> Result<(), Fault> {
    let version_header = one(headers, VERSION_HEADER)?;
    let method_header = one(headers, METHOD_HEADER)?;
    let name_header = one(headers, NAME_HEADER)?;
    let meta = decode(params.meta).unwrap_or_default();
    let (Some(version), Some(_)) = (meta.version, meta.capabilities.filter(|it| it.get().starts_with('{')))
    else {
        return Err(Fault::new(
            Code::InvalidParams,
            "`params._meta` must be an object with `io.modelcontextprotocol/protocolVersion` and \
             `io.modelcontextprotocol/clientCapabilities`",
        ));
    };
    let version = text(Some(version)).unwrap_or_default();
    agrees("MCP-Protocol-Version", version_header, &version)?;
    agrees("Mcp-Method", method_header, method)?;
    let named = match method {
        "tools/call" | "prompts/get" => text(params.name),
        "resources/read" => text(params.uri),
        _ => None,
    };
    if let Some(named) = named {
        let decoded = name_header.map(decoded_header).transpose()?;
        agrees("Mcp-Name", decoded.as_deref(), &named)?;
    }
    if version == MODERN { Ok(()) } else { Err(unsupported(&version)) }
}

fn decode(meta: Option<&RawValue>) -> Option<Meta<'_>> {
    object(meta?).ok()
}

/// The header's value; a second one would leave open which of them others believe.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let mismatch = |what: &str| Fault::new(Code::HeaderMismatch, format!("Header mismatch: {name} {what}"));
    if values.next().is_some() {
        return Err(mismatch("is given more than once"));
    }
    value.to_str().map(Some).map_err(|_| mismatch("holds characters that a header cannot"))
}

fn agrees(name: &str, header: Option<&str>, body: &str) -> Result<(), Fault> {
    let why = match header {
        Some(header) if header == body => return Ok(()),
        Some(header) => {
            format!("Header mismatch: {name} is {:?}, and the body says {:?}", head(header), head(body))
        }
        None => format!("Header mismatch: {name} is missing, and the body says {:?}", head(body)),
    };
    Err(Fault::new(Code::HeaderMismatch, why))
}

/// As much of what a client said as an error repeats.
pub fn head(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Names outside of printable ASCII travel as `=?base64?...?=`.
fn decoded_header(value: &str) -> Result<String, Fault> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(value.to_owned());
    };
    let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| Fault::new(Code::HeaderMismatch, "Header mismatch: Mcp-Name is not valid base64"))
}

fn unsupported(version: &str) -> Fault {
    let supported: Vec<_> = std::iter::once(&MODERN).chain(LEGACY).collect();
    Fault {
        code: Code::UnsupportedProtocolVersion,
        message: "Unsupported protocol version".into(),
        data: Some(json!({"supported": supported, "requested": head(version)})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    const META: &str = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientCapabilities":{}},"name":"häuser"}"#;

    fn checked(pairs: &[(&'static str, &str)], method: &str, params: &str) -> i32 {
        let params: Params<'_> = serde_json::from_str(params).unwrap();
        check_modern(&headers(pairs), method, &params).map_or_else(|fault| fault.code.number(), |()| 0)
    }

    const VERSION: (&str, &str) = ("mcp-protocol-version", MODERN);

    #[test]
    fn the_era_is_modern_where_header_or_body_say_so() {
        let meta: &RawValue =
            serde_json::from_str(r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#).unwrap();
        let old: &RawValue =
            serde_json::from_str(r#"{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}"#).unwrap();
        assert_eq!(era(&headers(&[]), Some(meta)), Era::Modern);
        assert_eq!(era(&headers(&[VERSION]), None), Era::Modern);
        assert_eq!(era(&headers(&[("mcp-protocol-version", "2099-01-01")]), None), Era::Modern);
        assert_eq!(era(&headers(&[("mcp-protocol-version", "2025-11-25")]), Some(old)), Era::Legacy);
        for no_date in ["foo", "2026-07-28x", "2026-08-2", "9", "20260-7-28"] {
            assert_eq!(era(&headers(&[("mcp-protocol-version", no_date)]), None), Era::Legacy, "{no_date}");
        }
        assert_eq!(era(&headers(&[]), None), Era::Legacy);
    }

    #[test]
    fn headers_must_be_there_once_and_agree_with_the_body() {
        let method = ("mcp-method", "tools/call");
        let name = ("mcp-name", "=?base64?aMOkdXNlcg==?=");
        assert_eq!(checked(&[VERSION, method, name], "tools/call", META), 0);
        assert_eq!(checked(&[method, name], "tools/call", META), -32020);
        assert_eq!(checked(&[VERSION, name], "tools/call", META), -32020);
        assert_eq!(checked(&[VERSION, method], "tools/call", META), -32020);
        assert_eq!(checked(&[VERSION, method, ("mcp-name", "other")], "tools/call", META), -32020);
        assert_eq!(checked(&[VERSION, method, ("mcp-name", "=?base64?%?=")], "tools/call", META), -32020);
        assert_eq!(checked(&[VERSION, VERSION, method, name], "tools/call", META), -32020);
        assert_eq!(checked(&[VERSION, method, name], "tools/list", META), -32020);
        assert_eq!(checked(&[VERSION, ("mcp-method", "tools/list")], "tools/list", META), 0);
    }

    #[test]
    fn meta_must_say_version_and_capabilities() {
        let pairs = [VERSION, ("mcp-method", "tools/list")];
        for params in [
            "{}",
            r#"{"_meta":5}"#,
            r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
            r#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#,
        ] {
            assert_eq!(checked(&pairs, "tools/list", params), -32602, "{params}");
        }
    }

    #[test]
    fn an_unknown_version_is_told_which_there_are() {
        let params = META.replace(MODERN, "2099-01-01");
        let params: Params<'_> = serde_json::from_str(&params).unwrap();
        let pairs = [("mcp-protocol-version", "2099-01-01"), ("mcp-method", "ping")];
        let fault = check_modern(&headers(&pairs), "ping", &params).unwrap_err();
        assert_eq!(fault.code.number(), -32022);
        let data = fault.data.unwrap();
        assert_eq!(data["requested"], "2099-01-01");
        assert_eq!(data["supported"][0], MODERN);
        for unknown in ["1999-01-01", "foo"] {
            let legacy = check_legacy(&headers(&[("mcp-protocol-version", unknown)]));
            assert_eq!(legacy.unwrap_err().code.number(), -32022);
        }
        assert!(check_legacy(&headers(&[("mcp-protocol-version", "2025-03-26")])).is_ok());
        assert!(check_legacy(&headers(&[])).is_ok());
    }

    #[test]
    fn a_modern_notification_has_the_headers_of_a_request() {
        let checked = |pairs: &[(&'static str, &str)], meta: Option<&RawValue>| {
            check_modern_notification(&headers(pairs), "notifications/x", meta)
                .map_or_else(|fault| fault.code.number(), |()| 0)
        };
        let method = ("mcp-method", "notifications/x");
        let meta: &RawValue =
            serde_json::from_str(r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#).unwrap();
        assert_eq!(checked(&[VERSION, method], None), 0);
        assert_eq!(checked(&[VERSION, method], Some(meta)), 0);
        assert_eq!(checked(&[VERSION], None), -32020);
        assert_eq!(checked(&[VERSION, ("mcp-method", "notifications/y")], None), -32020);
        assert_eq!(checked(&[method], Some(meta)), -32020);
        assert_eq!(checked(&[("mcp-protocol-version", "2099-01-01"), method], None), -32022);
    }

    #[test]
    fn an_error_repeats_only_the_head_of_what_was_said() {
        let fault = agrees("Mcp-Name", None, &"x".repeat(1_000_000)).unwrap_err();
        assert!(fault.message.len() < 200);
        assert!(unsupported(&"x".repeat(1_000_000)).data.unwrap().to_string().len() < 300);
    }
}
