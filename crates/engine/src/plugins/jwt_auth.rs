//! `jwt-auth`: recognises a consumer by a signed token (RFC 7519).
//!
//! Fields, statuses and messages are Apache APISIX's, but tokens are not passed on to the upstream unless
//! `hide_credentials` is set to false. The credential alone says how a token is verified (see [`token`]).

mod signatures;
mod token;

pub use signatures::Signatures;
pub use token::TokenKey;

use super::entrance::{Entrance, Presented, after_scheme, hide_argument, presented, presented_argument};
use super::{Build, BuildContext, Flow, Plugin, Proof, Scheme};
use crate::exchange::Exchange;
use crate::generation::Identity;
use crate::http::headers::is_of_connection;
use crate::variable::cookie;
use ::http::HeaderName;
use ::http::header::HOST;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use token::{Claim, Claims, Token};

const MISSING: &str = "Missing JWT token in request";
const INVALID: &str = "JWT token invalid";
const NO_KEY: &str = "missing user key in JWT token";
const WRONG_KEY: &str = "Invalid user key in JWT token";
const UNVERIFIED: &str = "failed to verify jwt";

/// Lets in who presents a token that a consumer's secret or private key has signed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The header that the token is taken from, with or without `Bearer ` before it.
    header: String,
    /// The query argument that the token is taken from where the header is missing.
    query: String,
    /// The cookie that the token is taken from where the header and the argument are missing.
    cookie: String,
    /// Whether the token is kept from the upstream. True by default, other than in APISIX.
    hide_credentials: bool,
    /// The claim that names the consumer's credential.
    key_claim_name: String,
    /// Claims that a token must have and that must hold. Without it, `exp` and `nbf` must hold where a token has them.
    #[schemars(length(min = 1))]
    claims_to_verify: Option<Vec<Claim>>,
    /// Whether the token's claims are kept for this request's variables, such as `$jwt_claim_sub`.
    store_in_ctx: bool,
    /// The realm that a refusal names in `WWW-Authenticate`.
    realm: String,
    /// The consumer as which callers without a valid token go on, which must exist; without it they are refused.
    anonymous_consumer: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header: "authorization".into(),
            query: "jwt".into(),
            cookie: "jwt".into(),
            hide_credentials: true,
            key_claim_name: "key".into(),
            claims_to_verify: None,
            store_in_ctx: false,
            realm: "jwt".into(),
            anonymous_consumer: None,
        }
    }
}

/// The plugin.
pub struct JwtAuth {
    /// One header, as a slice for [`Plugin::credential_headers`].
    header: [HeaderName; 1],
    /// Likewise for [`Plugin::credential_arguments`].
    query: [String; 1],
    cookie: Arc<str>,
    hide_credentials: bool,
    key_claim_name: String,
    claims: Claims,
    stores_claims: bool,
    entrance: Entrance,
}

impl Build for JwtAuth {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let header: HeaderName = config
            .header
            .parse()
            .map_err(|_| format!("header: {:?} is not a valid header name", config.header))?;
        if is_of_connection(&header) || header == HOST {
            return Err(format!("header: {header} cannot carry a token, because HTTP itself uses it"));
        }
        let texts = [
            ("query", &config.query),
            ("cookie", &config.cookie),
            ("key_claim_name", &config.key_claim_name),
        ];
        if let Some((name, _)) = texts.iter().find(|(_, text)| text.is_empty()) {
            return Err(format!("{name}: must not be empty"));
        }
        if config.claims_to_verify.as_ref().is_some_and(Vec::is_empty) {
            return Err("claims_to_verify: must not be empty; leave it out for the default".into());
        }
        Ok(Self {
            header: [header],
            query: [config.query],
            cookie: config.cookie.into(),
            hide_credentials: config.hide_credentials,
            key_claim_name: config.key_claim_name,
            claims: config.claims_to_verify.map_or(Claims::WherePresent, Claims::All),
            stores_claims: config.store_in_ctx,
            entrance: Entrance::new("Bearer", &config.realm, config.anonymous_consumer)?,
        })
    }
}

impl Plugin for JwtAuth {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let proven = self.proven(exchange).map(|(identity, claims)| {
            exchange.claims = claims;
            identity
        });
        let refused = self.entrance.admit(exchange, proven);
        if refused.is_none() && self.hide_credentials {
            let ([header], [argument]) = (&self.header, &self.query);
            exchange.withheld.push(header.clone());
            exchange.withheld_cookies.push(self.cookie.clone());
            hide_argument(exchange, argument);
        }
        refused.into()
    }

    fn credential_headers(&self) -> &[HeaderName] {
        &self.header
    }

    fn credential_arguments(&self) -> &[String] {
        &self.query
    }

    fn anonymous_consumer(&self) -> Option<&str> {
        self.entrance.anonymous_consumer()
    }
}

type Kept = Option<Box<serde_json::Map<String, Value>>>;

impl JwtAuth {
    fn proven(&self, exchange: &Exchange) -> Result<(Identity, Kept), &'static str> {
        let text = self.token(exchange)?;
        let token = Token::read(&text).ok_or(INVALID)?;
        let key = token.claims.get(&self.key_claim_name).and_then(Value::as_str).ok_or(NO_KEY)?;
        let found = exchange.generation.consumers.find(Scheme::Token, key.as_bytes()).ok_or(WRONG_KEY)?;
        let Proof::Token(key) = found.proof() else { return Err(WRONG_KEY) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(f64::MAX, |now| now.as_secs_f64());
        if !exchange.worker.signatures.verified(key, &token)
            || !self.claims.hold(&token.claims, now, key.leeway)
        {
            return Err(UNVERIFIED);
        }
        let claims = self.stores_claims.then(|| Box::new(token.claims));
        Ok((found.identity(), claims))
    }

    fn token<'a>(&self, exchange: &'a Exchange) -> Result<Cow<'a, [u8]>, &'static str> {
        let [name] = &self.header;
        match presented(&exchange.request.headers, name) {
            Presented::One(value) => return Ok(after_scheme(value, "Bearer").unwrap_or(value).into()),
            Presented::Several => return Err(INVALID),
            Presented::Nothing => {}
        }
        let [argument] = &self.query;
        if let Some(token) = presented_argument(exchange, argument) {
            return Ok(token);
        }
        let token = cookie(exchange, &self.cookie).filter(|token| !token.is_empty());
        token.map(|token| token.as_bytes().into()).ok_or(MISSING)
    }
}

#[cfg(test)]
mod tests;
