//! The result of a tool call: what the exchange's response becomes for a model. A body is given alone and once: JSON
//! and text as text, pictures and sounds as such, other bytes as a resource; an error with what to do about it.

use super::advice::{Called, advice, bearer_challenges};
use super::content::{Content, MOST_BYTES, read};
use super::cut::{cut_json, cut_text};
use super::escaping::push_string;
use super::schema::OutputSchema;
use crate::http::Body;
use ::http::{StatusCode, response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt::Display;

/// `CallToolResult`.
#[derive(Debug)]
pub struct Outcome {
    meta: Option<Meta>,
    content: Vec<Block>,
    structured_content: Option<Box<RawValue>>,
    is_error: bool,
}

/// What a result says to the client and not to the model.
#[derive(Debug, Serialize)]
pub struct Meta {
    /// Challenges at which ChatGPT has its user sign in.
    #[serde(rename = "mcp/www_authenticate")]
    pub www_authenticate: Vec<String>,
}

#[derive(Debug)]
enum Block {
    Text(String),
    Other(Other),
}

/// Content that is no text.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Other {
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
    /// Of text, of base64, and of `structuredContent` as JSON.
    pub max_characters: usize,
    /// The tool's outputSchema. JSON is then given as `structuredContent` too, on which its clients insist.
    pub output: Option<&'a OutputSchema>,
    /// The address that was called, to name bytes by.
    pub address: &'a dyn Display,
}

impl Outcome {
    /// An error that is told in `text`.
    pub fn error(text: String) -> Self {
        Self { is_error: true, ..Self::text(text) }
    }

    fn block(block: Block) -> Self {
        Self { meta: None, content: vec![block], structured_content: None, is_error: false }
    }

    fn text(text: String) -> Self {
        Self::block(Block::Text(text))
    }

    /// Adds a remark after the content.
    pub fn remark(&mut self, text: String) {
        self.content.push(Block::Text(text));
    }

    /// The result as JSON, an object.
    ///
    /// # Errors
    /// Something cannot be written as JSON, which no part of a result is.
    pub fn json(&self) -> serde_json::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(64 + self.content.iter().map(Block::size).sum::<usize>());
        out.push(b'{');
        if let Some(meta) = &self.meta {
            out.extend_from_slice(b"\"_meta\":");
            serde_json::to_writer(&mut out, meta)?;
            out.push(b',');
        }
        out.extend_from_slice(b"\"content\":[");
        for (index, block) in self.content.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            block.write(&mut out)?;
        }
        out.push(b']');
        if let Some(structured) = &self.structured_content {
            out.extend_from_slice(b",\"structuredContent\":");
            out.extend_from_slice(structured.get().as_bytes());
        }
        out.extend_from_slice(if self.is_error { b",\"isError\":true}" } else { b",\"isError\":false}" });
        Ok(out)
    }

    /// Takes `_meta` out, for a result that has more to put there.
    pub fn take_meta(&mut self) -> Option<Meta> {
        self.meta.take()
    }

    /// The result for a response.
    pub async fn of(head: &response::Parts, body: Body, called: &Called<'_>, form: &Form<'_>) -> Self {
        let read = read(body).await;
        if !head.status.is_success() {
            let content = read.ok().map(|read| Content::of(head, read));
            return Self::failure(head, content, called, form);
        }
        let Ok(read) = read else {
            return Self::error("The answer broke off before its end. Try again later.".into());
        };
        let is_cut = read.is_cut;
        let content = Content::of(head, read);
        match (form.output, &content) {
            (Some(_), Content::Encoded(_)) | (None, _) => Self::success(head.status, content, is_cut, form),
            (Some(output), Content::Json(json)) => match structured(json, output, form.max_characters) {
                Ok(structured) => {
                    let outcome = Self::success(head.status, content, is_cut, form);
                    Self { structured_content: Some(structured), ..outcome }
                }
                Err(why) => Self::success(head.status, content, is_cut, form).unstructured(&why),
            },
            (Some(_), _) => Self::success(head.status, content, is_cut, form).unstructured("is not JSON"),
        }
    }

    /// Clients raise an error of their own for a result without the `structuredContent` that its tool promises, unless it
    /// is an error: only so does the model see the answer.
    fn unstructured(mut self, why: &str) -> Self {
        let text = format!(
            "The call was made and the API accepted it, so do not repeat it; but the answer {why}, other than this \
             tool's output schema says. The answer as it came:"
        );
        self.content.insert(0, Block::Text(text));
        self.is_error = true;
        self
    }

    fn failure(
        head: &response::Parts,
        content: Option<Content>,
        called: &Called<'_>,
        form: &Form<'_>,
    ) -> Self {
        let text = advice(head.status, &head.headers, called);
        let left = form.max_characters.saturating_sub(text.chars().count() + 1);
        let outcome = match content {
            Some(Content::Json(json)) => Self::error(format!("{text}\n{}", cut_json(json, left))),
            Some(Content::Text(body)) if !body.trim().is_empty() => {
                Self::error(format!("{text}\n{}", cut_text(body, left)))
            }
            _ => Self::error(text),
        };
        let challenges = bearer_challenges(head.status, &head.headers);
        let meta = (!challenges.is_empty()).then_some(Meta { www_authenticate: challenges });
        Self { meta, ..outcome }
    }

    fn success(status: StatusCode, content: Content, is_cut: bool, form: &Form<'_>) -> Self {
        match content {
            Content::Nothing => {
                let reason = status.canonical_reason().unwrap_or("success");
                Self::text(format!("Done: HTTP {} {reason}, without content.", status.as_u16()))
            }
            Content::Json(json) => Self::text(cut_json(json, form.max_characters)),
            Content::Text(text) => Self::text(cut_text(text, form.max_characters)),
            Content::Encoded(coding) => Self::error(format!(
                "The answer is encoded as {coding}, which was not asked for and cannot be read here. Tell the user."
            )),
            Content::Bytes { .. } if is_cut => Self::error(format!(
                "The answer has more than {} MiB of bytes, which is too much for a tool's result.",
                MOST_BYTES >> 20
            )),
            Content::Bytes { mime_type, bytes } => Self::bytes(mime_type, &bytes, form),
        }
    }

    /// Bytes cannot be cut: half a picture is none.
    fn bytes(mime_type: String, bytes: &[u8], form: &Form<'_>) -> Self {
        let characters = bytes.len().div_ceil(3) * 4;
        if characters > form.max_characters {
            return Self::error(format!(
                "The call was made, but its answer is too large for a result: {} bytes of {} are {characters} characters \
                 in base64, and a result may have {}. Ask for a smaller one if the arguments allow it, or tell the user.",
                bytes.len(),
                mime_type.chars().take(80).collect::<String>(),
                form.max_characters
            ));
        }
        let data = STANDARD.encode(bytes);
        Self::block(Block::Other(match mime_type.split('/').next() {
            Some("image") => Other::Image(Media { data, mime_type }),
            Some("audio") => Other::Audio(Media { data, mime_type }),
            _ => Other::Resource { resource: Blob { uri: form.address.to_string(), mime_type, blob: data } },
        }))
    }
}

impl Block {
    /// About as many bytes as are written.
    const fn size(&self) -> usize {
        match self {
            Self::Text(text) => 64 + text.len() + text.len() / 8,
            Self::Other(_) => 64,
        }
    }

    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Self::Text(text) => {
                out.extend_from_slice(b"{\"type\":\"text\",\"text\":");
                push_string(out, text);
                out.push(b'}');
                Ok(())
            }
            Self::Other(other) => serde_json::to_writer(out, other),
        }
    }
}

/// `json` as `structuredContent`, which is an object: anything else is wrapped in one. Numbers stay as they are written.
/// The error says what is wrong with the answer.
fn structured(json: &str, output: &OutputSchema, max_characters: usize) -> Result<Box<RawValue>, String> {
    if json.len() > max_characters && json.chars().count() > max_characters {
        return Err(format!("has more than the {max_characters} characters that a result may have"));
    }
    let json = if json.starts_with('{') { json.to_owned() } else { format!("{{\"result\":{json}}}") };
    let value: Value = serde_json::from_str(&json).map_err(|_| "is not JSON")?;
    let raw = RawValue::from_string(json).map_err(|_| "is not JSON")?;
    if output.fits(&value) { Ok(raw) } else { Err("does not fit".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::{HeaderName, Method, Response};
    use serde_json::json;

    fn outcome(status: u16, content_type: &str, body: &[u8]) -> Value {
        outcome_by(status, content_type, body, None)
    }

    fn outcome_by(status: u16, content_type: &str, body: &[u8], output: Option<&OutputSchema>) -> Value {
        let mut response = Response::builder().status(status);
        if !content_type.is_empty() {
            response = response.header("content-type", content_type);
        }
        let (head, body) = response.body(Body::from(body.to_vec())).unwrap().into_parts();
        let credential_headers = [HeaderName::from_static("apikey")];
        let called =
            Called { method: &Method::GET, credential_headers: &credential_headers, had_credential: false };
        let form = Form { max_characters: 1000, output, address: &"http://api.example.com/a" };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcome = runtime.block_on(Outcome::of(&head, body, &called, &form));
        serde_json::from_slice(&outcome.json().unwrap()).unwrap()
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

    #[test]
    fn an_error_with_its_body_is_never_longer_than_a_result_may_be() {
        for content_type in ["text/plain", "application/json"] {
            let (told, is_error) = text(400, content_type, &format!("[{}0]", "1, ".repeat(2000)));
            assert!(is_error && told.chars().count() <= 1000, "{}", told.chars().count());
        }
    }

    #[test]
    fn bytes_that_are_too_many_in_base64_are_refused_in_words() {
        assert_eq!(outcome(200, "image/png", &[0; 750])["content"][0]["type"], "image");
        for content_type in ["image/png", "audio/mpeg", "application/pdf"] {
            let outcome = outcome(200, content_type, &[0; 751]);
            assert_eq!(outcome["isError"], true);
            let told = outcome["content"][0]["text"].as_str().unwrap();
            assert!(told.contains(&format!("751 bytes of {content_type} are 1004 characters")), "{told}");
        }
    }

    #[test]
    fn structured_content_is_an_object_that_fits_the_output_schema() {
        let of = |property: Value| {
            let schema =
                json!({"type": "object", "properties": {"result": property}, "required": ["result"]});
            OutputSchema::build(&schema).unwrap()
        };
        let list = of(json!({"type": "array", "items": {"type": "integer"}}));
        let given = |body: &str| outcome_by(200, "application/json", body.as_bytes(), Some(&list));
        let text = json!([{"type": "text", "text": r#"{"result":[1]}"#}]);
        assert_eq!(
            given(r#"{"result": [1]}"#),
            json!({"content": text, "structuredContent": {"result": [1]}, "isError": false})
        );
        assert_eq!(given("[1, 2]")["structuredContent"], json!({"result": [1, 2]}));
        let long = format!("[{}0]", "1, ".repeat(2000));
        for (body, why) in
            [("[\"a\"]", "does not fit"), (&long, "more than the 1000 characters"), ("x", "not JSON")]
        {
            let outcome = given(body);
            assert_eq!(
                (&outcome["isError"], outcome.get("structuredContent")),
                (&json!(true), None),
                "{body}"
            );
            assert!(outcome["content"][0]["text"].as_str().unwrap().contains(why), "{outcome}");
            assert_eq!(outcome["content"].as_array().unwrap().len(), 2);
        }
        assert_eq!(outcome_by(204, "", b"", Some(&list))["isError"], true);
        assert_eq!(outcome_by(404, "", b"", Some(&list))["content"].as_array().unwrap().len(), 1);
    }
}
