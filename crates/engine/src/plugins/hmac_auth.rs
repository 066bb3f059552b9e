//! `hmac-auth`: recognises a consumer by a signature over the request.
//!
//! Fields, statuses and messages are Apache APISIX's, as of 3.11 and later. Other than there, what is signed always
//! includes method, path and date, without which a signature could be used for another request or for ever; and the header
//! is not passed on to the upstream unless `hide_credentials` is set to false.

mod signature;

pub use signature::SigningSecret;

use super::entrance::{Entrance, Presented, presented};
use super::{Build, BuildContext, Flow, Plugin, Proof, Scheme};
use crate::error::refusal;
use crate::exchange::Exchange;
use crate::generation::Identity;
use crate::http::Response;
use ::http::header::{AUTHORIZATION, DATE};
use ::http::{HeaderName, HeaderValue, StatusCode};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use signature::{Algorithm, Signature};
use std::time::{Duration, SystemTime};

const REFUSED: &str = "client request can't be validated";
const REQUEST_TARGET: &str = "@request-target";
const DIGEST: HeaderName = HeaderName::from_static("digest");
/// The largest body that is read to be compared with its digest.
const MAXIMUM_BODY: usize = 8 << 20;

/// Lets in who signs requests with the secret of a consumer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The algorithms that callers may choose from.
    #[schemars(length(min = 1))]
    allowed_algorithms: Vec<Algorithm>,
    /// How many seconds the header Date may be from the gateway's clock, before and after.
    #[schemars(range(min = 1, max = 86400))]
    clock_skew: u32,
    /// Headers that a signature must include, beside Date and `@request-target`.
    #[schemars(inner(length(min = 1, max = 50)))]
    signed_headers: Vec<String>,
    /// Whether the body must be the one whose SHA-256 the header Digest has, which must be signed.
    validate_request_body: bool,
    /// Whether the header Authorization is kept from the upstream. True by default, other than in APISIX.
    hide_credentials: bool,
    /// The realm that a refusal names in `WWW-Authenticate`.
    realm: String,
    /// The consumer as which callers without a valid signature go on. Without it, and while there is no such consumer, they are refused.
    anonymous_consumer: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allowed_algorithms: vec![Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512],
            clock_skew: 300,
            signed_headers: Vec::new(),
            validate_request_body: false,
            hide_credentials: true,
            realm: "hmac".into(),
            anonymous_consumer: None,
        }
    }
}

/// The plugin.
pub struct HmacAuth {
    allowed: Vec<Algorithm>,
    skew: Duration,
    /// In lower case, `@request-target` among them.
    required: Vec<String>,
    validates_body: bool,
    hide_credentials: bool,
    entrance: Entrance,
}

impl Build for HmacAuth {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        if config.allowed_algorithms.is_empty() {
            return Err("allowed_algorithms: must not be empty".into());
        }
        if !(1..=86_400).contains(&config.clock_skew) {
            return Err("clock_skew: must be between 1 and 86400 seconds".into());
        }
        let mut required = vec![REQUEST_TARGET.to_owned(), DATE.as_str().to_owned()];
        if config.validate_request_body {
            required.push(DIGEST.as_str().to_owned());
        }
        for name in config.signed_headers {
            let is_name = name == REQUEST_TARGET || HeaderName::try_from(&name).is_ok();
            if !is_name {
                return Err(format!("signed_headers: {name:?} is not a valid header name"));
            }
            required.push(name.to_ascii_lowercase());
        }
        Ok(Self {
            allowed: config.allowed_algorithms,
            skew: Duration::from_secs(config.clock_skew.into()),
            required,
            validates_body: config.validate_request_body,
            hide_credentials: config.hide_credentials,
            entrance: Entrance::new("hmac", &config.realm, config.anonymous_consumer)?,
        })
    }
}

impl Plugin for HmacAuth {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        match self.proven(exchange) {
            Ok(identity) if self.validates_body => {
                Flow::Wait(Box::pin(self.compare_body(exchange, identity)))
            }
            Ok(identity) => self.conclude(exchange, Ok(identity)).into(),
            Err(why) => self.conclude(exchange, Err(&why)).into(),
        }
    }

    fn credential_headers(&self) -> &[HeaderName] {
        &[AUTHORIZATION]
    }

    fn shows_credentials(&self) -> bool {
        !self.hide_credentials
    }
}

impl HmacAuth {
    fn proven(&self, exchange: &Exchange) -> Result<Identity, String> {
        let value = match presented(&exchange.request.headers, &AUTHORIZATION) {
            Presented::Nothing => return Err(format!("{REFUSED}: missing Authorization header")),
            Presented::Several => return Err(format!("{REFUSED}: several Authorization headers")),
            Presented::One(value) => value,
        };
        let signature = Signature::read(value).map_err(|why| format!("{REFUSED}: {why}"))?;
        self.verified(exchange, &signature).ok_or_else(|| REFUSED.to_owned())
    }

    /// What exactly is wrong is not told, as in APISIX: it would help who guesses.
    fn verified(&self, exchange: &Exchange, signature: &Signature<'_>) -> Option<Identity> {
        let has = |wanted: &String| signature.headers.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        let algorithm = self.allowed.iter().find(|allowed| allowed.name() == signature.algorithm)?;
        if !self.required.iter().all(has) || !self.is_timely(exchange) {
            return None;
        }
        let found = exchange.generation.consumers.find(Scheme::Signature, signature.key_id.as_bytes())?;
        let Proof::Signature(secret) = found.proof() else { return None };
        let text = signing_string(exchange, signature)?;
        secret.has_signed(*algorithm, &text, &signature.bytes).then(|| found.identity())
    }

    fn is_timely(&self, exchange: &Exchange) -> bool {
        let Presented::One(date) = presented(&exchange.request.headers, &DATE) else {
            return false;
        };
        let date = std::str::from_utf8(date).ok().and_then(|date| httpdate::parse_http_date(date).ok());
        let now = SystemTime::now();
        date.is_some_and(|date| {
            let apart = now.duration_since(date).or_else(|_| date.duration_since(now));
            apart.is_ok_and(|apart| apart <= self.skew)
        })
    }

    async fn compare_body(&self, exchange: &mut Exchange, identity: Identity) -> Option<Response> {
        let body = match exchange.read_ahead(MAXIMUM_BODY).await {
            Ok(Some(body)) => body,
            Ok(None) => {
                let why = "the body is too large to be compared with its digest";
                return Some(refusal(StatusCode::PAYLOAD_TOO_LARGE, why));
            }
            Err(error) => return Some(error.response()),
        };
        let expected = format!("SHA-256={}", BASE64_STANDARD.encode(digest(&SHA256, &body)));
        let is_it = match presented(&exchange.request.headers, &DIGEST) {
            Presented::One(given) => given == expected.as_bytes(),
            _ => false,
        };
        self.conclude(exchange, if is_it { Ok(identity) } else { Err(REFUSED) })
    }

    fn conclude(&self, exchange: &mut Exchange, proven: Result<Identity, &str>) -> Option<Response> {
        self.entrance.admit(exchange, proven)
    }
}

/// What a caller signs: the key id, then each part that the signature names, a line each. A header that the request does
/// not have makes no line, as in APISIX; one that comes several times could mean either.
fn signing_string(exchange: &Exchange, signature: &Signature<'_>) -> Option<Vec<u8>> {
    let request = &exchange.request;
    let mut text = Vec::with_capacity(256);
    text.extend_from_slice(signature.key_id.as_bytes());
    text.push(b'\n');
    for name in &signature.headers {
        if *name == REQUEST_TARGET {
            let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
            text.extend_from_slice(format!("{} {target}\n", request.method).as_bytes());
            continue;
        }
        let mut values = request.headers.get_all(*name).iter();
        match (values.next().map(HeaderValue::as_bytes), values.next()) {
            (None, _) => {}
            (Some(value), None) => {
                text.extend_from_slice(name.as_bytes());
                text.extend_from_slice(b": ");
                text.extend_from_slice(value);
                text.push(b'\n');
            }
            (Some(_), Some(_)) => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests;
