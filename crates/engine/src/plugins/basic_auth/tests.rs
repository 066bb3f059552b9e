//! What callers present and what becomes of it.

use crate::exchange::Exchange;
use crate::http::Response;
use crate::plugins::testing::{Bench, body, get, username};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::request::Builder;
use serde_json::{Value, json};

fn bench(config: Value) -> Bench {
    let hash = bcrypt::hash("open: sesame", 4).unwrap();
    Bench::with_credential(
        "basic-auth",
        json!({"username": "carol@shop", "password_hash": hash}),
        json!({"basic-auth": config}),
    )
}

fn run(config: Value, request: Builder) -> (Exchange, Option<Response>) {
    let bench = bench(config);
    let mut exchange = bench.exchange(request);
    let response = bench.run(&mut exchange);
    (exchange, response)
}

fn basic(text: impl AsRef<[u8]>) -> Builder {
    get("/").header("Authorization", format!("Basic {}", BASE64_STANDARD.encode(text)))
}

#[track_caller]
fn assert_refused(request: Builder, message: &str) {
    let (exchange, response) = run(json!({}), request);
    let response = response.expect("a refusal");
    assert_eq!(response.status(), 401);
    assert_eq!(body(&response), json!({"message": message}));
    assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"basic\"");
    assert!(exchange.identity.is_none());
}

#[test]
fn lets_in_who_has_the_password_and_hides_it() {
    let (exchange, response) = run(json!({}), basic("carol@shop:open: sesame"));
    assert!(response.is_none());
    assert_eq!(username(&exchange), Some("carol"));
    assert_eq!(exchange.identity.as_ref().unwrap().credential.as_deref(), Some("carols"));
    assert_eq!(exchange.withheld[..], ["authorization"]);
}

#[test]
fn knows_a_password_that_was_right_without_hashing_again() {
    let bench = bench(json!({}));
    for _ in 0..2 {
        let mut exchange = bench.exchange(basic("carol@shop:open: sesame"));
        assert!(bench.run(&mut exchange).is_none());
        assert_eq!(username(&exchange), Some("carol"));
    }
    let mut exchange = bench.exchange(basic("carol@shop:open: sesamE"));
    assert_eq!(bench.run(&mut exchange).unwrap().status(), 401);
}

#[test]
fn refuses_a_request_without_a_password() {
    assert_refused(get("/"), "Missing authorization in request");
    assert_refused(get("/").header("Authorization", ""), "Missing authorization in request");
}

#[test]
fn refuses_what_does_not_fit() {
    for text in ["carol@shop:", "carol@shop:open", "carol@shop:open: sesame ", "Carol@shop:open: sesame"] {
        assert_refused(basic(text), "Invalid user authorization");
    }
    assert_refused(basic("carol:open: sesame"), "Invalid user authorization");
}

#[test]
fn refuses_what_is_not_well_formed() {
    let encoded = BASE64_STANDARD.encode("carol@shop:open: sesame");
    let unpadded = encoded.trim_end_matches('=');
    let cases = [
        "Basic".to_owned(),
        "Basic ".to_owned(),
        encoded.clone(),
        format!("Basic{encoded}"),
        format!("Basic\t{encoded}"),
        format!("Bearer {encoded}"),
        format!("Basic {unpadded}"),
        format!("Basic {encoded}="),
        format!("Basic {encoded} {encoded}"),
        format!("Basic {}", BASE64_STANDARD.encode("carol@shop")),
        format!("Basic {}", BASE64_STANDARD.encode(":open: sesame")),
        format!("Basic {}", BASE64_STANDARD.encode("carol@shop:open: sesame\0")),
        format!("Basic {}", BASE64_STANDARD.encode(b"carol\xff:open: sesame")),
    ];
    for value in cases {
        assert_ne!(value, format!("Basic {encoded}"));
        assert_refused(get("/").header("Authorization", value), "Invalid authorization in request");
    }
    let twice = basic("carol@shop:open: sesame").header("Authorization", format!("Basic {encoded}"));
    assert_refused(twice, "Invalid authorization in request");
}

#[test]
fn the_case_of_the_scheme_does_not_matter() {
    let encoded = BASE64_STANDARD.encode("carol@shop:open: sesame");
    for scheme in ["basic", "BASIC", "Basic  "] {
        let request = get("/").header("Authorization", format!("{scheme} {encoded}"));
        assert_eq!(username(&run(json!({}), request).0), Some("carol"), "{scheme}");
    }
}

#[test]
fn passes_the_password_on_when_told_to() {
    let (exchange, _) = run(json!({"hide_credentials": false}), basic("carol@shop:open: sesame"));
    assert!(exchange.withheld.is_empty());
}

#[test]
fn lets_others_in_as_the_anonymous_consumer() {
    let config = json!({"anonymous_consumer": "guest", "realm": "shop"});
    for request in [get("/"), basic("carol@shop:wrong"), basic("nobody:wrong"), basic("nonsense")] {
        let (exchange, response) = run(config.clone(), request);
        assert!(response.is_none());
        assert_eq!(username(&exchange), Some("guest"));
    }
}

#[test]
fn refuses_a_credential_that_cannot_be_verified() {
    for (config, why) in [
        (json!({"username": "c", "password_hash": "open sesame"}), "credentials/0: password_hash: expected"),
        (json!({"username": "c"}), "credentials/0/config: missing field `password_hash`"),
        (json!({"username": "c", "password_hash": "x", "password": "y"}), "unknown field `password`"),
    ] {
        let credential = json!({"id": "c", "plugin": "basic-auth", "config": config});
        let message = Bench::with_carol(&credential, json!({})).err().unwrap();
        assert!(message.contains(why) && !message.contains("open sesame"), "{message}");
    }
    assert!(Bench::problem(json!({"basic-auth": {"realm": "a\"b"}})).contains("must not contain quotes"));
}
