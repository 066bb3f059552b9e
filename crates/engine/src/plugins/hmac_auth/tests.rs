//! What callers sign and what becomes of it.

use crate::exchange::Exchange;
use crate::http::{Body, Response};
use crate::plugins::testing::{Bench, body, get, username};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::request::Builder;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const REFUSED: &str = "client request can't be validated";

fn sign(algorithm: hmac::Algorithm, secret: &str, text: &str) -> String {
    BASE64_STANDARD.encode(hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), text.as_bytes()))
}

fn authorization(algorithm: &str, headers: &str, signature: &str) -> String {
    format!(
        "Signature keyId=\"carols\",algorithm=\"{algorithm}\",headers=\"{headers}\",signature=\"{signature}\""
    )
}

fn now() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

/// A request for `/x?a=1` that is signed as it should be.
fn good() -> Builder {
    dated(&now())
}

fn dated(date: &str) -> Builder {
    let text = format!("carols\nGET /x?a=1\ndate: {date}\n");
    let signature = sign(hmac::HMAC_SHA256, "sesame", &text);
    let value = authorization("hmac-sha256", "@request-target date", &signature);
    get("/x?a=1").header("Date", date).header("Authorization", value)
}

fn run_with(config: Value, request: Builder, content: Body) -> (Exchange, Option<Response>) {
    let credential = json!({"key_id": "carols", "secret_key": "sesame"});
    let bench = Bench::with_credential("hmac-auth", credential, json!({"hmac-auth": config}));
    let mut exchange = bench.exchange(request);
    exchange.body = content;
    let response = bench.run(&mut exchange);
    (exchange, response)
}

fn run(config: Value, request: Builder) -> (Exchange, Option<Response>) {
    run_with(config, request, Body::Empty)
}

#[track_caller]
fn assert_refused(config: Value, request: Builder, message: &str) {
    let (exchange, response) = run(config, request);
    let response = response.expect("a refusal");
    assert_eq!((response.status().as_u16(), body(&response)), (401, json!({"message": message})));
    assert_eq!(response.headers()["www-authenticate"], "hmac realm=\"hmac\"");
    assert!(exchange.identity.is_none());
}

#[test]
fn takes_a_signature_over_method_path_query_and_date_and_hides_it() {
    let (exchange, response) = run(json!({}), good());
    assert!(response.is_none());
    assert_eq!(username(&exchange), Some("carol"));
    assert_eq!(exchange.withheld[..], ["authorization"]);
    assert!(run(json!({"hide_credentials": false}), good()).0.withheld.is_empty());
}

#[test]
fn takes_the_algorithms_that_are_allowed() {
    let date = now();
    for (name, algorithm) in [
        ("hmac-sha1", hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        ("hmac-sha256", hmac::HMAC_SHA256),
        ("hmac-sha512", hmac::HMAC_SHA512),
    ] {
        let signature = sign(algorithm, "sesame", &format!("carols\ndate: {date}\nGET /\n"));
        let value = authorization(name, "date @request-target", &signature);
        let request = || get("/").header("Date", &date).header("Authorization", &value);
        assert_eq!(username(&run(json!({}), request()).0), Some("carol"));
        assert_eq!(username(&run(json!({"allowed_algorithms": [name]}), request()).0), Some("carol"));
        let other = if name == "hmac-sha1" { "hmac-sha256" } else { "hmac-sha1" };
        assert_refused(json!({"allowed_algorithms": [other]}), request(), REFUSED);
    }
}

#[test]
fn refuses_a_request_without_a_signature() {
    assert_refused(json!({}), get("/"), &format!("{REFUSED}: missing Authorization header"));
    let basic = get("/").header("Authorization", "Basic AAAA");
    let why = "Authorization header does not start with 'Signature'";
    assert_refused(json!({}), basic, &format!("{REFUSED}: {why}"));
    let value = good().headers_ref().unwrap()["authorization"].clone();
    let why = "several Authorization headers";
    assert_refused(json!({}), good().header("Authorization", value), &format!("{REFUSED}: {why}"));
}

#[test]
fn refuses_a_signature_for_another_request() {
    assert_refused(json!({}), good().uri("/x?a=2"), REFUSED);
    assert_refused(json!({}), good().uri("/y?a=1"), REFUSED);
    assert_refused(json!({}), good().method("POST"), REFUSED);
    let second = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    let mut moved = good();
    moved.headers_mut().unwrap().insert("date", second.parse().unwrap());
    assert_refused(json!({}), moved, REFUSED);
    assert_refused(json!({}), good().header("Date", now()), REFUSED);
}

#[test]
fn refuses_a_signature_that_leaves_out_what_must_be_signed() {
    let date = now();
    let signed = |names: &str, text: &str| {
        let value = authorization("hmac-sha256", names, &sign(hmac::HMAC_SHA256, "sesame", text));
        get("/").header("Date", &date).header("X-Tenant", "t").header("Authorization", value)
    };
    assert_refused(json!({}), signed("", "carols\n"), REFUSED);
    assert_refused(json!({}), signed("date", &format!("carols\ndate: {date}\n")), REFUSED);
    assert_refused(json!({}), signed("@request-target", "carols\nGET /\n"), REFUSED);
    let both = signed("@request-target date", &format!("carols\nGET /\ndate: {date}\n"));
    let config = json!({"signed_headers": ["X-Tenant"]});
    assert_refused(config.clone(), both, REFUSED);
    let text = format!("carols\nGET /\ndate: {date}\nx-tenant: t\n");
    let request = signed("@request-target date x-tenant", &text);
    assert_eq!(username(&run(config, request).0), Some("carol"));
}

#[test]
fn refuses_a_date_too_far_from_now() {
    for (seconds, is_taken) in [(0, true), (200, true), (400, false)] {
        for date in [
            SystemTime::now() - Duration::from_secs(seconds),
            SystemTime::now() + Duration::from_secs(seconds),
        ] {
            let (exchange, _) = run(json!({}), dated(&httpdate::fmt_http_date(date)));
            assert_eq!(username(&exchange).is_some(), is_taken, "{seconds}");
        }
    }
    assert_refused(json!({"clock_skew": 10}), dated("yesterday"), REFUSED);
}

#[test]
fn compares_the_body_with_its_signed_digest() {
    let config = json!({"validate_request_body": true});
    let date = now();
    let digest = format!("SHA-256={}", BASE64_STANDARD.encode(digest(&SHA256, b"content")));
    let text = format!("carols\nGET /\ndate: {date}\ndigest: {digest}\n");
    let value = authorization(
        "hmac-sha256",
        "@request-target date digest",
        &sign(hmac::HMAC_SHA256, "sesame", &text),
    );
    let request = || get("/").header("Date", &date).header("Digest", &digest).header("Authorization", &value);
    let (exchange, _) = run_with(config.clone(), request(), Body::from(b"content".to_vec()));
    assert_eq!(username(&exchange), Some("carol"));
    assert!(matches!(&exchange.body, Body::Bytes(bytes) if bytes == "content"));
    let (_, response) = run_with(config.clone(), request(), Body::from(b"Content".to_vec()));
    assert_eq!(response.unwrap().status(), 401);
    let (_, response) = run_with(config.clone(), request(), Body::from(vec![0; (8 << 20) + 1]));
    assert_eq!(response.unwrap().status(), 413);
    assert_refused(config, good(), REFUSED);
}

#[test]
fn lets_others_in_as_the_anonymous_consumer() {
    for request in [get("/"), good().uri("/other"), get("/").header("Authorization", "Signature x")] {
        let (exchange, response) = run(json!({"anonymous_consumer": "guest"}), request);
        assert!(response.is_none());
        assert_eq!(username(&exchange), Some("guest"));
    }
}

#[test]
fn refuses_settings_that_cannot_hold() {
    for (config, why) in [
        (json!({"allowed_algorithms": []}), "must not be empty"),
        (json!({"allowed_algorithms": ["hmac-md5"]}), "unknown variant `hmac-md5`"),
        (json!({"clock_skew": 0}), "between 1 and 86400"),
        (json!({"signed_headers": ["a b"]}), "not a valid header name"),
    ] {
        let message = Bench::problem(json!({"hmac-auth": config}));
        assert!(message.contains(why), "{message}");
    }
}
