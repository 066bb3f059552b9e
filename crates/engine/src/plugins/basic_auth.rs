//! `basic-auth`: recognises a consumer by username and password (RFC 7617).
//!
//! Fields, statuses and messages are Apache APISIX's, but passwords are kept as argon2 or bcrypt hashes, and the header is
//! not passed on to the upstream unless `hide_credentials` is set to false. Hashing is the work of [`Passwords`].

mod passwords;

pub use passwords::Passwords;

use super::entrance::{Entrance, Presented, after_scheme, presented};
use super::{Build, BuildContext, Flow, Plugin, Scheme};
use crate::error::refusal;
use crate::exchange::Exchange;
use crate::generation::Identity;
use crate::http::Response;
use crate::plugins::Proof;
use ::http::header::{AUTHORIZATION, RETRY_AFTER};
use ::http::{HeaderName, HeaderValue, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use passwords::Question;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

const MISSING: &str = "Missing authorization in request";
const MALFORMED: &str = "Invalid authorization in request";
const WRONG: &str = "Invalid user authorization";

/// The hash for usernames that nobody has, so that an answer takes as long for them. No password fits it.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$dG9vbHdheS1ub2JvZHkhIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Lets in who presents the username and password of a consumer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether the header Authorization is kept from the upstream. True by default, other than in APISIX.
    hide_credentials: bool,
    /// The realm that a refusal names in `WWW-Authenticate`.
    realm: String,
    /// The consumer as which callers without a valid password go on. Without it, and while there is no such consumer, they are refused.
    anonymous_consumer: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { hide_credentials: true, realm: "basic".into(), anonymous_consumer: None }
    }
}

/// A credential as the snapshot has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    username: String,
    /// A PHC string of argon2, or a bcrypt hash.
    password_hash: String,
}

/// Who presents the password that `hash` is of is the holder of `username`.
pub struct Account {
    pub username: Box<str>,
    hash: Arc<str>,
}

impl Account {
    pub fn build(config: AccountConfig) -> Result<Self, String> {
        passwords::check_hash(&config.password_hash)?;
        Ok(Self { username: config.username.into(), hash: config.password_hash.into() })
    }
}

/// The plugin.
pub struct BasicAuth {
    entrance: Entrance,
    hide_credentials: bool,
    nobody: Arc<str>,
}

impl Build for BasicAuth {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let entrance = Entrance::new("Basic", &config.realm, config.anonymous_consumer)?;
        Ok(Self { entrance, hide_credentials: config.hide_credentials, nobody: NOBODY.into() })
    }
}

impl Plugin for BasicAuth {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let claim = match self.claim(exchange) {
            Ok(claim) => claim,
            Err(why) => return self.conclude(exchange, Err(why)).into(),
        };
        let state = exchange.worker.shared.state.clone();
        let question = state.passwords.question(&claim.hash, claim.password);
        match state.passwords.known(&question) {
            Some(is_right) => self.conclude(exchange, claim.identity.proven(is_right)).into(),
            None => Flow::Wait(Box::pin(self.ask(exchange, question, claim.identity))),
        }
    }

    fn credential_headers(&self) -> &[HeaderName] {
        &[AUTHORIZATION]
    }

    fn shows_credentials(&self) -> bool {
        !self.hide_credentials
    }
}

/// Who somebody says to be, and what has to be true for it.
struct Claim {
    identity: Claimed,
    hash: Arc<str>,
    password: Vec<u8>,
}

/// None where nobody has the username.
struct Claimed(Option<Identity>);

impl Claimed {
    fn proven(self, is_right: bool) -> Result<Identity, &'static str> {
        self.0.filter(|_| is_right).ok_or(WRONG)
    }
}

impl BasicAuth {
    fn claim(&self, exchange: &Exchange) -> Result<Claim, &'static str> {
        let value = match presented(&exchange.request.headers, &AUTHORIZATION) {
            Presented::Nothing => return Err(MISSING),
            Presented::Several => return Err(MALFORMED),
            Presented::One(value) => value,
        };
        let (username, password) = after_scheme(value, "Basic").and_then(decode).ok_or(MALFORMED)?;
        let found = exchange.generation.consumers.find(Scheme::Password, username.as_bytes());
        let account = found.as_ref().and_then(|found| match found.proof() {
            Proof::Password(account) => Some(account),
            _ => None,
        });
        let hash = account.map_or_else(|| self.nobody.clone(), |account| account.hash.clone());
        Ok(Claim { identity: Claimed(found.map(|found| found.identity())), hash, password })
    }

    /// Has the password looked at elsewhere.
    async fn ask(&self, exchange: &mut Exchange, question: Question, claimed: Claimed) -> Option<Response> {
        let asked = exchange.worker.shared.state.passwords.ask(question);
        match asked {
            Some(answer) => {
                let is_right = answer.await.unwrap_or(false);
                self.conclude(exchange, claimed.proven(is_right))
            }
            None => Some(busy()),
        }
    }

    fn conclude(&self, exchange: &mut Exchange, proven: Result<Identity, &str>) -> Option<Response> {
        self.entrance.admit(exchange, proven)
    }
}

fn busy() -> Response {
    let why = "Too many passwords wait to be verified, try again in a second";
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, why);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Username and password; no control character may stand in them (RFC 7617 section 2).
fn decode(encoded: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut decoded = BASE64_STANDARD.decode(encoded).ok()?;
    let colon = memchr::memchr(b':', &decoded)?;
    if colon == 0 || decoded.iter().any(u8::is_ascii_control) {
        return None;
    }
    let password = decoded.split_off(colon + 1);
    decoded.truncate(colon);
    Some((String::from_utf8(decoded).ok()?, password))
}

#[cfg(test)]
mod tests;
