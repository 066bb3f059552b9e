//! `jwt-auth`: recognises a consumer by a signed token (RFC 7519).
//!
//! Fields, statuses and messages are Apache APISIX's, but tokens are not passed on to the upstream unless
//! `hide_credentials` is set to false. The credential alone says how a token is verified (see [`token`]).

mod signatures;
pub mod token;

pub use signatures::Signatures;
pub use token::TokenKey;

use super::entrance::{Entrance, Presented, after_scheme, presented, presented_argument};
use super::key_set::{KeySet, RemoteKeys};
use super::{Build, BuildContext, Flow, Plugin, Proof, Scheme};
use crate::exchange::Exchange;
use crate::generation::Identity;
use crate::http::Response;
use crate::http::headers::{is_of_connection, may_not_be_nominated};
use crate::roles::claim_at;
use crate::variable::{cookie, write_claim};
use ::http::header::HOST;
use ::http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use token::{Claim, Claims, Token, Verdict};

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
    /// Whether the roles in a token's claims are the caller's roles too. Only for keys with which others than the callers
    /// sign: who signs its own tokens could give itself any role.
    roles_from_token: bool,
    /// Headers that tell the upstream claims of the token, each with its claim; dots lead to a claim within others. Texts
    /// of a list have spaces between them. The same headers of a client are removed.
    upstream_headers: BTreeMap<String, String>,
    /// The realm that a refusal names in `WWW-Authenticate`.
    realm: String,
    /// The consumer as which callers without a valid token go on. Without it, and while there is no such consumer, they are refused.
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
            roles_from_token: false,
            upstream_headers: BTreeMap::new(),
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
    /// And for [`Plugin::credential_cookies`].
    cookie: [Arc<str>; 1],
    hide_credentials: bool,
    key_claim_name: String,
    claims: Claims,
    stores_claims: bool,
    gives_roles: bool,
    /// Headers for the upstream, and the claims that they tell.
    told: Vec<HeaderName>,
    told_claims: Vec<String>,
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
        let told = told_headers(config.upstream_headers.keys(), &header)?;
        Ok(Self {
            header: [header],
            query: [config.query],
            cookie: [config.cookie.into()],
            hide_credentials: config.hide_credentials,
            key_claim_name: config.key_claim_name,
            claims: config.claims_to_verify.map_or(Claims::WherePresent, Claims::All),
            stores_claims: config.store_in_ctx || config.roles_from_token,
            gives_roles: config.roles_from_token,
            told,
            told_claims: config.upstream_headers.into_values().collect(),
            entrance: Entrance::new("Bearer", &config.realm, config.anonymous_consumer)?,
        })
    }
}

impl Plugin for JwtAuth {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        match self.proven(exchange, None) {
            Ok(proven) => self.conclude(exchange, Ok(proven)).into(),
            Err(Unproven::Why(why)) => self.conclude(exchange, Err(why)).into(),
            Err(Unproven::Fetch(keys)) => Flow::Wait(Box::pin(self.fetch(exchange, keys))),
        }
    }

    fn credential_headers(&self) -> &[HeaderName] {
        &self.header
    }

    fn credential_arguments(&self) -> &[String] {
        &self.query
    }

    fn told_headers(&self) -> &[HeaderName] {
        &self.told
    }

    fn credential_cookies(&self) -> &[Arc<str>] {
        &self.cookie
    }

    fn shows_credentials(&self) -> bool {
        !self.hide_credentials
    }
}

/// The headers that tell claims, none of which HTTP, the gateway or the token itself has another use for.
fn told_headers<'a>(
    names: impl Iterator<Item = &'a String>,
    token: &HeaderName,
) -> Result<Vec<HeaderName>, String> {
    let read = |name: &String| {
        let header =
            name.parse().map_err(|_| format!("upstream_headers: {name:?} is not a valid header name"))?;
        if is_of_connection(&header) || may_not_be_nominated(header.as_str()) || header == *token {
            return Err(format!("upstream_headers: {header} has another use, so it cannot tell a claim"));
        }
        Ok(header)
    };
    names.map(read).collect()
}

/// Why nobody is proven to call.
enum Unproven {
    Why(&'static str),
    /// These keys have to be fetched first, or others than those at hand.
    Fetch(Arc<RemoteKeys>),
}

impl From<&'static str> for Unproven {
    fn from(why: &'static str) -> Self {
        Self::Why(why)
    }
}

impl JwtAuth {
    fn conclude(
        &self,
        exchange: &mut Exchange,
        proven: Result<(Identity, Map<String, Value>), &'static str>,
    ) -> Option<Response> {
        let proven = proven.map(|(identity, claims)| {
            self.tell(exchange, &claims);
            exchange.claims = self.stores_claims.then(|| Box::new(claims));
            exchange.claims_are_own = !self.gives_roles;
            exchange.caller_token = self.presented_token(exchange);
            identity
        });
        self.entrance.admit(exchange, proven)
    }

    /// Goes on with the keys, once as they are known and once as they are then published.
    async fn fetch(&self, exchange: &mut Exchange, remote: Arc<RemoteKeys>) -> Option<Response> {
        let worker = exchange.worker.clone();
        let mut known = None;
        for _ in 0..2 {
            let keys = match remote.get(&worker, known.as_ref()).await {
                Ok(keys) => keys,
                Err(fault) => return Some(fault.refuse(exchange)),
            };
            match self.proven(exchange, Some(&keys)) {
                Ok(proven) => return self.conclude(exchange, Ok(proven)),
                Err(Unproven::Why(why)) => return self.conclude(exchange, Err(why)),
                Err(Unproven::Fetch(_)) => known = Some(keys),
            }
        }
        self.conclude(exchange, Err(UNVERIFIED))
    }

    fn proven(
        &self,
        exchange: &Exchange,
        keys: Option<&KeySet>,
    ) -> Result<(Identity, Map<String, Value>), Unproven> {
        let text = self.token(exchange)?;
        let token = Token::read(&text).ok_or(INVALID)?;
        let key = token.claims.get(&self.key_claim_name).and_then(Value::as_str).ok_or(NO_KEY)?;
        let found = exchange.generation.consumers.find(Scheme::Token, key.as_bytes()).ok_or(WRONG_KEY)?;
        let Proof::Token(key) = found.proof() else { return Err(WRONG_KEY.into()) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(f64::MAX, |now| now.as_secs_f64());
        if !self.claims.hold(&token.claims, now, key.leeway) {
            return Err(UNVERIFIED.into());
        }
        match key.verdict(&token, &exchange.worker.signatures, keys) {
            Verdict::Good => {}
            Verdict::Bad => return Err(UNVERIFIED.into()),
            Verdict::Fetch(remote) => return Err(Unproven::Fetch(remote)),
        }
        let identity = found.identity();
        Ok((identity, token.claims))
    }

    /// Tells the upstream what it is to know of the claims; what cannot stand in a header is left out.
    fn tell(&self, exchange: &mut Exchange, claims: &Map<String, Value>) {
        for (header, claim) in self.told.iter().zip(&self.told_claims) {
            let mut text = String::new();
            let is_text = claim_at(claims, claim).is_some_and(|claim| write_claim(claim, &mut text));
            if let Some(value) = HeaderValue::from_str(&text).ok().filter(|_| is_text) {
                exchange.request.headers.insert(header, value);
            }
        }
    }

    /// The token as it came. The value of a header is shared, not copied.
    fn presented_token(&self, exchange: &Exchange) -> Option<HeaderValue> {
        let [name] = &self.header;
        let header = exchange.request.headers.get(name).filter(|value| !value.is_empty());
        header.cloned().or_else(|| HeaderValue::from_bytes(&self.token(exchange).ok()?).ok())
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
        let [name] = &self.cookie;
        let token = cookie(exchange, name).filter(|token| !token.is_empty());
        token.map(|token| token.as_bytes().into()).ok_or(MISSING)
    }
}

#[cfg(test)]
mod tests;
