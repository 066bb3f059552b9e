//! `acl` with consumers, tokens and both: who may go on, and what the others are answered.

use crate::exchange::Exchange;
use crate::http::Response;
use crate::plugins::testing::{Bench, body, get};
use serde_json::{Value, json};

/// A worker with the consumer carol, who has labels and the group crew, beside alice and bob of the group staff.
fn bench(acl: &Value) -> Bench {
    let labels = json!({"team": "gateway,apisix , web", "role": "[\"lead\",\"a,b\"]", "org": "apache"});
    Bench::with_carol_as(
        json!({"group": "crew", "labels": labels}),
        json!({"key-auth": {"anonymous_consumer": "guest"}, "acl": acl}),
    )
}

/// The answer to who has `key`; none where the request goes on.
fn answer(acl: &Value, key: &str) -> Option<Response> {
    let bench = bench(acl);
    bench.run(&mut bench.exchange(get("/").header("apikey", key)))
}

fn carol_goes_on(acl: Value) -> bool {
    answer(&acl, "carol-key").is_none()
}

/// An exchange with the claims of a token; `key` says who it is, if anybody.
fn with_token(acl: &Value, key: Option<&str>, claims: Value) -> Option<Response> {
    let plugins = match key {
        Some(_) => json!({"key-auth": {}, "acl": acl}),
        None => json!({"acl": acl}),
    };
    let bench = Bench::new(plugins);
    let mut exchange = bench.exchange(get("/").header("apikey", key.unwrap_or_default()));
    keep(&mut exchange, claims);
    bench.run(&mut exchange)
}

fn keep(exchange: &mut Exchange, claims: Value) {
    exchange.claims = Some(Box::new(claims.as_object().unwrap().clone()));
}

#[test]
fn one_value_of_one_label_is_enough_and_what_is_denied_goes_first() {
    for (acl, expected) in [
        (json!({"allow_labels": {"team": ["apisix"]}}), true),
        (json!({"allow_labels": {"team": ["other", "web"]}}), true),
        (json!({"allow_labels": {"team": ["gateway,apisix , web"]}}), false),
        (json!({"allow_labels": {"role": ["a,b"]}}), true),
        (json!({"allow_labels": {"none": ["x"], "org": ["apache"]}}), true),
        (json!({"allow_labels": {"org": ["apache2"]}}), false),
        (json!({"deny_labels": {"role": ["lead"]}}), false),
        (json!({"deny_labels": {"role": ["member"]}}), true),
        (json!({"allow_labels": {"org": ["apache"]}, "deny_labels": {"team": ["web"]}}), false),
    ] {
        assert_eq!(carol_goes_on(acl.clone()), expected, "{acl}");
    }
}

#[test]
fn groups_are_allowed_and_denied() {
    for (acl, expected) in [
        (json!({"allow_groups": ["crew"]}), true),
        (json!({"allow_groups": ["staff"]}), false),
        (json!({"deny_groups": ["crew"]}), false),
        (json!({"deny_groups": ["staff"]}), true),
    ] {
        assert_eq!(carol_goes_on(acl.clone()), expected, "{acl}");
    }
    assert!(
        answer(&json!({"allow_groups": ["staff"]}), "no-key").is_some(),
        "the anonymous consumer has no group"
    );
}

#[test]
fn every_kind_of_list_must_let_the_caller_in() {
    let labels = json!({"org": ["apache"]});
    assert!(carol_goes_on(json!({"allow_labels": labels, "allow_groups": ["crew"]})));
    assert!(!carol_goes_on(json!({"allow_labels": labels, "allow_groups": ["staff"]})));
    assert!(!carol_goes_on(json!({"allow_labels": {"org": ["x"]}, "allow_groups": ["crew"]})));
    assert!(!carol_goes_on(json!({"allow_labels": labels, "allow_claims": {"roles": ["admin"]}})));
}

#[test]
fn who_is_not_known_is_told_so() {
    let bench = Bench::new(json!({"acl": {"deny_labels": {"org": ["x"]}}}));
    let forged = get("/").header("X-Consumer-Username", "alice").header("X-Consumer-Group-Id", "staff");
    let response = bench.run(&mut bench.exchange(forged)).expect("a refusal");
    assert_eq!(response.status(), 401);
    assert_eq!(body(&response), json!({"message": "Missing authentication."}));
}

#[test]
fn a_refusal_has_the_configured_status_and_text() {
    for (more, status, text) in [
        (json!({}), 403, "The consumer is forbidden."),
        (json!({"rejected_code": 401, "rejected_msg": "no"}), 401, "no"),
    ] {
        let mut acl = json!({"allow_groups": ["staff"]});
        acl.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let response = answer(&acl, "carol-key").expect("a refusal");
        assert_eq!(response.status(), status);
        assert_eq!(body(&response), json!({"message": text}));
    }
}

#[test]
fn claims_are_found_by_name_and_by_path() {
    let claims = json!({
        "roles": ["admin", "writer"],
        "tier": "gold",
        "level": 3,
        "email_verified": true,
        "realm_access": {"roles": ["inner"]},
        "https://a.example/roles": ["named"],
    });
    for (acl, expected) in [
        (json!({"allow_claims": {"roles": ["writer"]}}), true),
        (json!({"allow_claims": {"roles": ["reader"]}}), false),
        (json!({"allow_claims": {"tier": ["gold"]}}), true),
        (json!({"allow_claims": {"tier": ["gol"]}}), false),
        (json!({"allow_claims": {"level": ["3"]}}), true),
        (json!({"allow_claims": {"email_verified": ["true"]}}), true),
        (json!({"allow_claims": {"realm_access.roles": ["inner"]}}), true),
        (json!({"allow_claims": {"https://a.example/roles": ["named"]}}), true),
        (json!({"allow_claims": {"realm_access": ["inner"]}}), false),
        (json!({"allow_claims": {"none.such": ["x"], "roles": ["admin"]}}), true),
        (json!({"deny_claims": {"roles": ["admin"]}}), false),
        (json!({"deny_claims": {"roles": ["root"]}}), true),
        (json!({"allow_claims": {"tier": ["gold"]}, "deny_claims": {"level": ["3"]}}), false),
    ] {
        for key in [None, Some("alice-key")] {
            assert_eq!(with_token(&acl, key, claims.clone()).is_none(), expected, "{acl}");
        }
    }
}

#[test]
fn a_caller_without_a_token_has_no_claims_and_is_refused() {
    for acl in [json!({"allow_claims": {"a": ["b"]}}), json!({"deny_claims": {"a": ["b"]}})] {
        assert_eq!(answer(&acl, "carol-key").expect("a refusal").status(), 403, "{acl}");
    }
}

#[test]
fn all_scopes_are_needed_and_all_are_named_to_who_lacks_one() {
    let acl = json!({"required_scopes": ["orders:read", "orders:write"]});
    for (claims, expected) in [
        (json!({"scope": "openid orders:write orders:read"}), true),
        (json!({"scope": ["orders:read", "orders:write"]}), true),
        (json!({"scope": "orders:read"}), false),
        (json!({"scope": "orders:read,orders:write"}), false),
        (json!({"scope": "orders:readorders:write"}), false),
        (json!({"scp": "orders:read orders:write"}), false),
        (json!({}), false),
    ] {
        let response = with_token(&acl, None, claims.clone());
        assert_eq!(response.is_none(), expected, "{claims}");
        if let Some(response) = response {
            assert_eq!(response.status(), 403);
            assert_eq!(
                response.headers()["www-authenticate"],
                "Bearer error=\"insufficient_scope\", scope=\"orders:read orders:write\""
            );
        }
    }
    let named = json!({"required_scopes": ["a"], "scope_claim": "scp"});
    assert!(with_token(&named, None, json!({"scp": ["a"]})).is_none());
    let no_token = answer(&acl, "carol-key").expect("a refusal");
    assert!(no_token.headers().contains_key("www-authenticate"));
}

#[test]
fn a_claim_serves_as_a_label_of_who_has_only_a_token() {
    let acl = |more: Value| {
        let mut acl = json!({"allow_labels": {"groups": ["dev"]}});
        acl.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        acl
    };
    let segmented = json!({"external_user_label_field_parser": "segmented_text",
        "external_user_label_field_separator": "\\|"});
    let inner =
        json!({"external_user_label_field": "$.org.teams", "external_user_label_field_key": "groups"});
    for (more, claims, expected) in [
        (json!({}), json!({"groups": ["ops", "dev"]}), true),
        (json!({}), json!({"groups": "ops, dev"}), true),
        (json!({}), json!({"groups": "[\"dev\"]"}), true),
        (json!({}), json!({"groups": "dev"}), true),
        (json!({}), json!({"groups": "devs"}), false),
        (json!({}), json!({"groups": {"dev": true}}), false),
        (json!({}), json!({}), false),
        (segmented.clone(), json!({"groups": "ops | dev"}), true),
        (segmented, json!({"groups": "ops,dev"}), false),
        (json!({"external_user_label_field_parser": "table"}), json!({"groups": "dev"}), false),
        (json!({"external_user_label_field_parser": "table"}), json!({"groups": ["dev"]}), true),
        (json!({"external_user_label_field_parser": "json"}), json!({"groups": "[\"dev\"]"}), true),
        (json!({"external_user_label_field_parser": "json"}), json!({"groups": "dev"}), false),
        (inner, json!({"org": {"teams": ["dev"]}}), true),
    ] {
        let acl = acl(more);
        assert_eq!(with_token(&acl, None, claims.clone()).is_none(), expected, "{acl} {claims}");
    }
    // A consumer goes by its own labels, whatever its token says.
    assert!(with_token(&acl(json!({})), Some("alice-key"), json!({"groups": ["dev"]})).is_some());
}

#[test]
fn refuses_settings_that_cannot_hold() {
    for (config, why) in [
        (json!({}), "give allow_labels, deny_labels"),
        (json!({"allow_labels": {}}), "allow_labels: must not be empty"),
        (json!({"allow_labels": {"a": []}}), "allow_labels.a: must not be empty"),
        (json!({"deny_claims": {"": ["a"]}}), "deny_claims: \"\" is no claim"),
        (json!({"required_scopes": ["a b"]}), "\"a b\" is no scope"),
        (json!({"required_scopes": ["a\"b"]}), "is no scope"),
        (json!({"allow_groups": ["a"], "rejected_code": 99}), "between 200 and 599"),
        (
            json!({"allow_groups": ["a"], "external_user_label_field_parser": "segmented_text"}),
            "is needed for segmented_text",
        ),
        (
            json!({"allow_groups": ["a"], "external_user_label_field_parser": "segmented_text",
                "external_user_label_field_separator": "("}),
            "external_user_label_field_separator: regex parse error",
        ),
    ] {
        let message = Bench::problem(json!({"acl": config}));
        assert!(message.contains(why), "{config}: {message}");
    }
}
