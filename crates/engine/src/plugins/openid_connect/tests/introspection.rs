//! Tokens that the provider is asked about.

use super::{ask, bearer, json_step, later, now, run, status};
use crate::plugins::testing::Bench;
use serde_json::{Value, json};
use toolway_testkit::{ScriptedUpstream, Step};

/// A place that asks a server with this script about tokens, whose issuer may be anybody.
async fn introspecting(script: impl Into<Vec<Step>>, more: Value) -> (Bench, ScriptedUpstream) {
    let server = ScriptedUpstream::start(script).await.unwrap();
    let mut settings = json!({
        "client_id": "gateway", "client_secret": "a/b c", "bearer_only": true, "timeout": 60,
        "discovery": "http://127.0.0.1:9/.well-known/openid-configuration",
        "introspection_endpoint": format!("http://{}/introspect", server.address()),
        "claim_validator": {
            "issuer": {"valid_issuers": ["https://id.example"]}, "audience": {"required": false},
        },
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (Bench::new(json!({"openid-connect": settings})), server)
}

#[test]
fn asks_the_provider_about_a_token_once() {
    run(|| async {
        for (method, authorization, form) in [
            ("client_secret_basic", Some("Basic Z2F0ZXdheTphJTJGYiUyMGM="), ""),
            ("client_secret_post", None, "&client_id=gateway&client_secret=a%2Fb%20c"),
        ] {
            let told = json!({"active": true, "sub": "carol", "exp": now() + 60});
            let more = json!({"introspection_endpoint_auth_method": method});
            let (bench, server) = introspecting([json_step(told)], more).await;
            for _ in 0..5 {
                let (exchange, response) = ask(&bench, bearer("opaque+/=")).await;
                assert!(response.is_none());
                assert_eq!(exchange.claims.unwrap()["sub"], "carol");
                assert_eq!(exchange.withheld[..], ["authorization"]);
            }
            let [sent] = &server.received()[..] else { panic!("it was asked again") };
            assert_eq!(sent.line(), "POST /introspect HTTP/1.1");
            assert_eq!(sent.header("authorization"), authorization);
            assert_eq!(sent.header("content-type"), Some("application/x-www-form-urlencoded"));
            let expected = format!("token=opaque%2B%2F%3D&token_type_hint=access_token{form}");
            assert_eq!(String::from_utf8(sent.body()).unwrap(), expected);
        }
    });
}

#[test]
fn what_was_told_holds_for_the_interval_and_never_longer_than_the_token() {
    run(|| async {
        let active = |exp: u64| json_step(json!({"active": true, "exp": exp}));
        let inactive = || json_step(json!({"active": false}));
        for (first, more, seconds) in [
            (active(now() + 1000), json!({"introspection_interval": 5}), 6),
            (active(now() + 20), json!({"introspection_interval": 0}), 21),
            (active(now() + 20), json!({}), 21),
            (active(now() + 1000), json!({"introspection_cache_ignore": true}), 0),
            (json_step(json!({"active": true})), json!({"introspection_interval": 0}), 0),
        ] {
            let (bench, server) = introspecting([first, inactive()], more.clone()).await;
            assert_eq!(status(&bench, "opaque").await, 200, "{more}");
            if seconds > 0 {
                assert_eq!(status(&bench, "opaque").await, 200, "{more}");
                assert_eq!(server.received().len(), 1);
                later(seconds).await;
            }
            assert_eq!(status(&bench, "opaque").await, 401, "{more}");
        }
    });
}

#[test]
fn what_is_told_about_a_token_must_fit_too() {
    run(|| async {
        for (told, expected) in [
            (json!({"active": true}), 200),
            (json!({"active": true, "iss": "https://id.example", "aud": ["gateway"]}), 200),
            (json!({"active": "true"}), 401),
            (json!({"active": 1}), 401),
            (json!({"active": false}), 401),
            (json!({}), 401),
            (json!({"active": true, "iss": "https://evil.example"}), 401),
            (json!({"active": true, "aud": "other"}), 401),
            (json!({"active": true, "exp": now() - 60}), 401),
            (json!({"active": true, "nbf": now() + 60}), 401),
            (json!({"active": true, "typ": "Refresh"}), 401),
            (json!([true]), 503),
        ] {
            let (bench, _server) = introspecting([json_step(told.clone())], json!({})).await;
            assert_eq!(status(&bench, "opaque").await, expected, "{told}");
        }
        let (bench, _server) = introspecting(
            [json_step(json!({"active": true}))],
            json!({"claim_validator": {"issuer": {"valid_issuers": ["x"]}}}),
        )
        .await;
        assert_eq!(status(&bench, "opaque").await, 401, "an audience is required by default");
    });
}

#[test]
fn nobody_is_let_in_where_the_provider_cannot_be_asked() {
    run(|| async {
        for answer in [
            Step::Close,
            Step::Answer("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".into()),
            Step::ok("true"),
            Step::ok(&format!("{{\"active\": true, \"x\": \"{}\"}}", "y".repeat(100_000))),
            Step::Stall(Vec::new()),
        ] {
            let (bench, server) = introspecting([answer], json!({"timeout": 1})).await;
            let (exchange, response) = ask(&bench, bearer("opaque-token")).await;
            assert_eq!(response.unwrap().status(), 503);
            let detail = exchange.record.error_detail.as_deref().unwrap();
            assert!(detail.starts_with(&format!("http://{}/introspect: ", server.address())), "{detail}");
            assert!(!detail.contains("opaque") && !detail.contains("a/b"), "{detail}");
        }
    });
}

#[test]
fn an_answer_from_before_does_not_outlive_a_provider_that_is_down() {
    run(|| async {
        let told = json!({"active": true, "exp": now() + 1000});
        let (bench, server) = introspecting([json_step(told)], json!({"introspection_interval": 20})).await;
        assert_eq!(status(&bench, "opaque").await, 200);
        server.stop().await;
        later(30).await;
        assert_eq!(status(&bench, "opaque").await, 503);
    });
}
