//! `csrf`: who gets a token, which tokens are taken, and what the others are answered.

use crate::exchange::Exchange;
use crate::plugins::testing::{Bench, body, get};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::request::Builder;
use serde_json::{Value, json};

const NAME: &str = "apisix-csrf-token";
/// Made by Apache APISIX with the key `userkey`; holds until 2053.
const OF_APISIX: &str = "eyJyYW5kb20iOjAuNDI5ODYzMTk3MTYxMzksInNpZ24iOiI0ODRlMDY4NTkxMWQ5NmJhMDc5YzQ1ZGI0OTE2NmZkYjQ0ODhjODVkNWQ0NmE1Y2FhM2UwMmFhZDliNjE5OTQ2IiwiZXhwaXJlcyI6MjY0MzExOTYyNH0=";
/// Likewise, and held until 2022.
const EXPIRED: &str = "eyJyYW5kb20iOjAuMDY3NjAxMDQwMDM5MzI4LCJzaWduIjoiOTE1Yjg2MjBhNTg1N2FjZmIzNjIxOTNhYWVlN2RkYjY5NmM0NWYwZjE5YjY5Zjg3NjM4ZTllNGNjNjYxYjQwNiIsImV4cGlyZXMiOjE2NDMxMjAxOTN9";

fn bench(more: Value) -> Bench {
    let mut config = json!({"key": "userkey"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Bench::new(json!({"csrf": config}))
}

/// The cookie that the answer sets.
fn set_cookie(exchange: &Exchange) -> String {
    exchange.response_headers["set-cookie"].to_str().unwrap().to_owned()
}

fn post() -> Builder {
    get("/").method("POST")
}

/// A request that presents `token` in header and cookie.
fn presenting(token: &str) -> Builder {
    post().header(NAME, token).header("Cookie", format!("a=1; {NAME}={token}"))
}

/// Status and message of the answer; none where the request goes on.
fn answer(bench: &Bench, request: Builder) -> Option<(u16, String)> {
    let response = bench.run(&mut bench.exchange(request))?;
    Some((response.status().as_u16(), body(&response)["error_msg"].as_str().unwrap().to_owned()))
}

fn refused(message: &str) -> Option<(u16, String)> {
    Some((401, message.to_owned()))
}

const UNVERIFIED: &str = "Failed to verify the csrf token signature";

#[test]
fn every_answer_brings_a_new_token_that_is_taken_once_it_is_repeated() {
    let bench = bench(json!({}));
    let mut tokens = Vec::new();
    for method in ["GET", "HEAD", "OPTIONS"] {
        let mut exchange = bench.exchange(get("/").method(method));
        assert!(bench.run(&mut exchange).is_none(), "{method}");
        let cookie = set_cookie(&exchange);
        let (pair, rest) = cookie.split_once(';').unwrap();
        assert!(rest.starts_with("path=/;SameSite=Lax;Expires="), "{cookie}");
        tokens.push(pair.strip_prefix("apisix-csrf-token=").unwrap().to_owned());
    }
    for token in &tokens {
        assert_eq!(answer(&bench, presenting(token)), None);
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 3);
}

#[test]
fn a_cookie_is_for_encrypted_connections_where_it_came_by_one() {
    let bench = bench(json!({"expires": 0}));
    let mut exchange = bench.exchange(get("/"));
    exchange.arrival.scheme = "https";
    bench.run(&mut exchange);
    assert!(set_cookie(&exchange).ends_with(";path=/;SameSite=Lax;Secure"));
}

#[test]
fn header_and_cookie_are_needed_and_must_be_alike() {
    let bench = bench(json!({}));
    assert_eq!(answer(&bench, post()), refused("no csrf token in headers"));
    assert_eq!(
        answer(&bench, post().header("Cookie", format!("{NAME}={OF_APISIX}"))),
        refused("no csrf token in headers")
    );
    assert_eq!(answer(&bench, post().header(NAME, OF_APISIX)), refused("no csrf cookie"));
    let other = post().header(NAME, OF_APISIX).header("Cookie", format!("{NAME}=x"));
    assert_eq!(answer(&bench, other), refused("csrf token mismatch"));
    assert_eq!(answer(&bench, presenting(OF_APISIX).header(NAME, OF_APISIX)), refused("csrf token mismatch"));
    for method in ["PUT", "PATCH", "DELETE", "TRACE", "PURGE"] {
        assert!(answer(&bench, get("/").method(method)).is_some(), "{method}");
    }
}

#[test]
fn signature_and_time_are_checked() {
    assert_eq!(answer(&bench(json!({})), presenting(OF_APISIX)), None);
    assert_eq!(answer(&bench(json!({"key": "another"})), presenting(OF_APISIX)), refused(UNVERIFIED));
    assert_eq!(answer(&bench(json!({})), presenting(EXPIRED)), refused(UNVERIFIED));
    assert_eq!(answer(&bench(json!({"expires": 0})), presenting(EXPIRED)), None);
}

#[test]
fn a_token_that_was_changed_is_refused() {
    let bench = bench(json!({}));
    let token: Value = serde_json::from_slice(&BASE64_STANDARD.decode(OF_APISIX).unwrap()).unwrap();
    for (field, value) in [
        ("expires", json!(2_643_119_625_u64)),
        ("expires", json!("2643119624")),
        ("random", json!(0.429_863_197_161_38)),
        ("random", json!("0.42986319716139")),
        ("random", json!("0.42986319716139,key:userkey")),
        ("sign", json!("")),
        ("sign", json!("484E0685911D96BA079C45DB49166FDB4488C85D5D46A5CAA3E02AAD9B619946")),
        ("more", json!(1)),
    ] {
        let mut changed = token.clone();
        changed[field] = value;
        let text = BASE64_STANDARD.encode(changed.to_string());
        assert_eq!(answer(&bench, presenting(&text)), refused(UNVERIFIED), "{changed}");
    }
    for text in ["testtoken", "e30=", "bnVsbA==", &"A".repeat(5000)] {
        assert_eq!(answer(&bench, presenting(text)), refused(UNVERIFIED), "{text}");
    }
}

#[test]
fn cookie_and_header_have_the_configured_name() {
    let bench = bench(json!({"name": "X-Token"}));
    let mut exchange = bench.exchange(get("/"));
    bench.run(&mut exchange);
    assert!(set_cookie(&exchange).starts_with("X-Token="));
    let request = post().header("x-token", OF_APISIX).header("Cookie", format!("X-Token={OF_APISIX}"));
    assert_eq!(answer(&bench, request), None);
    assert_eq!(answer(&bench, presenting(OF_APISIX)), refused("no csrf token in headers"));
}

#[test]
fn refuses_settings_that_cannot_hold() {
    for (config, why) in [
        (json!({}), "missing field `key`"),
        (json!({"key": ""}), "key: must not be empty"),
        (json!({"key": "a", "name": "a b"}), "\"a b\" is not a valid header name"),
        (json!({"key": "a", "name": ""}), "is not a valid header name"),
        (json!({"key": "a", "expires": 4_000_000_000_u64}), "at most a century"),
        (json!({"key": "a", "expires": -1}), "expires"),
    ] {
        let message = Bench::problem(json!({"csrf": config}));
        assert!(message.contains(why), "{config}: {message}");
    }
}
