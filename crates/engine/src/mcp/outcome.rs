//! The result of a tool call: what the exchange's response becomes for a model. A body is given alone and once: JSON
//! and text as text, pictures and sounds as such, other bytes as a resource; an error with what to do about it.

use super::advice::{Called, advice};
use super::cut::{compact, cut_json, cut_text};
use crate::http::{Body, BoxError};
use ::http::{StatusCode, header, response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde_json::value::RawValue;

/// Bytes of a response that are read at most; the rest is left unread.
const MOST_BYTES: usize = 8 << 20;

/// `CallToolResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    content: Vec<Block>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<Box<RawValue>>,
    is_error: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Block {
    Text { text: String },
    Image(Media),
    Audio(Media),
    Resource { resource: Blob },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Media {
    data: String,
    mime_type: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    uri: String,
    mime_type: String,
    blob: String,
}

/// How the result is to be written.
pub struct Form<'a> {
    pub max_characters: usize,
    /// The tool has an outputSchema: JSON is given as `structuredContent` too, which its clients insist on.
    pub structured: bool,
    /// The address that was called, to name bytes by.
    pub uri: &'a str,
}

impl Outcome {
    /// An error that is told in `text`.
    pub fn error(text: String) -> Self {
        Self { content: vec![Block::Text { text }], structured_content: None, is_error: true }
    }

    fn blocks(content: Vec<Block>) -> Self {
        Self { content, structured_content: None, is_error: false }
    }

    fn text(text: String) -> Self {
        Self::blocks(vec![Block::Text { text }])
    }

    /// Adds a remark after the content.
    pub fn remark(&mut self, text: String) {
        self.content.push(Block::Text { text });
    }

    /// The result for a response.
    pub async fn of(head: &response::Parts, body: Body, called: &Called<'_>, form: &Form<'_>) -> Self {
        let read = read(body).await;
        if !head.status.is_success() {
            let text = advice(head.status, &head.headers, called);
            let Ok(read) = read else { return Self::error(text) };
            return match Content::of(head, read) {
                Content::Json(json) => {
                    Self::error(format!("{text}\n{}", cut_json(json, form.max_characters)))
                }
                Content::Text(body) if !body.trim().is_empty() => {
                    Self::error(format!("{text}\n{}", cut_text(body, form.max_characters)))
                }
                _ => Self::error(text),
            };
        }
        let Ok(read) = read else {
            return Self::error("The answer broke off before its end. Try again later.".into());
        };
        let too_large = read.is_cut;
        match Content::of(head, read) {
            Content::Nothing => {
                let reason = head.status.canonical_reason().unwrap_or("success");
                Self::text(format!("Done: HTTP {} {reason}, without content.", head.status.as_u16()))
            }
            Content::Json(json) => {
                let structured = form.structured.then(|| RawValue::from_string(json.clone()).ok()).flatten();
                let mut outcome = Self::text(cut_json(json, form.max_characters));
                outcome.structured_content = structured;
                outcome
            }
            Content::Text(text) => Self::text(cut_text(text, form.max_characters)),
            Content::Encoded(coding) => Self::error(format!(
                "The answer is encoded as {coding}, which was not asked for and cannot be read here. Tell the user."
            )),
            Content::Bytes { .. } if too_large => Self::error(format!(
                "The answer has more than {} MiB of bytes, which is too much for a tool's result.",
                MOST_BYTES >> 20
            )),
            Content::Bytes { mime_type, bytes } => {
                let data = STANDARD.encode(bytes);
                let block = match mime_type.split('/').next() {
                    Some("image") => Block::Image(Media { data, mime_type }),
                    Some("audio") => Block::Audio(Media { data, mime_type }),
                    _ => {
                        Block::Resource { resource: Blob { uri: form.uri.to_owned(), mime_type, blob: data } }
                    }
                };
                Self::blocks(vec![block])
            }
        }
    }
}

struct Read {
    bytes: Vec<u8>,
    /// There was more than is read.
    is_cut: bool,
}

async fn read(mut body: Body) -> Result<Read, BoxError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = MOST_BYTES - bytes.len();
        bytes.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            return Ok(Read { bytes, is_cut: true });
        }
    }
    Ok(Read { bytes, is_cut: false })
}

/// A body by what it is.
enum Content {
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
    fn of(head: &response::Parts, read: Read) -> Self {
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
            match String::from_utf8(read.bytes) {
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
        Self::Bytes { mime_type: essence, bytes: read.bytes }
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

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::{HeaderName, Method, Response};
    use serde_json::{Value, json};

    fn outcome(status: u16, content_type: &str, body: &[u8]) -> Value {
        let mut response = Response::builder().status(status);
        if !content_type.is_empty() {
            response = response.header("content-type", content_type);
        }
        let (head, body) = response.body(Body::from(body.to_vec())).unwrap().into_parts();
        let credential_headers = [HeaderName::from_static("apikey")];
        let called =
            Called { method: &Method::GET, credential_headers: &credential_headers, had_credential: false };
        let form = Form { max_characters: 1000, structured: false, uri: "http://api.example.com/a" };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        serde_json::to_value(runtime.block_on(Outcome::of(&head, body, &called, &form))).unwrap()
    }

    fn text(status: u16, content_type: &str, body: &str) -> (String, bool) {
        let outcome = outcome(status, content_type, body.as_bytes());
        assert_eq!(outcome["content"].as_array().unwrap().len(), 1, "{outcome}");
        assert_eq!(outcome["content"][0]["type"], "text");
        (outcome["content"][0]["text"].as_str().unwrap().to_owned(), outcome["isError"].as_bool().unwrap())
    }

    #[test]
    fn json_is_given_alone_and_compact() {
        let expected = (r#"{"a":[1,2.50]}"#.to_owned(), false);
        assert_eq!(text(200, "application/json; charset=utf-8", "{ \"a\": [1, 2.50] }"), expected);
        assert_eq!(text(201, "application/hal+json", "{ \"a\": [1, 2.50] }"), expected);
        assert_eq!(text(200, "", "{ \"a\": [1, 2.50] }"), expected);
        assert_eq!(text(200, "application/json", "not json").0, "not json");
    }

    #[test]
    fn text_stays_as_it_is() {
        assert_eq!(text(200, "text/csv", "a, b\n"), ("a, b\n".to_owned(), false));
        assert_eq!(text(200, "image/svg+xml", "<svg/>"), ("<svg/>".to_owned(), false));
        let latin = outcome(200, "text/plain; charset=ISO-8859-1", b"caf\xe9");
        assert_eq!(latin["content"][0]["text"], "café");
    }

    #[test]
    fn an_empty_answer_says_its_status() {
        assert_eq!(text(204, "", ""), ("Done: HTTP 204 No Content, without content.".to_owned(), false));
        assert_eq!(text(200, "application/json", "").0, "Done: HTTP 200 OK, without content.");
    }

    #[test]
    fn pictures_sounds_and_other_bytes_have_blocks_of_their_own() {
        let data = json!({"type": "image", "data": "aGV5", "mimeType": "image/png"});
        assert_eq!(outcome(200, "image/png", b"hey"), json!({"content": [data], "isError": false}));
        assert_eq!(outcome(200, "audio/mpeg", b"hey")["content"][0]["type"], "audio");
        let resource =
            json!({"uri": "http://api.example.com/a", "mimeType": "application/pdf", "blob": "aGV5"});
        let pdf = outcome(200, "application/pdf", b"hey");
        assert_eq!(pdf["content"][0], json!({"type": "resource", "resource": resource}));
        assert_eq!(outcome(200, "", b"\xff\xfe")["content"][0]["type"], "resource");
    }

    #[test]
    fn an_error_says_the_status_what_to_do_and_the_body() {
        let (text_, is_error) = text(404, "application/json", "{ \"detail\": \"no speaker 5\" }");
        assert!(is_error);
        assert!(text_.starts_with("HTTP 404 Not Found. There is nothing with this name or id"), "{text_}");
        assert!(text_.ends_with("\n{\"detail\":\"no speaker 5\"}"), "{text_}");
        assert!(text(302, "text/html", "").1);
        assert!(text(500, "image/png", "xx").0.starts_with("HTTP 500 Internal Server Error. "));
    }

    #[test]
    fn long_answers_are_cut_and_huge_ones_not_read_to_the_end() {
        let (list, _) = text(200, "application/json", &format!("[{}0]", "1, ".repeat(2000)));
        assert!(list.chars().count() <= 1000 && list.contains("of 2001 items are shown"));
        let huge = vec![b'x'; MOST_BYTES + 10];
        assert!(outcome(200, "text/plain", &huge)["content"][0]["text"].as_str().unwrap().contains("[Cut:"));
        assert_eq!(outcome(200, "image/png", &huge)["isError"], true);
    }
}
