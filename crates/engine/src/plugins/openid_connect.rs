//! `openid-connect`: recognises a caller by an access token of an identity provider (OpenID Connect, OAuth 2).
//!
//! Fields are Apache APISIX's, of which only `bearer_only` is served: a token comes with the request, and nobody is sent to
//! a browser. It is verified by the provider's key set, by a public key, or by asking the provider ([`introspection`]);
//! what its claims must say stands in [`claims`], how a caller is refused in [`challenge`]. Where the provider cannot be
//! asked nobody is let in (503). The token is kept from the upstream unless the settings say otherwise.

mod challenge;
mod claims;
mod config;
mod introspection;
mod provider;

pub use introspection::Told;
pub use provider::Discovery;

use super::entrance::{Presented, after_scheme, presented};
use super::jwt_auth::token::{Algorithm, Token};
use super::key_set::{KeySet, Signature};
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::generation::Identity;
use crate::http::Response;
use crate::http::headers::is_of_connection;
use crate::outbound::Fault;
use crate::roles::claim_at;
use crate::server::Worker;
use crate::variable::write_claim;
use ::http::header::{AUTHORIZATION, HOST};
use ::http::{HeaderName, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use challenge::Challenge;
use claims::{Claims, Rules, Wrong, text};
use config::{Config, Expected};
use introspection::Introspection;
use provider::Provider;
use std::rc::Rc;
use std::sync::Arc;

const USERINFO: HeaderName = HeaderName::from_static("x-userinfo");
const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-access-token");
const ID_TOKEN: HeaderName = HeaderName::from_static("x-id-token");
const REFRESH_TOKEN: HeaderName = HeaderName::from_static("x-refresh-token");
/// Longer ones are no tokens.
const LONGEST: usize = 16 << 10;
/// All algorithms that only need a public key.
const ALGORITHMS: [Expected; 10] = [
    Expected::RS256,
    Expected::RS384,
    Expected::RS512,
    Expected::PS256,
    Expected::PS384,
    Expected::PS512,
    Expected::ES256,
    Expected::ES384,
    Expected::ES512,
    Expected::EdDSA,
];

/// The plugin.
pub struct OpenidConnect {
    means: Means,
    provider: Provider,
    rules: Rules,
    challenge: Challenge,
    consumer_claim: Option<String>,
    upstream_headers: Vec<(HeaderName, String)>,
    /// Headers that only this plugin may set.
    told: Vec<HeaderName>,
    tells_claims: bool,
    passes_token: Option<PassedIn>,
}

/// How tokens are verified.
enum Means {
    PublicKey(KeySet),
    KeySet,
    Introspection(Box<Introspection>),
}

/// Where the upstream gets the token.
#[derive(Clone, Copy, Eq, PartialEq)]
enum PassedIn {
    Authorization,
    AccessToken,
}

/// Why a caller is not let in.
pub enum Refused {
    Nothing,
    Wrong(Wrong),
    /// Nobody could say.
    Unknown(Fault),
    NoConsumer,
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// What is found out about a token; none where something has to be waited for.
type Verdict = Option<Result<Claims, Refused>>;

impl Build for OpenidConnect {
    type Config = Config;

    fn build(config: Config, context: &BuildContext<'_>) -> Result<Self, String> {
        if !config.bearer_only {
            return Err(
                "bearer_only: must be true; signing users in by a browser is not supported yet".into()
            );
        }
        let expected = config.token_signing_alg_values_expected.map_or(ALGORITHMS.to_vec(), |one| vec![one]);
        let algorithms: Arc<[Algorithm]> = expected.into_iter().map(Algorithm::from).collect();
        let means = match (&config.public_key, &config.introspection_endpoint) {
            (Some(pem), _) => Means::PublicKey(
                KeySet::of_pem(pem, &algorithms).map_err(|why| format!("public_key: {why}"))?,
            ),
            (None, Some(url)) if !config.use_jwks => {
                Means::Introspection(Box::new(Introspection::build(url, &config, context.state)?))
            }
            (None, _) => Means::KeySet,
        };
        let mut upstream_headers = Vec::new();
        for (name, claim) in &config.upstream_headers {
            let header: HeaderName =
                name.parse().map_err(|_| format!("upstream_headers: {name:?} is not a valid header name"))?;
            if is_of_connection(&header) || [HOST, AUTHORIZATION].contains(&header) {
                return Err(format!("upstream_headers: {header} cannot carry a claim"));
            }
            upstream_headers.push((header, claim.clone()));
        }
        let passes_token = match (config.set_access_token_header, config.access_token_in_authorization_header)
        {
            (false, _) => None,
            (true, false) => Some(PassedIn::AccessToken),
            (true, true) => Some(PassedIn::Authorization),
        };
        let told = [USERINFO, ACCESS_TOKEN, ID_TOKEN, REFRESH_TOKEN].into_iter();
        Ok(Self {
            means,
            provider: Provider::build(&config, algorithms, context.state)?,
            rules: Rules::build(&config)?,
            challenge: Challenge::build(&config)?,
            told: told.chain(upstream_headers.iter().map(|(name, _)| name.clone())).collect(),
            upstream_headers,
            consumer_claim: config.consumer_claim,
            tells_claims: config.set_userinfo_header,
            passes_token,
        })
    }
}

impl Plugin for OpenidConnect {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let token = match presented_token(exchange) {
            Ok(token) => token,
            Err(refused) => return Flow::Respond(self.refuse(exchange, &refused)),
        };
        match self.known(exchange, &token) {
            Some(verdict) => self.conclude(exchange, verdict, &token).into(),
            None => Flow::Wait(Box::pin(async move {
                let verdict = self.found_out(exchange, &token).await;
                self.conclude(exchange, verdict, &token)
            })),
        }
    }

    fn credential_headers(&self) -> &[HeaderName] {
        &[AUTHORIZATION]
    }

    fn told_headers(&self) -> &[HeaderName] {
        &self.told
    }

    fn shows_credentials(&self) -> bool {
        self.passes_token == Some(PassedIn::Authorization)
    }
}

/// The token that comes with the request.
fn presented_token(exchange: &Exchange) -> Result<Vec<u8>, Refused> {
    let malformed = || Refused::Wrong(Wrong::Token("the token is not well formed"));
    match presented(&exchange.request.headers, &AUTHORIZATION) {
        Presented::Nothing => Err(Refused::Nothing),
        Presented::Several => Err(malformed()),
        Presented::One(value) => {
            let token = after_scheme(value, "Bearer").ok_or(Refused::Nothing)?;
            let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
            let is_whole = !token.is_empty() && token.len() <= LONGEST && token.iter().all(is_token);
            if is_whole { Ok(token.to_vec()) } else { Err(malformed()) }
        }
    }
}

impl OpenidConnect {
    /// What can be said of a token without asking anybody.
    fn known(&self, exchange: &Exchange, token: &[u8]) -> Verdict {
        let discovery = match self.rules.issuers {
            Some(_) => None,
            None => Some(self.provider.discovery_at_hand()?),
        };
        let issuer = discovery.as_ref().map(|discovery| discovery.issuer.as_str());
        if issuer.is_some_and(|issuer| !self.provider.names(issuer)) {
            return Some(Err(Refused::Unknown(self.provider.wrong_issuer())));
        }
        match &self.means {
            Means::Introspection(introspection) => {
                let told = introspection.at_hand(token)?;
                Some(self.judged(&told, issuer))
            }
            Means::PublicKey(keys) => Some(
                self.read(exchange, token, keys, issuer)
                    .unwrap_or(Err(Refused::Wrong(Wrong::Token("the token is signed by another key")))),
            ),
            Means::KeySet => self.read(exchange, token, &*self.provider.keys_at_hand()?, issuer),
        }
    }

    /// What can be said once everybody was asked.
    async fn found_out(&self, exchange: &Exchange, token: &[u8]) -> Result<Claims, Refused> {
        let worker: &Rc<Worker> = &exchange.worker;
        let discovery = match self.rules.issuers {
            Some(_) => None,
            None => Some(self.provider.discovery(worker).await.map_err(Refused::Unknown)?),
        };
        let issuer = discovery.as_ref().map(|discovery| discovery.issuer.as_str());
        if issuer.is_some_and(|issuer| !self.provider.names(issuer)) {
            return Err(Refused::Unknown(self.provider.wrong_issuer()));
        }
        if let Means::Introspection(introspection) = &self.means {
            let told = introspection.ask(worker, token).await.map_err(Refused::Unknown)?;
            return self.judged(&told, issuer);
        }
        let other_key = || Err(Refused::Wrong(Wrong::Token("the token is signed by another key")));
        if let Means::PublicKey(keys) = &self.means {
            return self.read(exchange, token, keys, issuer).unwrap_or_else(other_key);
        }
        let keys = self.provider.keys(worker, None).await.map_err(Refused::Unknown)?;
        if let Some(verdict) = self.read(exchange, token, &keys, issuer) {
            return verdict;
        }
        // The provider may have a new key since.
        let keys = self.provider.keys(worker, Some(&keys)).await.map_err(Refused::Unknown)?;
        self.read(exchange, token, &keys, issuer).unwrap_or_else(other_key)
    }

    /// What a signed token says; none where `keys` do not have its key.
    fn read(&self, exchange: &Exchange, token: &[u8], keys: &KeySet, issuer: Option<&str>) -> Verdict {
        let wrong = |why| Some(Err(Refused::Wrong(Wrong::Token(why))));
        let Some(token) = Token::read(token) else { return wrong("the token is not well formed") };
        if let Err(why) = Rules::admit_type(token.typ.as_deref()) {
            return Some(Err(why.into()));
        }
        match keys.verdict(&token, &exchange.worker.signatures) {
            Signature::UnknownKey => None,
            Signature::Bad => wrong("the signature is not right"),
            Signature::Good => Some(match self.rules.check(&token.claims, issuer, true) {
                Ok(()) => Ok(token.claims),
                Err(why) => Err(why.into()),
            }),
        }
    }

    /// What the provider told.
    fn judged(&self, told: &Told, issuer: Option<&str>) -> Result<Claims, Refused> {
        let claims = told.as_ref().ok_or(Wrong::Token("the token is not active"))?;
        self.rules.check(claims, issuer, false)?;
        Ok(claims.clone())
    }

    /// Lets the caller in, or gives the refusal.
    fn conclude(
        &self,
        exchange: &mut Exchange,
        verdict: Result<Claims, Refused>,
        token: &[u8],
    ) -> Option<Response> {
        let admitted = verdict.and_then(|claims| Ok((self.consumer(exchange, &claims)?, claims)));
        match admitted {
            Ok((identity, claims)) => {
                exchange.identity = identity.or(exchange.identity.take());
                self.tell_upstream(exchange, &claims, token);
                exchange.claims = Some(Box::new(claims));
                exchange.caller_token = exchange.request.headers.get(AUTHORIZATION).cloned();
                None
            }
            Err(refused) => Some(self.refuse(exchange, &refused)),
        }
    }

    /// As whom the caller goes on, where a claim is to say that.
    fn consumer(&self, exchange: &Exchange, claims: &Claims) -> Result<Option<Identity>, Refused> {
        let Some(claim) = &self.consumer_claim else { return Ok(None) };
        let consumers = &exchange.generation.consumers;
        let consumer = text(claims, claim).and_then(|username| consumers.by_name(username));
        let consumer = consumer.ok_or(Refused::NoConsumer)?.clone();
        Ok(Some(Identity { consumer, credential: None }))
    }

    fn tell_upstream(&self, exchange: &mut Exchange, claims: &Claims, token: &[u8]) {
        let headers = &mut exchange.request.headers;
        for (name, claim) in &self.upstream_headers {
            let mut value = String::new();
            if claim_at(claims, claim).is_some_and(|claim| write_claim(claim, &mut value))
                && let Ok(value) = HeaderValue::try_from(value)
            {
                headers.insert(name, value);
            }
        }
        if self.tells_claims
            && let Ok(json) = serde_json::to_vec(claims)
            && let Ok(value) = HeaderValue::try_from(BASE64_STANDARD.encode(json))
        {
            headers.insert(USERINFO, value);
        }
        if self.passes_token == Some(PassedIn::AccessToken)
            && let Ok(mut value) = HeaderValue::from_bytes(token)
        {
            value.set_sensitive(true);
            headers.insert(ACCESS_TOKEN, value);
        }
    }

    fn refuse(&self, exchange: &mut Exchange, refused: &Refused) -> Response {
        if let Refused::Unknown(fault) = refused {
            fault.record(exchange);
        }
        self.challenge.response(refused)
    }
}

#[cfg(test)]
mod tests;
