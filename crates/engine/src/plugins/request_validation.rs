//! `request-validation`: holds headers and body of a request against JSON Schemas that the user writes.
//!
//! Fields, statuses and messages are Apache APISIX's; `wording` has the messages. Other than there, callers are known
//! before anything is looked at, bodies are bounded, and JSON with a name twice is refused, since the upstream might read
//! the other one.

mod wording;

use super::{Build, BuildContext, Flow, Plugin};
use crate::error::{Kind, ProxyError};
use crate::exchange::Exchange;
use crate::http::{Body, Response};
use crate::schema::{self, CHECKING, EXPLAINING, Meter, Metered, Part, read_json, shown};
use crate::variable::{arguments, decoded};
use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use jsonschema::Validator;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Bytes of a body that is looked at where nothing else is set.
const BODY: usize = 1 << 20;
const LARGEST: usize = 100 << 20;

/// Holds headers and body against schemas; one of the two must be given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// JSON Schema (draft 7, or as its `$schema` says) of the headers, an object of texts. Names of headers may be
    /// written in any letter case; one that is repeated is a list.
    #[serde(default)]
    header_schema: Option<Map<String, Value>>,
    /// JSON Schema of the body: JSON, or an object of texts where it is application/x-www-form-urlencoded.
    #[serde(default)]
    body_schema: Option<Map<String, Value>>,
    /// The status of a refusal, 200 to 599.
    #[serde(default = "default_rejected_code")]
    #[schemars(range(min = 200, max = 599))]
    rejected_code: u16,
    /// The text of a refusal, 1 to 256 characters. Without it, the text says what is wrong.
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    rejected_msg: Option<String>,
    /// Bytes of a body that is looked at, 1 to 104857600; a larger one is refused with 413.
    #[serde(default = "default_max_body_bytes")]
    #[schemars(range(min = 1, max = LARGEST))]
    max_body_bytes: usize,
}

const fn default_rejected_code() -> u16 {
    400
}

const fn default_max_body_bytes() -> usize {
    BODY
}

/// The plugin.
pub struct RequestValidation {
    headers: Option<Validator<Metered>>,
    body: Option<Validator<Metered>>,
    rejected_code: StatusCode,
    rejected_msg: Option<String>,
    max_body_bytes: usize,
}

impl Build for RequestValidation {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        if config.header_schema.is_none() && config.body_schema.is_none() {
            return Err("needs header_schema or body_schema".into());
        }
        let rejected_code = Some(config.rejected_code).filter(|code| (200..600).contains(code));
        let rejected_code = rejected_code.and_then(|code| StatusCode::from_u16(code).ok());
        if config.rejected_msg.as_ref().is_some_and(|text| !(1..=256).contains(&text.chars().count())) {
            return Err("rejected_msg: must have 1 to 256 characters".into());
        }
        if !(1..=LARGEST).contains(&config.max_body_bytes) {
            return Err(format!("max_body_bytes: must be 1 to {LARGEST}"));
        }
        let compiled = |name: &str, schema: Option<Map<String, Value>>| {
            let schema = schema.map(|schema| schema::compile_as_written(&Value::Object(schema)));
            schema.transpose().map_err(|why| format!("{name}: {why}"))
        };
        Ok(Self {
            headers: compiled("header_schema", config.header_schema.map(in_lower_case))?,
            body: compiled("body_schema", config.body_schema)?,
            rejected_code: rejected_code.ok_or("rejected_code: must be 200 to 599")?,
            rejected_msg: config.rejected_msg,
            max_body_bytes: config.max_body_bytes,
        })
    }
}

impl Plugin for RequestValidation {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if let Some(schema) = &self.headers
            && let Some(why) = complaint(schema, &object_of(&exchange.request.headers))
        {
            return Flow::Respond(self.refuse(&why));
        }
        match &self.body {
            Some(schema) => Flow::Wait(Box::pin(self.check_body(exchange, schema))),
            None => Flow::Continue,
        }
    }
}

impl RequestValidation {
    async fn check_body(&self, exchange: &mut Exchange, schema: &Validator<Metered>) -> Option<Response> {
        let read = exchange.read_ahead(self.max_body_bytes).await;
        let too_large =
            || ProxyError::new(Kind::BodyTooLarge, "request-validation: too large to be looked at");
        let bytes = match read.and_then(|bytes| bytes.ok_or_else(too_large)) {
            Ok(bytes) => bytes,
            Err(error) => {
                let response = error.response();
                exchange.record.note(error);
                return Some(response);
            }
        };
        if bytes.is_empty() {
            return Some(self.refuse("the body is missing"));
        }
        let mut encodings = exchange.request.headers.get_all(header::CONTENT_ENCODING).iter();
        if encodings.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Some(self.refuse("the body has a Content-Encoding"));
        }
        let value = match is_form(&exchange.request.headers) {
            true => std::str::from_utf8(&bytes).map(fields).map_err(|error| error.to_string()),
            false => read_json(&bytes).map_err(|error| shown(&error)),
        };
        match value {
            Ok(value) => complaint(schema, &value).map(|why| self.refuse(&why)),
            Err(why) => Some(self.refuse(&why)),
        }
    }

    fn refuse(&self, why: &str) -> Response {
        let text = self.rejected_msg.as_deref().unwrap_or(why);
        let mut response = Response::new(Body::from(text.as_bytes().to_vec()));
        *response.status_mut() = self.rejected_code;
        let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }
}

/// What is wrong with `value`; none: nothing.
fn complaint(schema: &Validator<Metered>, value: &Value) -> Option<String> {
    let checking = Meter::new(CHECKING);
    if schema.is_valid(Part::new(value, &checking)) && !checking.is_spent() {
        return None;
    }
    let explaining = Meter::new(EXPLAINING);
    let mut errors = schema.iter_errors(Part::new(value, &explaining));
    if checking.is_spent() || explaining.is_spent() {
        return Some("the request is too large, or nested too deeply, to be checked".to_owned());
    }
    Some(errors.next().map_or_else(String::new, |error| wording::words(&error)))
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let name = b"application/x-www-form-urlencoded";
    value.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// Headers as an object; what is not UTF-8 is replaced.
fn object_of(headers: &HeaderMap) -> Value {
    let mut found = Map::new();
    for (name, value) in headers {
        add(&mut found, name.as_str(), String::from_utf8_lossy(value.as_bytes()).into());
    }
    found.into()
}

/// The fields of a form as an object; one without `=` is true.
fn fields(form: &str) -> Value {
    let mut found = Map::new();
    for part in form.split('&').filter(|part| !part.is_empty()) {
        for (name, value) in arguments(part) {
            let value = if part.contains('=') { decoded(value).into() } else { Value::Bool(true) };
            add(&mut found, &decoded(name), value);
        }
    }
    found.into()
}

/// What comes again makes a list.
fn add(found: &mut Map<String, Value>, name: &str, value: Value) {
    match found.get_mut(name) {
        None => _ = found.insert(name.to_owned(), value),
        Some(Value::Array(several)) => several.push(value),
        Some(one) => *one = Value::Array(vec![one.take(), value]),
    }
}

/// The schema with the names of headers as requests have them.
fn in_lower_case(mut schema: Map<String, Value>) -> Map<String, Value> {
    for (keyword, value) in &mut schema {
        match (keyword.as_str(), value) {
            (
                "properties" | "dependencies" | "dependentRequired" | "dependentSchemas",
                Value::Object(members),
            ) => {
                let named = std::mem::take(members).into_iter();
                *members = named.map(|(name, part)| (name.to_ascii_lowercase(), lowered(part))).collect();
            }
            ("required", Value::Array(names)) => {
                names.iter_mut().for_each(|name| *name = lowered(name.take()))
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts.iter_mut().for_each(|part| *part = with_lower_case(part.take()));
            }
            ("not" | "if" | "then" | "else", part) => *part = with_lower_case(part.take()),
            _ => {}
        }
    }
    schema
}

fn with_lower_case(schema: Value) -> Value {
    match schema {
        Value::Object(schema) => in_lower_case(schema).into(),
        other => other,
    }
}

/// Names in lower case; a schema stays as it is.
fn lowered(value: Value) -> Value {
    match value {
        Value::String(name) => name.to_ascii_lowercase().into(),
        Value::Array(names) => names.into_iter().map(lowered).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests;
