//! Roles: which of them an operation asks for, and which a caller has, by its consumer or by its token.
//!
//! Names are compared as they stand: rules and callers have few of them, and nothing is allocated for a request. Where the
//! rules are asked is told in `exchange` (they hold) and in `mcp` (callers are shown what they may call).

use crate::generation::Consumer;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The roles of which a caller needs one; none at all: nobody may call.
pub struct Rule(Box<[Arc<str>]>);

/// What is known of a caller that may give it roles.
#[derive(Clone, Copy, Default)]
pub struct Caller<'a> {
    pub consumer: Option<&'a Consumer>,
    /// Of a token whose issuer may say what its bearer is.
    pub claims: Option<&'a Map<String, Value>>,
    /// The claim that has the roles.
    pub claim: &'a str,
}

impl Rule {
    pub fn new(roles: &[String]) -> Self {
        Self(names(roles))
    }

    /// Whether `caller` has one of the roles.
    pub fn admits(&self, caller: &Caller<'_>) -> bool {
        self.0.iter().any(|role| caller.has(role))
    }

    /// What is needed, for a refusal.
    pub fn needed(&self) -> String {
        match &self.0[..] {
            [] => "nobody may make this call".into(),
            [role] => format!("it needs the role {role}"),
            roles => format!("it needs one of the roles {}", roles.join(", ")),
        }
    }
}

/// Roles as consumers keep them.
pub fn names(roles: &[String]) -> Box<[Arc<str>]> {
    roles.iter().map(|role| Arc::from(role.as_str())).collect()
}

impl Caller<'_> {
    fn has(&self, role: &str) -> bool {
        let of_consumer =
            || self.consumer.is_some_and(|consumer| consumer.roles.iter().any(|own| **own == *role));
        let of_token = || match self.claims.and_then(|claims| claim_at(claims, self.claim)) {
            Some(Value::Array(roles)) => roles.iter().any(|own| own.as_str() == Some(role)),
            Some(Value::String(roles)) => roles.split_ascii_whitespace().any(|own| own == role),
            _ => false,
        };
        of_consumer() || of_token()
    }
}

/// The claim `name`, or the one that the parts of `name` between dots lead to, as in `realm_access.roles`.
pub fn claim_at<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    let inner = claims.get(first)?;
    rest.split('.').try_fold(inner, |value, part| value.as_object()?.get(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn admits(roles: &[&str], claims: &Value, claim: &str) -> bool {
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        Rule::new(&roles).admits(&Caller { consumer: None, claims: claims.as_object(), claim })
    }

    #[test]
    fn any_role_of_the_claim_suffices_as_a_list_or_between_blanks() {
        for claims in [json!({"roles": ["reader", "buyer"]}), json!({"roles": "reader  buyer"})] {
            assert!(admits(&["admin", "buyer"], &claims, "roles"));
            assert!(!admits(&["admin"], &claims, "roles"));
            assert!(!admits(&["buy"], &claims, "roles"));
            assert!(!admits(&[], &claims, "roles"), "no role opens what nobody may call");
        }
    }

    #[test]
    fn a_claim_that_is_no_list_of_texts_gives_no_role() {
        for claims in
            [json!({"roles": {"buyer": true}}), json!({"roles": [["buyer"], 1]}), json!({"roles": null})]
        {
            assert!(!admits(&["buyer"], &claims, "roles"), "{claims}");
        }
        assert!(!admits(&["buyer"], &json!({"groups": ["buyer"]}), "roles"));
        assert!(!admits(&["buyer"], &json!(null), "roles"));
    }

    #[test]
    fn the_claim_may_lie_within_others_or_have_dots_in_its_name() {
        let nested = json!({"realm_access": {"roles": ["buyer"]}});
        assert!(admits(&["buyer"], &nested, "realm_access.roles"));
        assert!(!admits(&["buyer"], &nested, "realm_access.groups"));
        assert!(!admits(&["buyer"], &nested, "realm_access"));
        assert!(admits(
            &["buyer"],
            &json!({"https://a.example/roles": ["buyer"]}),
            "https://a.example/roles"
        ));
    }

    #[test]
    fn a_refusal_names_what_is_needed() {
        let needed =
            |roles: &[&str]| Rule::new(&roles.iter().map(ToString::to_string).collect::<Vec<_>>()).needed();
        assert_eq!(needed(&[]), "nobody may make this call");
        assert_eq!(needed(&["buyer"]), "it needs the role buyer");
        assert_eq!(needed(&["admin", "buyer"]), "it needs one of the roles admin, buyer");
    }
}
