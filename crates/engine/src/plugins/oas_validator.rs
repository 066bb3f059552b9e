//! `oas-validator`: holds requests to the operations of an api against what its OpenAPI document says of them.
//!
//! The shapes of operations are the api's, in the generation; here stand the settings, and what becomes of a request
//! that does not fit: all that is wrong is told at once, in words that a model can act on. A tool's call was made by
//! the gateway, of arguments that fitted the same schemas, so it is not looked at again.

use super::{Build, BuildContext, Flow, Place, Plugin};
use crate::api::{Api, Content, Contents, Mistake, Mistakes, Operation, Place as Where, unknown};
use crate::error::{CODE_HEADER, Kind, ProxyError, json_response};
use crate::exchange::Exchange;
use crate::http::Response;
use crate::near::near;
use crate::variable::{arguments, decoded, decodes_to};
use ::http::{HeaderValue, header};
use http_body::Body as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Holds requests against the OpenAPI document of their api.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What becomes of a request that does not fit.
    mode: Mode,
    /// What becomes of query arguments that the document does not name.
    unknown_query: Unknown,
    /// Bytes of a body that is looked at, 1 to 104857600.
    #[schemars(range(min = 1, max = LARGEST))]
    max_body_bytes: usize,
    /// What becomes of a body that has more bytes.
    large_body: Large,
    /// How many mistakes are told at once, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    max_mistakes: usize,
    /// The id of the api; set by itself for the operations of an api, needed on a route of your own.
    api: Option<String>,
    /// The id of the operation in that api, likewise.
    operation: Option<String>,
}

const LARGEST: usize = 100 << 20;

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            unknown_query: Unknown::default(),
            max_body_bytes: 1 << 20,
            large_body: Large::default(),
            max_mistakes: 10,
            api: None,
            operation: None,
        }
    }
}

/// What becomes of a request that does not fit.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It goes on; it is counted, and the access log says what is wrong.
    Report,
    /// Requests are not looked at.
    Off,
}

/// What becomes of query arguments that the document does not name.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Unknown {
    /// They go on.
    #[default]
    Allow,
    /// They are mistakes, but for those in which a plugin takes credentials.
    Refuse,
}

/// What becomes of a body that is too large to be looked at.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Large {
    /// It is refused with 413.
    #[default]
    Refuse,
    /// It goes on as it came, and nobody looked.
    Skip,
}

/// The plugin.
pub struct OasValidator {
    mode: Mode,
    refuses_unknown: bool,
    max_body_bytes: usize,
    skips_large: bool,
    max_mistakes: usize,
    api: Box<str>,
    operation: Box<str>,
}

impl Build for OasValidator {
    type Config = Config;

    fn build(config: Config, context: &BuildContext<'_>) -> Result<Self, String> {
        if !(1..=LARGEST).contains(&config.max_body_bytes) {
            return Err(format!("max_body_bytes: must be 1 to {LARGEST}"));
        }
        if !(1..=100).contains(&config.max_mistakes) {
            return Err("max_mistakes: must be 1 to 100".into());
        }
        if !matches!(context.place, Place::Route(_)) {
            return Err(
                "oas-validator is of one operation, so it belongs to an api, an operation or a route".into(),
            );
        }
        let (api, operation) = match (config.api, config.operation) {
            (Some(api), Some(operation)) => (api, operation),
            (None, None) if config.mode == Mode::Off => Default::default(),
            _ => return Err("a route of your own needs both \"api\" and \"operation\"".into()),
        };
        Ok(Self {
            mode: config.mode,
            refuses_unknown: config.unknown_query == Unknown::Refuse,
            max_body_bytes: config.max_body_bytes,
            skips_large: config.large_body == Large::Skip,
            max_mistakes: config.max_mistakes,
            api: api.into(),
            operation: operation.into(),
        })
    }
}

impl Plugin for OasValidator {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if self.mode == Mode::Off || exchange.arrival.tool.is_some() {
            return Flow::Continue;
        }
        let Some(api) = exchange.generation.apis.get(&*self.api).cloned() else { return Flow::Continue };
        let Some(operation) = api.operation(&self.operation) else { return Flow::Continue };
        if !operation.is_called_by(&exchange.request.method) {
            return Flow::Continue;
        }
        let mut mistakes = Mistakes::new(self.max_mistakes);
        operation.check_arguments(exchange, api.schemas(), &mut mistakes);
        if self.refuses_unknown {
            refuse_unknown(exchange, operation, &mut mistakes);
        }
        let Some(contents) = operation.body() else { return self.conclude(exchange, mistakes).into() };
        if exchange.body.is_end_stream() {
            if contents.is_required {
                mistakes.add(contents.missing());
            }
            return self.conclude(exchange, mistakes).into();
        }
        match readable(exchange, contents) {
            Ok(content) if !content.needs_bytes() => self.conclude(exchange, mistakes).into(),
            Ok(_) => Flow::Wait(Box::pin(self.check_body(exchange, api, mistakes))),
            Err(mistake) => {
                mistakes.add_first(mistake);
                self.refuse(exchange, Kind::UnsupportedMediaType, mistakes).into()
            }
        }
    }

    fn checked_operation(&self) -> Option<(&str, &str)> {
        (self.mode != Mode::Off).then_some((&*self.api, &*self.operation))
    }
}

/// The content that the body has; a mistake where it is none that the operation takes, or packed.
fn readable<'a>(exchange: &Exchange, contents: &'a Contents) -> Result<&'a Content, Mistake> {
    let headers = &exchange.request.headers;
    let Some(content) = contents.of(headers) else {
        let what = format!("must be {}", contents.media_types());
        let found = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let found =
            found.map_or_else(|| "without a Content-Type".into(), |found| crate::schema::shortened(&found));
        return Err(Mistake::of(Where::Body, "", what).found(found));
    };
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let is_packed = encodings.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_packed && content.needs_bytes() {
        return Err(Mistake::of(
            Where::Body,
            "",
            "must have no Content-Encoding, so that it can be looked at",
        ));
    }
    Ok(content)
}

/// Adds query arguments that the operation does not know.
fn refuse_unknown(exchange: &Exchange, operation: &Operation, mistakes: &mut Mistakes) {
    let query = exchange.request.uri.query().unwrap_or_default();
    for (name, _) in arguments(query) {
        let name = decoded(name);
        if operation.takes_in_query(&name) || is_credential(exchange, &name) {
            continue;
        }
        if mistakes.is_full() {
            return;
        }
        mistakes.add(Mistake::of(Where::Query, &name, unknown(near(&name, operation.query_names()))));
    }
}

fn is_credential(exchange: &Exchange, name: &str) -> bool {
    let own = exchange.route.iter().flat_map(|route| route.chain.credential_arguments());
    own.chain(exchange.generation.global.credential_arguments()).any(|argument| decodes_to(argument, name))
}

impl OasValidator {
    async fn check_body(
        &self,
        exchange: &mut Exchange,
        api: Arc<Api>,
        mut mistakes: Mistakes,
    ) -> Option<Response> {
        let bytes = match exchange.read_ahead(self.max_body_bytes).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) if self.skips_large => return self.conclude(exchange, mistakes),
            Ok(None) => {
                let what = format!("must have at most {} bytes", self.max_body_bytes);
                mistakes.add_first(Mistake::of(Where::Body, "", what));
                return self.refuse(exchange, Kind::BodyTooLarge, mistakes);
            }
            Err(error) => {
                let response = error.response();
                exchange.record.note(error);
                return Some(response);
            }
        };
        let contents = api.operation(&self.operation)?.body()?;
        if !bytes.is_empty() {
            let content = contents.of(&exchange.request.headers)?;
            if content.needs_all(api.schemas()) {
                api.prepare().await;
            }
            content.check(&bytes, &exchange.request.headers, api.schemas(), &mut mistakes);
        } else if contents.is_required {
            mistakes.add(contents.missing());
        }
        self.conclude(exchange, mistakes)
    }

    fn conclude(&self, exchange: &mut Exchange, mistakes: Mistakes) -> Option<Response> {
        if mistakes.is_empty() { None } else { self.refuse(exchange, Kind::InvalidRequest, mistakes) }
    }

    /// The answer to a request that does not fit; none where that is only reported.
    fn refuse(&self, exchange: &mut Exchange, kind: Kind, mistakes: Mistakes) -> Option<Response> {
        // What was sent may be a secret, and logs are for others.
        let detail = mistakes.iter().map(Mistake::without_value).collect::<Vec<_>>().join("; ");
        let route = exchange.route.as_ref().map(|route| route.id.clone()).unwrap_or_default();
        let is_reported = self.mode == Mode::Report;
        exchange
            .worker
            .shared
            .state
            .metrics
            .count_invalid(route, if is_reported { "reported" } else { "refused" });
        if is_reported {
            exchange.record.invalid = Some(detail);
            return None;
        }
        let error = ProxyError::new(kind, detail);
        let told = mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("; ");
        let body =
            Refusal { error_msg: format!("{}: {told}", kind.message()), problems: mistakes.iter().collect() };
        let mut response = json_response(kind.status(), &body);
        response.headers_mut().insert(CODE_HEADER, HeaderValue::from_static(kind.code()));
        if kind == Kind::BodyTooLarge {
            // What follows on this connection is a body that nobody reads.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        exchange.record.note(error);
        Some(response)
    }
}

/// What a client is told: the usual error, and each mistake by itself.
#[derive(Serialize)]
struct Refusal<'a> {
    error_msg: String,
    problems: Vec<&'a Mistake>,
}

#[cfg(test)]
mod tests;
