//! `acl`: lets in, or keeps out, by what is known of the caller: labels, the group, and claims and scopes of a token.
//!
//! The fields about labels, their answers and their order are Apache APISIX's: what is denied goes before what is allowed.
//! Those about groups, claims and scopes are Toolway's own. Whoever must have something and has not is refused: each
//! list of what is allowed must let the caller in, and without a token no claim does.

mod claims;

use super::restriction::{MOST_TEXTS, Refusal, Texts};
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::http::Response;
use ::http::HeaderValue;
use ::http::header::WWW_AUTHENTICATE;
use claims::{Claims, Path, Reading};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

type Lists = BTreeMap<String, Vec<String>>;

/// Lets in, or keeps out, by what is known of the caller.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Labels with the values of which a caller must have one, of any of these labels. A consumer's label may be a list,
    /// `a,b` or `["a", "b"]`.
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    allow_labels: Option<Lists>,
    /// Labels with the values for which a caller is refused.
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    deny_labels: Option<Lists>,
    /// Ids of consumer groups of which the caller must be in one.
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    allow_groups: Option<Vec<String>>,
    /// Ids of consumer groups whose consumers are refused.
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    deny_groups: Option<Vec<String>>,
    /// Claims of the caller's token with the values of which it must have one, of any of these claims. `a.b` is the member
    /// `b` of the claim `a`, where there is no claim of the whole name.
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    allow_claims: Option<Lists>,
    /// Claims of the caller's token with the values for which it is refused. A caller without a token is refused too.
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    deny_claims: Option<Lists>,
    /// Scopes that the caller's token must have, all of them.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1)))]
    required_scopes: Option<Vec<String>>,
    /// The claim with the scopes: a text with spaces between them, or a list.
    scope_claim: String,
    /// The status of a refusal, 200 to 599.
    #[schemars(range(min = 200, max = 599))]
    rejected_code: u16,
    /// The text of a refusal.
    rejected_msg: String,
    /// Where a caller is known by a token alone, and so has no labels: the claim that serves as one, as `groups` or
    /// `$.realm.roles`.
    #[schemars(length(min = 1))]
    external_user_label_field: String,
    /// The name of the label that this claim serves as; that of the claim by default.
    #[schemars(length(min = 1))]
    external_user_label_field_key: Option<String>,
    /// How that claim is read. Without it: a list, a list in JSON, a list with commas, or a text, as it looks.
    external_user_label_field_parser: Option<Parser>,
    /// The regular expression that stands between the values, for `segmented_text`.
    #[schemars(length(min = 1, max = 256))]
    external_user_label_field_separator: Option<String>,
}

/// How a claim is read.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Parser {
    /// A text that is cut at the separator.
    SegmentedText,
    /// A text that is a list in JSON.
    Json,
    /// A list.
    Table,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_labels: None,
            deny_labels: None,
            allow_groups: None,
            deny_groups: None,
            allow_claims: None,
            deny_claims: None,
            required_scopes: None,
            scope_claim: "scope".into(),
            rejected_code: 403,
            rejected_msg: "The consumer is forbidden.".into(),
            external_user_label_field: "groups".into(),
            external_user_label_field_key: None,
            external_user_label_field_parser: None,
            external_user_label_field_separator: None,
        }
    }
}

/// The plugin.
pub struct Acl {
    labels: Rule<Labels>,
    groups: Rule<Texts>,
    claims: Rule<Claims>,
    scopes: Option<Scopes>,
    external: External,
    refusal: Refusal,
    nobody: Refusal,
}

/// What is denied, and what is allowed.
struct Rule<T> {
    deny: Option<T>,
    allow: Option<T>,
}

impl<T> Rule<T> {
    fn new<C>(
        name: &str,
        deny: Option<C>,
        allow: Option<C>,
        build: impl Fn(&str, C) -> Result<T, String>,
    ) -> Result<Self, String> {
        let build = |verb, config: Option<C>| config.map(|config| build(&format!("{verb}_{name}"), config));
        Ok(Self { deny: build("deny", deny).transpose()?, allow: build("allow", allow).transpose()? })
    }

    /// Whether a caller may go on of whom `has` tells whether any entry of a list fits.
    fn holds(&self, has: impl Fn(&T) -> bool) -> bool {
        !self.deny.as_ref().is_some_and(&has) && self.allow.as_ref().is_none_or(&has)
    }
}

/// Labels with values.
struct Labels(Box<[(Box<str>, Texts)]>);

impl Labels {
    fn new(setting: &str, lists: Lists) -> Result<Self, String> {
        if lists.is_empty() {
            return Err(format!("{setting}: must not be empty; leave it out instead"));
        }
        let one = |(name, values): (String, _)| {
            Ok((name.as_str().into(), Texts::new(&format!("{setting}.{name}"), values)?))
        };
        lists.into_iter().map(one).collect::<Result<_, String>>().map(Self)
    }
}

/// Scopes of which all are needed.
struct Scopes {
    claim: Path,
    required: Box<[Box<str>]>,
    challenge: HeaderValue,
}

/// The label of callers who are known by a token alone.
struct External {
    claim: Path,
    label: String,
    reading: Reading,
}

impl Build for Acl {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let external = External::new(&config)?;
        let lists = [&config.allow_labels, &config.deny_labels, &config.allow_claims, &config.deny_claims];
        let groups = [&config.allow_groups, &config.deny_groups, &config.required_scopes];
        if lists.iter().all(|list| list.is_none()) && groups.iter().all(|list| list.is_none()) {
            return Err("give allow_labels, deny_labels or another list of who is allowed or denied".into());
        }
        Ok(Self {
            labels: Rule::new("labels", config.deny_labels, config.allow_labels, Labels::new)?,
            groups: Rule::new("groups", config.deny_groups, config.allow_groups, Texts::new)?,
            claims: Rule::new("claims", config.deny_claims, config.allow_claims, Claims::new)?,
            scopes: config
                .required_scopes
                .map(|scopes| Scopes::new(&config.scope_claim, scopes))
                .transpose()?,
            external,
            refusal: Refusal::message("rejected_code", config.rejected_code, &config.rejected_msg)?,
            nobody: Refusal::message("rejected_code", 401, "Missing authentication.")?,
        })
    }
}

impl External {
    fn new(config: &Config) -> Result<Self, String> {
        let field = &config.external_user_label_field;
        let separator = config.external_user_label_field_separator.as_deref();
        let reading = match (config.external_user_label_field_parser, separator) {
            (None, _) => Reading::AsItLooks,
            (Some(Parser::Table), _) => Reading::List,
            (Some(Parser::Json), _) => Reading::Json,
            (Some(Parser::SegmentedText), Some(separator)) => Reading::segmented(separator)
                .map_err(|error| format!("external_user_label_field_separator: {error}"))?,
            (Some(Parser::SegmentedText), None) => {
                return Err("external_user_label_field_separator: is needed for segmented_text".into());
            }
        };
        let claim = Path::new("external_user_label_field", field.strip_prefix("$.").unwrap_or(field))?;
        let label = config.external_user_label_field_key.as_ref().unwrap_or(field).clone();
        Ok(Self { claim, label, reading })
    }
}

impl Scopes {
    fn new(claim: &str, required: Vec<String>) -> Result<Self, String> {
        // RFC 6749 section 3.3 says of what a scope is made.
        let is_scope = |text: &String| {
            !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'))
        };
        if required.is_empty() {
            return Err("required_scopes: must not be empty; leave it out instead".into());
        }
        if let Some(text) = required.iter().find(|text| !is_scope(text)) {
            return Err(format!("required_scopes: {text:?} is no scope"));
        }
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", required.join(" "));
        Ok(Self {
            claim: Path::new("scope_claim", claim)?,
            required: required.into_iter().map(Into::into).collect(),
            challenge: HeaderValue::from_str(&challenge).map_err(|_| "required_scopes: are too long")?,
        })
    }

    fn are_in(&self, claims: &serde_json::Map<String, Value>) -> bool {
        let has = |scope: &str| match self.claim.find(claims) {
            Some(Value::String(text)) => text.split(' ').any(|one| one == scope),
            Some(Value::Array(items)) => items.iter().any(|one| one.as_str() == Some(scope)),
            _ => false,
        };
        self.required.iter().all(|scope| has(scope))
    }
}

impl Plugin for Acl {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        self.refused(exchange).into()
    }
}

impl Acl {
    fn refused(&self, exchange: &Exchange) -> Option<Response> {
        let consumer = exchange.identity.as_ref().map(|identity| &identity.consumer);
        let claims = exchange.claims.as_deref();
        if consumer.is_none() && claims.is_none() {
            return Some(self.nobody.response());
        }
        let has_label = |labels: &Labels| match consumer {
            Some(consumer) => {
                let has = |(name, values): &(Box<str>, Texts)| {
                    consumer.labels.get(name).any(|value| values.contain(value))
                };
                labels.0.iter().any(has)
            }
            None => claims.is_some_and(|claims| self.external.has(claims, labels)),
        };
        let group = consumer.and_then(|consumer| consumer.group.as_deref());
        let in_group = |groups: &Texts| group.is_some_and(|group| groups.contain(group));
        let may = self.labels.holds(has_label)
            && self.groups.holds(in_group)
            && match claims {
                Some(claims) => self.claims.holds(|wanted| wanted.fit(claims)),
                None => self.claims.deny.is_none() && self.claims.allow.is_none(),
            };
        if !may {
            return Some(self.refusal.response());
        }
        let scopes = self.scopes.as_ref()?;
        if claims.is_some_and(|claims| scopes.are_in(claims)) {
            return None;
        }
        let mut response = self.refusal.response();
        response.headers_mut().insert(WWW_AUTHENTICATE, scopes.challenge.clone());
        Some(response)
    }
}

impl External {
    fn has(&self, claims: &serde_json::Map<String, Value>, labels: &Labels) -> bool {
        let wanted = labels.0.iter().find(|(name, _)| **name == *self.label);
        wanted.is_some_and(|(_, values)| {
            self.claim
                .find(claims)
                .is_some_and(|claim| self.reading.values(claim).iter().any(|value| values.contain(value)))
        })
    }
}

#[cfg(test)]
mod tests;
