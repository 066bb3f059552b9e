//! What becomes of a token's claims: roles, and headers for the upstream.

use super::{FUTURE, bearer, hs256, run, token};
use crate::plugins::testing::Bench;
use serde_json::json;

#[test]
fn roles_of_a_token_count_only_where_its_signer_is_trusted_with_them() {
    let claims = json!({"key": "carols", "exp": FUTURE, "roles": ["buyer"]});
    for (settings, are_own) in [
        (json!({"roles_from_token": true}), false),
        (json!({"store_in_ctx": true}), true),
        (json!({"store_in_ctx": true, "roles_from_token": true}), false),
    ] {
        let (exchange, response) = run(hs256(), settings.clone(), bearer(&token(&claims)));
        assert!(response.is_none());
        assert!(exchange.claims.is_some(), "{settings}");
        assert_eq!(exchange.claims_are_own, are_own, "{settings}");
        assert_eq!(exchange.caller().claims.is_none(), are_own, "{settings}");
    }
}

#[test]
fn chosen_claims_are_told_to_the_upstream_and_a_client_cannot_tell_them() {
    let settings = json!({"upstream_headers": {
        "X-User-Roles": "realm.roles", "X-User": "sub", "X-Age": "age", "X-Whole": "realm", "X-None": "none",
        "X-Lines": "lines"}});
    let claims = json!({"key": "carols", "exp": FUTURE, "sub": "carol", "age": 7, "lines": "a\r\nb",
        "realm": {"roles": ["buyer", "reader"]}});
    let (exchange, response) = run(hs256(), settings, bearer(&token(&claims)));
    assert!(response.is_none());
    assert!(exchange.claims.is_none(), "what is told need not be kept");
    let told = |name: &str| exchange.request.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(told("x-user-roles"), Some("buyer reader"));
    assert_eq!((told("x-user"), told("x-age")), (Some("carol"), Some("7")));
    assert_eq!((told("x-whole"), told("x-none"), told("x-lines")), (None, None, None));
}

#[test]
fn a_header_with_another_use_cannot_tell_a_claim() {
    for name in ["Host", "content-length", "X-Consumer-Username", "x-forwarded-for", "Authorization", "a b"] {
        let problem = Bench::problem(json!({"jwt-auth": {"upstream_headers": {name: "sub"}}}));
        assert!(problem.contains("upstream_headers"), "{name}: {problem}");
    }
}

#[test]
fn keeps_the_claims_for_variables_where_it_is_told_to() {
    let token = token(&json!({"key": "carols", "sub": "u1", "scope": ["a", "b"], "n": 7}));
    for (stores, expected) in [(true, "u1 a b 7 ()"), (false, "   ()")] {
        let (exchange, _) = run(hs256(), json!({"store_in_ctx": stores}), bearer(&token));
        let template = "$jwt_claim_sub $jwt_claim_scope $jwt_claim_n ($jwt_claim_none)";
        let mut text = String::new();
        crate::variable::Template::parse(template).unwrap().write(&exchange, |_| None, &mut text);
        assert_eq!(text, expected);
    }
}
