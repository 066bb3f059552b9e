//! What a response's body is: read up to a size, and then JSON, text or bytes by what the response says of it.

use super::compact::compact;
use crate::http::{Body, BoxError};
use ::http::{StatusCode, header, response};
use bytes::Bytes;
use http_body_util::BodyExt as _;

/// Bytes of a response that are read at most; the rest is left unread.
pub const MOST_BYTES: usize = 8 << 20;

/// A body that was read.
pub struct Read {
    bytes: Bytes,
    /// There was more than is read.
    pub is_cut: bool,
}

/// Reads a body to its end, or as much of it as is ever read.
pub async fn read(body: Body) -> Result<Read, BoxError> {
    let mut body = match body {
        Body::Bytes(bytes) if bytes.len() <= MOST_BYTES => return Ok(Read { bytes, is_cut: false }),
        body => body,
    };
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = MOST_BYTES - bytes.len();
        bytes.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            return Ok(Read { bytes: bytes.into(), is_cut: true });
        }
    }
    Ok(Read { bytes: bytes.into(), is_cut: false })
}

/// A body by what it is.
pub enum Content {
    Nothing,
    /// Compact.
    Json(String),
    Text(String),
    Bytes {
        mime_type: String,
        bytes: Vec<u8>,
    },
    /// In a content coding.
    Encoded(String),
}

impl Content {
    pub fn of(head: &response::Parts, read: Read) -> Self {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let coding = text(header::CONTENT_ENCODING).trim();
        let media_type = text(header::CONTENT_TYPE);
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if read.bytes.is_empty() || head.status == StatusCode::NO_CONTENT {
            return Self::Nothing;
        }
        if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
            return Self::Encoded(coding.chars().take(40).collect());
        }
        let says_json = essence.ends_with("/json") || essence.ends_with("+json") || essence.is_empty();
        if let Some(json) = says_json.then(|| compact(&read.bytes)).flatten() {
            return Self::Json(json);
        }
        if says_json || is_text(&essence) {
            if media_type.to_ascii_lowercase().contains("charset=iso-8859-1") {
                return Self::Text(read.bytes.iter().map(|byte| char::from(*byte)).collect());
            }
            match String::from_utf8(read.bytes.into()) {
                Ok(text) => return Self::Text(text),
                Err(error) if !essence.is_empty() => {
                    return Self::Text(String::from_utf8_lossy(error.as_bytes()).into_owned());
                }
                Err(error) => {
                    let mime_type = "application/octet-stream".into();
                    return Self::Bytes { mime_type, bytes: error.into_bytes() };
                }
            }
        }
        Self::Bytes { mime_type: essence, bytes: read.bytes.into() }
    }
}

/// Types whose content a model reads as text. Pictures in SVG are text too: no client shows them as a picture.
fn is_text(essence: &str) -> bool {
    const TEXTS: &[&str] = &[
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/jsonl",
        "application/sql",
        "application/toml",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    ];
    let suffix = essence.rsplit_once('+').map(|(_, suffix)| suffix);
    essence.starts_with("text/") || TEXTS.contains(&essence) || matches!(suffix, Some("xml" | "yaml"))
}
