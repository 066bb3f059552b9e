//! An authorization server: how it is asked for a token (RFC 6749 section 3.2), and what it answers.
//!
//! The gateway proves that it is the client by its secret or a signed assertion. What the server says of an error is
//! told to operators only where it is one of the words of the RFCs, for anything else could repeat a secret.

use super::assertion::SigningKey;
use super::fixed::{bearer, encoded, pair, sensitive};
use crate::outbound::{Endpoint, Fault, Fresh, Question, Reply};
use crate::server::Worker;
use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a token is used of which the server does not say it.
const UNSAID: Duration = Duration::from_secs(300);
const LONGEST: Duration = Duration::from_secs(86_400);
/// A token is not used in its last moments, in which it could expire on its way.
const LAST_MOMENTS: Duration = Duration::from_secs(30);
/// How long it is remembered that the server does not want a caller's token.
const REFUSED: Duration = Duration::from_secs(10);

/// Words of RFC 6749 section 5.2, RFC 8693 section 2.2.2 and RFC 6750 section 3.1.
const ERRORS: [&str; 12] = [
    "access_denied",
    "insufficient_scope",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "invalid_token",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
];
/// Those that are about the token that was to be exchanged.
const OF_THE_CALLER: [&str; 4] = ["access_denied", "invalid_grant", "invalid_request", "invalid_token"];

/// What a server gives.
pub enum Grant {
    Token(Token),
    /// It does not want the caller's token.
    Refused,
}

/// A token for the upstream.
pub struct Token {
    /// With its scheme.
    pub value: HeaderValue,
    refused: AtomicBool,
}

impl Token {
    /// The upstream has answered 401 to it.
    pub fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }
}

impl Grant {
    /// Whether the upstream has refused the token, so that another is wanted.
    pub fn is_spent(&self) -> bool {
        matches!(self, Self::Token(token) if token.refused.load(Ordering::Relaxed))
    }
}

/// How the gateway proves which client it is.
pub enum Proof {
    /// Written once: id and secret in `Authorization: Basic`.
    Basic(HeaderValue),
    /// Likewise in the form.
    Form(String),
    Assertion(SigningKey),
}

impl Proof {
    /// Id and secret in the header, each encoded before (RFC 6749 section 2.3.1).
    pub fn basic(id: &str, secret: &str) -> Option<Self> {
        let pair = BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
        sensitive(&format!("Basic {pair}")).map(Self::Basic)
    }

    /// Id and secret in the form.
    pub fn form(id: &str, secret: &str) -> Self {
        Self::Form(format!("{}&{}", pair("client_id", id), pair("client_secret", secret)))
    }
}

/// A server, and what it is always asked for.
pub struct TokenServer {
    pub endpoint: Endpoint,
    pub proof: Proof,
    /// The form as far as it is the same for all callers.
    pub form: String,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<Value>,
}

#[derive(Deserialize)]
struct Denied {
    error: String,
}

impl TokenServer {
    /// Asks for a token; `caller` is what is added to the form, encoded.
    pub async fn ask(&self, worker: &Rc<Worker>, caller: Option<String>) -> Result<Fresh<Grant>, Fault> {
        let reply = self.endpoint.ask(worker, self.question(caller.as_deref())?).await?;
        let grant = self.read(&reply, caller.is_some());
        grant.inspect_err(|fault| fault.count(worker))
    }

    fn question(&self, caller: Option<&str>) -> Result<Question, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut form = self.form.clone();
        let mut add = |more: &str| {
            form.push('&');
            form.push_str(more);
        };
        caller.into_iter().for_each(&mut add);
        match &self.proof {
            Proof::Basic(value) => _ = headers.insert(AUTHORIZATION, value.clone()),
            Proof::Form(pairs) => add(pairs),
            Proof::Assertion(key) => {
                let signed = key.form(self.endpoint.shown());
                add(&signed.ok_or_else(|| self.endpoint.fault("the assertion for it could not be signed"))?);
            }
        }
        Ok(Question { method: Method::POST, headers, body: form.into() })
    }

    fn read(&self, reply: &Reply, has_caller: bool) -> Result<Fresh<Grant>, Fault> {
        if reply.status != StatusCode::OK {
            return self.denied(reply, has_caller);
        }
        let granted: Granted = reply.json()?;
        let is_usable = match granted.token_type.as_deref() {
            Some(kind) if has_caller && kind == "N_A" => true,
            Some(kind) => kind.eq_ignore_ascii_case("bearer"),
            None => false,
        };
        if !is_usable {
            return Err(reply.fault("its token is not a bearer token"));
        }
        let value = bearer(&granted.access_token);
        let value = value.ok_or_else(|| reply.fault("its token has characters that no header may have"))?;
        let ttl = match &granted.expires_in {
            None => UNSAID,
            Some(said) => lifetime(said)
                .ok_or_else(|| reply.fault("it does not say as a number when its token expires"))?,
        };
        let ttl = ttl.min(LONGEST);
        let ttl = ttl - LAST_MOMENTS.min(ttl / 10);
        Ok(Fresh { value: Grant::Token(Token { value, refused: AtomicBool::new(false) }), ttl })
    }

    fn denied(&self, reply: &Reply, has_caller: bool) -> Result<Fresh<Grant>, Fault> {
        let denied = serde_json::from_slice::<Denied>(&reply.body).ok();
        let error = denied.and_then(|denied| ERRORS.into_iter().find(|known| *known == denied.error));
        let is_of_the_caller = error.is_some_and(|error| OF_THE_CALLER.contains(&error));
        if has_caller && reply.status.is_client_error() && is_of_the_caller {
            return Ok(Fresh { value: Grant::Refused, ttl: REFUSED });
        }
        let mut why = format!("it answers with status {}", reply.status.as_u16());
        if let Some(error) = error {
            why = format!("{why} and the error {error}");
        }
        Err(reply.fault(why))
    }
}

/// Seconds, which some servers write as a text.
fn lifetime(said: &Value) -> Option<Duration> {
    let seconds = match said {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_lifetimes_however_they_are_written() {
        for (said, seconds) in [
            (json!(3600), Some(3600)),
            (json!(60.9), Some(60)),
            (json!("120"), Some(120)),
            (json!(-5), Some(0)),
            (json!(1e300), Some(86_400)),
            (json!("NaN"), None),
            (json!("soon"), None),
            (json!([1]), None),
        ] {
            assert_eq!(lifetime(&said).map(|time| time.as_secs()), seconds, "{said}");
        }
    }
}
