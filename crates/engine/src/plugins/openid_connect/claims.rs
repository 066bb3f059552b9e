//! What the claims of a token must say before anybody is let in by it. Whether they are true is not asked here.

use super::config::Config;
use serde_json::{Map, Value};
use std::time::{SystemTime, UNIX_EPOCH};

/// Kinds of tokens that are made to be shown to an API (RFC 9068 section 2.1), as their header calls them.
const ACCESS: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];
/// What providers call others of their tokens, in the claim `typ`.
const OTHERS: [&str; 4] = ["ID", "Refresh", "Offline", "Logout"];
/// Claims that stand in ID tokens only (OpenID Connect Core 1.0 section 3.3.2.11).
const OF_ID_TOKENS: [&str; 2] = ["at_hash", "c_hash"];

/// Claims of tokens.
pub type Claims = Map<String, Value>;

/// The rules for claims.
pub struct Rules {
    /// None: those of the discovery document.
    pub issuers: Option<Vec<String>>,
    audience_claim: String,
    audience_required: bool,
    /// None: any will do.
    audiences: Option<Vec<String>>,
    leeway: f64,
    scopes: Vec<String>,
}

/// Why a token lets nobody in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// What is wrong with the token, for its holder.
    Token(&'static str),
    /// It is good for less.
    Scope,
}

impl Rules {
    pub fn build(config: &Config) -> Result<Self, String> {
        let validator = &config.claim_validator;
        let lists = [
            ("claim_validator.issuer.valid_issuers", &validator.issuer.valid_issuers),
            ("claim_validator.audience.valid_audiences", &validator.audience.valid_audiences),
        ];
        for (name, list) in lists {
            if list.as_ref().is_some_and(|list| list.is_empty() || list.iter().any(String::is_empty)) {
                return Err(format!(
                    "{name}: expected at least one, and none empty; leave it out for the default"
                ));
            }
        }
        let is_scope = |scope: &String| {
            !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'))
        };
        if !config.required_scopes.iter().all(is_scope) {
            return Err("required_scopes: a scope has no spaces, quotes or backslashes (RFC 6749)".into());
        }
        let audience = &validator.audience;
        let own = audience.match_with_client_id.then(|| vec![config.client_id.clone()]);
        Ok(Self {
            issuers: validator.issuer.valid_issuers.clone(),
            audience_claim: audience.claim.clone(),
            audience_required: audience.required,
            audiences: audience.valid_audiences.clone().or(own),
            leeway: f64::from(config.iat_slack),
            scopes: config.required_scopes.clone(),
        })
    }

    /// Whether a token that is signed says in its header that it is one for an API.
    pub fn admit_type(typ: Option<&str>) -> Result<(), Wrong> {
        match typ {
            Some(typ) if !ACCESS.iter().any(|access| access.eq_ignore_ascii_case(typ)) => {
                Err(Wrong::Token("this is not an access token"))
            }
            _ => Ok(()),
        }
    }

    /// Whether these claims of a signed token, or of what was told about a token, let its holder in. `discovered` is the
    /// issuer of the discovery document. A signed token must say who made it and until when it holds.
    pub fn check(&self, claims: &Claims, discovered: Option<&str>, is_signed: bool) -> Result<(), Wrong> {
        self.check_time(claims, is_signed)?;
        let is_other = || OF_ID_TOKENS.iter().any(|name| claims.contains_key(*name));
        if text(claims, "typ").is_some_and(|typ| OTHERS.contains(&typ)) || is_signed && is_other() {
            return Err(Wrong::Token("this is not an access token"));
        }
        let issuers = self.issuers.as_deref();
        let is_issuer = |issuer: &str| match issuers {
            Some(issuers) => issuers.iter().any(|known| known == issuer),
            None => discovered == Some(issuer),
        };
        match claims.get("iss") {
            None if !is_signed => {}
            Some(Value::String(issuer)) if is_issuer(issuer) => {}
            _ => return Err(Wrong::Token("the token is of another issuer")),
        }
        self.check_audience(claims)?;
        match self.scopes.iter().all(|wanted| has_scope(claims, wanted)) {
            true => Ok(()),
            false => Err(Wrong::Scope),
        }
    }

    fn check_time(&self, claims: &Claims, is_signed: bool) -> Result<(), Wrong> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(f64::MAX, |now| now.as_secs_f64());
        let at = |name: &str| claims.get(name).map(|value| value.as_f64().filter(|at| at.is_finite()));
        match at("exp") {
            None if !is_signed => {}
            Some(Some(exp)) if now < exp + self.leeway => {}
            _ => return Err(Wrong::Token("the token has expired")),
        }
        for name in ["nbf", "iat"] {
            if !at(name).is_none_or(|at| at.is_some_and(|at| at <= now + self.leeway)) {
                return Err(Wrong::Token("the token does not hold yet"));
            }
        }
        Ok(())
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), Wrong> {
        let is_known = |named: &Value| {
            let known =
                |named: &str| self.audiences.as_ref().is_none_or(|all| all.iter().any(|one| one == named));
            named.as_str().is_some_and(known)
        };
        let fits = match claims.get(&self.audience_claim) {
            None => !self.audience_required,
            Some(Value::Array(all)) => all.iter().any(is_known),
            Some(one) => is_known(one),
        };
        if fits { Ok(()) } else { Err(Wrong::Token("the token is for another audience")) }
    }
}

/// The text of a claim.
pub fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str()
}

/// Whether a token has the scope: in a text with spaces between them (RFC 8693 section 4.2), or in a list.
fn has_scope(claims: &Claims, wanted: &str) -> bool {
    ["scope", "scp"].iter().filter_map(|name| claims.get(*name)).any(|value| match value {
        Value::String(text) => text.split(' ').any(|scope| scope == wanted),
        Value::Array(all) => all.iter().any(|scope| scope == wanted),
        _ => false,
    })
}
