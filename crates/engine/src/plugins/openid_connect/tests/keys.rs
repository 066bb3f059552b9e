//! Where keys come from, and what becomes of callers when they do not.

use super::{PATH, Provider, ask, bearer, json_step, key_step, later, now, run, status};
use crate::plugins::key_set::testing::Signer;
use crate::plugins::testing::Bench;
use serde_json::json;
use toolway_testkit::{ScriptedUpstream, Step, closed_address};

#[test]
fn a_new_key_is_fetched_once_when_a_token_names_it() {
    run(|| async {
        let (old, new) = (Signer::es256("old"), Signer::es256("new"));
        let provider = Provider::start([key_step(&[&old]), key_step(&[&old, &new])]).await;
        let bench = provider.bench(json!({}));
        let claims = provider.claims(json!({}));
        assert_eq!(status(&bench, &old.token(&claims)).await, 200);
        // The set was fetched just now, so whoever makes up key ids does not have it fetched again.
        for _ in 0..10 {
            assert_eq!(status(&bench, &new.token(&claims)).await, 401);
        }
        assert_eq!(provider.lines(), [PATH, "/keys"]);
        later(crate::plugins::key_set::TIMES.pause.as_secs()).await;
        assert_eq!(status(&bench, &new.token(&claims)).await, 200);
        assert_eq!(status(&bench, &old.token(&claims)).await, 200);
        assert_eq!(provider.lines(), [PATH, "/keys", "/keys"]);
    });
}

#[test]
fn nobody_is_let_in_where_the_keys_cannot_be_had() {
    run(|| async {
        let signer = Signer::es256("a");
        let huge = format!("{{\"keys\": [], \"x\": \"{}\"}}", "y".repeat(300_000));
        for answer in [
            Step::Close,
            Step::Answer("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".into()),
            Step::Answer("HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n".into()),
            Step::ok("<html>"),
            Step::ok(&huge),
            Step::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec()),
        ] {
            let provider = Provider::start([answer]).await;
            let bench = provider.bench(json!({"timeout": 1}));
            let (exchange, response) = ask(&bench, bearer(&signer.token(&provider.claims(json!({}))))).await;
            let response = response.unwrap();
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()["x-toolway-error"], "outbound_failed");
            let detail = exchange.record.error_detail.as_deref().unwrap();
            assert!(detail.starts_with(&format!("http://{}/keys: ", provider.address)), "{detail}");
        }
    });
}

#[test]
fn the_last_good_keys_serve_while_the_provider_is_down() {
    run(|| async {
        let (old, new) = (Signer::es256("old"), Signer::es256("new"));
        let provider = Provider::of(&old).await;
        let bench = provider.bench(json!({}));
        let claims = provider.claims(json!({"exp": now() + 100_000}));
        assert_eq!(status(&bench, &old.token(&claims)).await, 200);
        provider.server.stop().await;
        later(3700).await;
        assert_eq!(status(&bench, &old.token(&claims)).await, 200);
        assert_eq!(status(&bench, &new.token(&claims)).await, 401);
    });
}

#[test]
fn keys_of_another_server_must_be_public() {
    run(|| async {
        let signer = Signer::es256("a");
        let home = ScriptedUpstream::start([key_step(&[&signer])]).await.unwrap();
        for url in [format!("http://{}/", home.address()), format!("https://{}/", home.address())] {
            let address = closed_address().unwrap();
            let discovery = json!({"issuer": format!("http://{address}"), "jwks_uri": url});
            let server = ScriptedUpstream::start_at(address, [json_step(discovery)]).await.unwrap();
            let provider = Provider { address, server };
            assert_eq!(
                status(&provider.bench(json!({})), &signer.token(&provider.claims(json!({})))).await,
                503
            );
        }
        assert_eq!(home.connections(), 0);
    });
}

#[test]
fn a_provider_that_calls_itself_another_is_not_believed_unless_it_is_expected() {
    run(|| async {
        let signer = Signer::es256("a");
        let address = closed_address().unwrap();
        let other = "https://id.example";
        let discovery = json!({"issuer": other, "jwks_uri": format!("http://{address}/keys")});
        let script = [json_step(discovery), key_step(&[&signer])];
        let server = ScriptedUpstream::start_at(address, script).await.unwrap();
        let provider = Provider { address, server };
        let token = signer.token(&provider.claims(json!({"iss": other})));
        let bench = provider.bench(json!({}));
        assert_eq!(status(&bench, &token).await, 503);
        let valid = json!({"claim_validator": {"issuer": {"valid_issuers": [other]}}});
        let bench = bench.swapped("route", json!({"openid-connect": provider.settings(valid)}));
        assert_eq!(status(&bench, &token).await, 200);
        let own = signer.token(&provider.claims(json!({})));
        assert_eq!(status(&bench, &own).await, 401);
    });
}

#[test]
fn a_public_key_needs_no_key_set() {
    run(|| async {
        let (signer, other) = (Signer::es256("a"), Signer::es256("a"));
        let settings = json!({
            "client_id": "gateway", "discovery": "http://127.0.0.1:9/.well-known/openid-configuration",
            "bearer_only": true, "public_key": signer.pem,
            "claim_validator": {"issuer": {"valid_issuers": ["https://id.example"]}},
        });
        let bench = Bench::new(json!({"openid-connect": settings}));
        let claims = json!({"iss": "https://id.example", "aud": "gateway", "exp": now() + 60});
        assert_eq!(status(&bench, &signer.token(&claims)).await, 200);
        assert_eq!(status(&bench, &other.token(&claims)).await, 401);
        assert_eq!(status(&bench, &signer.with_header(&json!({"alg": "ES384"}), &claims)).await, 401);
    });
}
