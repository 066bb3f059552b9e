//! A token for the upstream: the gateway's own (client credentials, RFC 6749 section 4.4), or one in exchange for the
//! caller's (RFC 8693).
//!
//! Tokens outlive a swap, keyed by a digest of all that they depend on. A token that the upstream answers 401 to is
//! replaced before the next request, but not again and again; the request itself is not repeated.

use super::assertion::SigningKey;
use super::fixed::pair;
use super::token_server::{Grant, Proof, TokenServer};
use crate::error::refusal;
use crate::exchange::Exchange;
use crate::http::Response;
use crate::outbound::{Digest, Endpoint, Fetched, Fetches, Settings, Times};
use crate::plugins::secret::Secret;
use crate::plugins::{Flow, after_scheme};
use crate::state::State;
use ::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use ::http::{HeaderValue, StatusCode};
use aws_lc_rs::digest::{Context, SHA256, digest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// No token is used beyond its time, and a server that has failed is left alone for a moment.
const TIMES: Times = Times { stale: Duration::ZERO, pause: Duration::from_secs(1) };
/// Bytes of a server's answer.
const MOST_BYTES: usize = 64 * 1024;
const MOST_SECONDS: u32 = 60;
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// How a token is got from an authorization server.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2Config {
    /// What the token is asked for with: the gateway's own right, or the token of the caller, which is exchanged.
    #[serde(default)]
    grant_type: GrantType,
    /// The URL at which the server gives tokens.
    token_endpoint: String,
    /// The id by which the server knows the gateway.
    client_id: String,
    /// The secret that belongs to it, unless the gateway signs.
    #[serde(default)]
    client_secret: Option<Secret>,
    /// How the gateway proves that it is the client.
    #[serde(default)]
    token_endpoint_auth_method: AuthMethod,
    /// What it signs with for `private_key_jwt`: an RSA, P-256 or Ed25519 key in PEM.
    #[serde(default)]
    private_key: Option<Secret>,
    /// The name of that key, which the assertion then has as `kid`.
    #[serde(default)]
    private_key_id: Option<String>,
    /// The scopes that are asked for, with spaces between them.
    #[serde(default)]
    scope: Option<String>,
    /// The logical names of those for whom the token shall be.
    #[serde(default)]
    audience: Vec<String>,
    /// The URLs of those for whom the token shall be (RFC 8707).
    #[serde(default)]
    resource: Vec<String>,
    /// The kind of token that callers have, a URI. Only of `token_exchange`.
    #[serde(default)]
    subject_token_type: Option<String>,
    /// The kind of token that is asked for, a URI. Only of `token_exchange`.
    #[serde(default)]
    requested_token_type: Option<String>,
    /// A token that says who acts for the caller. Only of `token_exchange`.
    #[serde(default)]
    actor_token: Option<Secret>,
    /// Its kind, a URI. Only of `token_exchange`.
    #[serde(default)]
    actor_token_type: Option<String>,
    /// Whether the server's certificate is verified.
    #[serde(default = "verified")]
    ssl_verify: bool,
    /// PEM of the authorities that are believed instead of the system's.
    #[serde(default)]
    ca: Option<String>,
    /// Seconds for the server's whole answer.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 60))]
    timeout: u32,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum GrantType {
    #[default]
    ClientCredentials,
    TokenExchange,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum AuthMethod {
    #[default]
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt,
}

const fn verified() -> bool {
    true
}

const fn default_timeout() -> u32 {
    5
}

/// Where tokens for the upstream come from.
pub struct OAuth2 {
    server: Arc<TokenServer>,
    tokens: Tokens,
}

enum Tokens {
    Own(Arc<Fetched<Grant>>),
    /// By the digest of the caller's.
    Exchanged(Arc<Fetches<Grant>>),
}

impl OAuth2 {
    pub fn build(config: OAuth2Config, state: &Arc<State>) -> Result<Self, String> {
        config.check()?;
        let timeout = Duration::from_secs(config.timeout.into());
        let settings = Settings {
            verify: config.ssl_verify,
            ca: config.ca.clone(),
            timeout,
            most_bytes: MOST_BYTES,
            ..Settings::default()
        };
        let endpoint = Endpoint::build(&config.token_endpoint, &settings, state)
            .map_err(|why| format!("oauth2: token_endpoint: {why}"))?;
        let name = endpoint.shown().clone();
        let key = config.key();
        let tokens = match config.grant_type {
            GrantType::ClientCredentials => {
                Tokens::Own(state.upstream_tokens.of(&key, || Fetched::new(&name, TIMES)))
            }
            GrantType::TokenExchange => {
                Tokens::Exchanged(state.exchanged_tokens.of(&key, || Fetches::new(&name, TIMES)))
            }
        };
        let server = TokenServer { endpoint, proof: config.proof()?, form: config.form() };
        Ok(Self { server: Arc::new(server), tokens })
    }

    /// Puts a token into the request, or refuses it.
    pub fn show<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let (fetched, caller) = match &self.tokens {
            Tokens::Own(fetched) => (fetched.clone(), None),
            Tokens::Exchanged(fetches) => {
                let Some(token) = exchange.caller_token.clone() else {
                    return Flow::Respond(without_token());
                };
                (fetches.of(&digest_of(subject(&token))), Some(token))
            }
        };
        match fetched.at_hand().filter(|grant| !grant.is_spent()) {
            Some(grant) => put(exchange, &grant).into(),
            None => Flow::Wait(Box::pin(self.fetch(exchange, fetched, caller))),
        }
    }

    async fn fetch(
        &self,
        exchange: &mut Exchange,
        fetched: Arc<Fetched<Grant>>,
        caller: Option<HeaderValue>,
    ) -> Option<Response> {
        let worker = exchange.worker.clone();
        let ask = || {
            let (server, worker) = (self.server.clone(), worker.clone());
            let caller =
                caller.as_ref().map(|token| pair("subject_token", &String::from_utf8_lossy(subject(token))));
            async move { server.ask(&worker, caller).await }
        };
        let known = fetched.get(ask).await;
        let outcome = match known {
            Ok(grant) if grant.is_spent() => fetched.other_than(Some(&grant), ask).await,
            outcome => outcome,
        };
        match outcome {
            Ok(grant) => put(exchange, &grant),
            Err(fault) => Some(fault.refuse(exchange)),
        }
    }
}

fn put(exchange: &mut Exchange, grant: &Arc<Grant>) -> Option<Response> {
    let Grant::Token(token) = &**grant else {
        let why = "The authorization server of the upstream does not accept the caller's token";
        return Some(refusal(StatusCode::FORBIDDEN, why));
    };
    exchange.put_header(&AUTHORIZATION, token.value.clone());
    exchange.upstream_grant = Some(grant.clone());
    None
}

/// A caller's token without its scheme.
fn subject(token: &HeaderValue) -> &[u8] {
    after_scheme(token.as_bytes(), "Bearer").unwrap_or(token.as_bytes())
}

fn digest_of(token: &[u8]) -> Digest {
    let mut bytes = Digest::default();
    bytes.copy_from_slice(digest(&SHA256, token).as_ref());
    bytes
}

fn without_token() -> Response {
    let mut response = refusal(StatusCode::UNAUTHORIZED, "This needs a caller who is known by a token");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

impl OAuth2Config {
    fn check(&self) -> Result<(), String> {
        if self.client_id.is_empty() {
            return Err("oauth2: client_id: must not be empty".into());
        }
        if !(1..=MOST_SECONDS).contains(&self.timeout) {
            return Err(format!("oauth2: timeout: must be between 1 and {MOST_SECONDS} seconds"));
        }
        let of_exchange = [
            ("subject_token_type", self.subject_token_type.is_some()),
            ("requested_token_type", self.requested_token_type.is_some()),
            ("actor_token", self.actor_token.is_some()),
            ("actor_token_type", self.actor_token_type.is_some()),
        ];
        let unfit =
            of_exchange.iter().find(|(_, is_set)| *is_set && self.grant_type != GrantType::TokenExchange);
        if let Some((name, _)) = unfit {
            return Err(format!("oauth2: {name}: only the grant_type token_exchange has it"));
        }
        match self.actor_token_type.is_some() && self.actor_token.is_none() {
            true => Err("oauth2: actor_token_type: there is no actor_token".into()),
            false => Ok(()),
        }
    }

    fn proof(&self) -> Result<Proof, String> {
        let secret = self.client_secret.as_ref().map(Secret::reveal);
        let private_key = self.private_key.as_ref().map(Secret::reveal);
        match (self.token_endpoint_auth_method, secret, private_key) {
            (AuthMethod::ClientSecretBasic, Some(secret), None) => Proof::basic(&self.client_id, secret)
                .ok_or_else(|| "oauth2: client_secret: this cannot stand in a header".into()),
            (AuthMethod::ClientSecretPost, Some(secret), None) => Ok(Proof::form(&self.client_id, secret)),
            (AuthMethod::PrivateKeyJwt, None, Some(pem)) => {
                SigningKey::build(&self.client_id, self.private_key_id.clone(), pem).map(Proof::Assertion)
            }
            (AuthMethod::PrivateKeyJwt, ..) => {
                Err("oauth2: private_key_jwt wants private_key, and no client_secret".into())
            }
            _ => Err("oauth2: expected client_secret, and no private_key".into()),
        }
    }

    /// What every token is asked for with, encoded.
    fn form(&self) -> String {
        let mut pairs = Vec::new();
        let mut add = |name: &str, value: &str| pairs.push(pair(name, value));
        match self.grant_type {
            GrantType::ClientCredentials => add("grant_type", "client_credentials"),
            GrantType::TokenExchange => {
                add("grant_type", EXCHANGE);
                add("subject_token_type", self.subject_token_type.as_deref().unwrap_or(ACCESS_TOKEN));
            }
        }
        if let Some(kind) = &self.requested_token_type {
            add("requested_token_type", kind);
        }
        if let Some(token) = &self.actor_token {
            add("actor_token", token.reveal());
            add("actor_token_type", self.actor_token_type.as_deref().unwrap_or(ACCESS_TOKEN));
        }
        if let Some(scope) = &self.scope {
            add("scope", scope);
        }
        self.audience.iter().for_each(|audience| add("audience", audience));
        self.resource.iter().for_each(|resource| add("resource", resource));
        pairs.join("&")
    }

    /// A digest of all that a token depends on.
    fn key(&self) -> String {
        let mut context = Context::new(&SHA256);
        let secret = |secret: &Option<Secret>| secret.as_ref().map_or("", Secret::reveal).to_owned();
        let parts = [
            self.token_endpoint.clone(),
            self.client_id.clone(),
            secret(&self.client_secret),
            secret(&self.private_key),
            format!("{:?} {} {:?}", self.token_endpoint_auth_method, self.ssl_verify, self.private_key_id),
            self.ca.clone().unwrap_or_default(),
            self.form(),
        ];
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut text = String::with_capacity(64);
        for byte in context.finish().as_ref() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}
