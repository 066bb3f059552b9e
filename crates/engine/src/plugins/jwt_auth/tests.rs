//! What callers present and what becomes of it: by whom a token is taken, and who tries in vain.

mod claims;

use super::token::{Token, Verdict};
use super::{Signatures, TokenKey};
use crate::exchange::Exchange;
use crate::http::Response;
use crate::plugins::testing::{Bench, body, get, username};
use crate::state::State;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use aws_lc_rs::{hmac, rsa};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use http::request::Builder;
use serde_json::{Value, json};
use std::sync::LazyLock;

mod key_sets;

const SECRET: &[u8] = b"an old secret of thirty-two bytes";
/// An hour ago and far in the future.
const PAST: u64 = 1_700_000_000;
const FUTURE: u64 = 4_000_000_000;

static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

fn hs256() -> Value {
    json!({"key": "carols", "algorithm": "HS256", "secret": BASE64_STANDARD.encode(SECRET)})
}

fn rs256() -> Value {
    json!({"key": "carols", "algorithm": "RS256", "public_key": BASE64_STANDARD.encode(rsa_der())})
}

fn rsa_der() -> Vec<u8> {
    let key: &rsa::PublicKey = RSA.public_key();
    key.as_der().unwrap().as_ref().to_vec()
}

fn part(value: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value)
}

fn mac(algorithm: hmac::Algorithm, secret: &[u8], signed: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, secret), signed.as_bytes()).as_ref().to_vec()
}

/// A token with header and claims as they stand, signed by `sign`.
fn signed(header: &str, claims: &str, sign: impl Fn(&str) -> Vec<u8>) -> String {
    let text = format!("{}.{}", part(header), part(claims));
    let signature = part(sign(&text));
    format!("{text}.{signature}")
}

fn hs(header: &str, claims: &str) -> String {
    signed(header, claims, |text| mac(hmac::HMAC_SHA256, SECRET, text))
}

fn token(claims: &Value) -> String {
    hs(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

fn good() -> String {
    token(&json!({"key": "carols", "exp": FUTURE, "nbf": PAST}))
}

fn bearer(token: &str) -> Builder {
    get("/").header("Authorization", format!("Bearer {token}"))
}

fn run(credential: Value, config: Value, request: Builder) -> (Exchange, Option<Response>) {
    let bench = Bench::with_credential("jwt-auth", credential, json!({"jwt-auth": config}));
    let mut exchange = bench.exchange(request);
    let response = bench.run(&mut exchange);
    (exchange, response)
}

#[track_caller]
fn assert_refused(credential: Value, request: Builder, message: &str) {
    let (exchange, response) = run(credential, json!({}), request);
    let response = response.expect("a refusal");
    assert_eq!((response.status().as_u16(), body(&response)), (401, json!({"message": message})));
    assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"jwt\"");
    assert!(exchange.identity.is_none());
}

#[track_caller]
fn assert_taken(credential: Value, token: &str) {
    assert_eq!(username(&run(credential, json!({}), bearer(token)).0), Some("carol"));
}

#[test]
fn takes_a_token_from_header_query_and_cookie_and_hides_it() {
    let token = good();
    let (exchange, _) = run(hs256(), json!({}), bearer(&token));
    assert_eq!(exchange.identity.as_ref().unwrap().credential.as_deref(), Some("carols"));
    assert_eq!(exchange.withheld[..], ["authorization"]);
    assert!(exchange.caller_token.is_some_and(|sent| sent == format!("Bearer {token}").as_str()));
    let (exchange, _) = run(hs256(), json!({}), get("/").header("Cookie", format!("jwt={token}")));
    assert_eq!(exchange.withheld_cookies[..], ["jwt".into()]);
    assert!(exchange.caller_token.is_some_and(|sent| sent == token.as_str()));
    let (exchange, _) = run(hs256(), json!({}), get(&format!("/?a=1&jwt={token}")));
    assert_eq!(exchange.request.uri, "/?a=1");
    for request in [
        get("/").header("Authorization", &token),
        get("/").header("Authorization", format!("bEARER  {token}")),
        get(&format!("/?jwt={token}")),
        get("/").header("Cookie", format!("a=b; jwt={token}")),
    ] {
        assert_eq!(username(&run(hs256(), json!({}), request).0), Some("carol"));
    }
    let (exchange, _) = run(hs256(), json!({"hide_credentials": false}), bearer(&token));
    assert!(exchange.withheld.is_empty() && exchange.withheld_cookies.is_empty());
}

#[test]
fn takes_a_token_from_where_the_configuration_says() {
    let token = token(&json!({"iss": "carols", "exp": FUTURE}));
    let config = json!({"header": "X-Token", "query": "t", "cookie": "c", "key_claim_name": "iss"});
    for request in [
        get("/").header("X-Token", &token),
        get(&format!("/?t={token}")),
        get("/").header("Cookie", format!("c={token}")),
    ] {
        assert_eq!(username(&run(hs256(), config.clone(), request).0), Some("carol"));
    }
    assert!(run(hs256(), config, bearer(&token)).1.is_some());
}

#[test]
fn refuses_a_request_without_a_token() {
    for request in [get("/"), get("/?jwt="), get("/").header("Cookie", "jwt=; a=b")] {
        assert_refused(hs256(), request, "Missing JWT token in request");
    }
}

#[test]
fn refuses_what_is_no_token() {
    let token = good();
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let padded = |text: &str| BASE64_URL_SAFE.encode(BASE64_URL_SAFE_NO_PAD.decode(text).unwrap());
    // The last character of a signature of 32 bytes has two bits that mean nothing.
    let (start, last) = signature.split_at(signature.len() - 1);
    let strayed = char::from(last.as_bytes()[0] + 1);
    let twice = hs(r#"{"alg":"HS256"}"#, r#"{"key":"alices","key":"carols"}"#);
    let algorithms = hs(r#"{"alg":"none","alg":"HS256"}"#, r#"{"key":"carols"}"#);
    let critical = hs(r#"{"alg":"HS256","crit":["exp"]}"#, r#"{"key":"carols"}"#);
    for text in [
        "token".to_owned(),
        format!("{header}.{claims}"),
        format!("{token}.{signature}"),
        format!("{header}.{claims}.{}", padded(signature)),
        format!("{header}.{claims}.{start}{strayed}"),
        format!("{header}.{claims}.{signature}\u{20}x"),
        format!("invalid-{token}"),
        format!("{}.{claims}.{signature}", part("[]")),
        format!("{}.{claims}.{signature}", part("{}")),
        format!("{header}.{}.{signature}", part("7")),
        hs(r#"{"alg":"HS256"}"#, &json!({"key": "carols", "filler": "x".repeat(16_384)}).to_string()),
        hs(r#"{"alg":"HS256"}"#, &format!("{{\"key\":\"carols\",\"x\":{}", "[".repeat(4_000))),
        twice,
        algorithms,
        critical,
    ] {
        assert_refused(hs256(), bearer(&text), "JWT token invalid");
    }
    let doubled = bearer(&token).header("Authorization", format!("Bearer {token}"));
    assert_refused(hs256(), doubled, "JWT token invalid");
}

#[test]
fn refuses_a_token_that_names_nobody() {
    for claims in [json!({"exp": FUTURE}), json!({"key": 7}), json!({"key": null})] {
        assert_refused(hs256(), bearer(&token(&claims)), "missing user key in JWT token");
    }
    assert_refused(hs256(), bearer(&token(&json!({"key": "bobs"}))), "Invalid user key in JWT token");
}

#[test]
fn the_token_does_not_choose_its_algorithm() {
    let claims = r#"{"key":"carols"}"#;
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"None"}"#, r#"{"alg":"HS384"}"#, r#"{"alg":["HS256"]}"#] {
        assert_refused(hs256(), bearer(&hs(header, claims)), "failed to verify jwt");
        assert_refused(hs256(), bearer(&signed(header, claims, |_| Vec::new())), "failed to verify jwt");
    }
    // The public key, which everybody may know, as a secret.
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        BASE64_STANDARD.encode(rsa_der())
    );
    for secret in [rsa_der(), pem.into_bytes(), BASE64_STANDARD.encode(rsa_der()).into_bytes()] {
        for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"RS256"}"#] {
            let text = signed(header, claims, |text| mac(hmac::HMAC_SHA256, &secret, text));
            assert_refused(rs256(), bearer(&text), "failed to verify jwt");
        }
    }
}

#[test]
fn keys_that_a_token_brings_along_are_not_looked_at() {
    let own = b"a secret of the attacker, also long";
    let jwk = json!({"kty": "oct", "k": part(own)});
    let header = json!({
        "alg": "HS256", "kid": "../../dev/null", "jku": "http://127.0.0.1:1/keys", "jwk": jwk,
        "x5u": "http://127.0.0.1:1/chain", "x5c": [BASE64_STANDARD.encode(rsa_der())],
    });
    let claims = r#"{"key":"carols"}"#;
    let text = signed(&header.to_string(), claims, |text| mac(hmac::HMAC_SHA256, own, text));
    assert_refused(hs256(), bearer(&text), "failed to verify jwt");
    assert_taken(hs256(), &hs(&header.to_string(), claims));
}

#[test]
fn refuses_a_signature_over_something_else() {
    let token = good();
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let claims = part(json!({"key": "carols", "exp": FUTURE, "admin": true}).to_string());
    for text in [
        format!("{header}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{}", part([0; 32])),
        format!("{header}.{claims}.{}", &signature[..20]),
    ] {
        assert_refused(hs256(), bearer(&text), "failed to verify jwt");
    }
}

#[test]
fn refuses_a_token_outside_its_time_unless_the_claims_to_verify_say_otherwise() {
    let cases = [
        (json!({"exp": PAST}), json!({}), false),
        (json!({"nbf": FUTURE}), json!({}), false),
        (json!({"exp": "4000000000"}), json!({}), false),
        (json!({"exp": 4.0e9, "nbf": 1.5}), json!({}), true),
        (json!({}), json!({}), true),
        (json!({}), json!({"claims_to_verify": ["exp"]}), false),
        (json!({"nbf": PAST}), json!({"claims_to_verify": ["exp", "nbf"]}), false),
        (json!({"nbf": PAST, "exp": PAST}), json!({"claims_to_verify": ["nbf"]}), true),
        (json!({"nbf": PAST, "exp": FUTURE}), json!({"claims_to_verify": ["nbf", "exp"]}), true),
    ];
    for (mut claims, config, is_taken) in cases {
        claims["key"] = "carols".into();
        let (exchange, response) = run(hs256(), config.clone(), bearer(&token(&claims)));
        assert_eq!(username(&exchange).is_some(), is_taken, "{claims} {config}");
        assert_eq!(response.is_none(), is_taken);
    }
}

#[test]
fn a_grace_period_is_added_at_both_ends() {
    let claims = super::token::Claims::WherePresent;
    let at = |exp: f64, nbf: f64| json!({"exp": exp, "nbf": nbf}).as_object().unwrap().clone();
    assert!(claims.hold(&at(100.0, 0.0), 99.0, 0) && !claims.hold(&at(100.0, 0.0), 100.0, 0));
    assert!(claims.hold(&at(100.0, 0.0), 104.0, 5) && !claims.hold(&at(100.0, 0.0), 105.0, 5));
    assert!(claims.hold(&at(900.0, 110.0), 105.0, 5) && !claims.hold(&at(900.0, 111.0), 105.0, 5));
}

fn verified(algorithm: &str, public_key: &[u8], sign: impl Fn(&str) -> Vec<u8>) {
    let key = BASE64_STANDARD.encode(public_key);
    let credential = json!({"key": "carols", "algorithm": algorithm, "public_key": key});
    let header = format!(r#"{{"alg":"{algorithm}"}}"#);
    let text = signed(&header, r#"{"key":"carols"}"#, &sign);
    assert_taken(credential.clone(), &text);
    let other = signed(&header, r#"{"key":"carols","admin":true}"#, |_| sign("another text"));
    assert_refused(credential, bearer(&other), "failed to verify jwt");
}

#[test]
fn every_algorithm_verifies_its_own_signatures() {
    for (name, algorithm) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        let credential =
            json!({"key": "carols", "algorithm": name, "secret": BASE64_STANDARD.encode(SECRET)});
        let header = format!(r#"{{"alg":"{name}"}}"#);
        assert_taken(
            credential,
            &signed(&header, r#"{"key":"carols"}"#, |text| mac(algorithm, SECRET, text)),
        );
    }
    let random = SystemRandom::new();
    let rsa: [(&str, &'static dyn signature::RsaEncoding); 6] = [
        ("RS256", &signature::RSA_PKCS1_SHA256),
        ("RS384", &signature::RSA_PKCS1_SHA384),
        ("RS512", &signature::RSA_PKCS1_SHA512),
        ("PS256", &signature::RSA_PSS_SHA256),
        ("PS384", &signature::RSA_PSS_SHA384),
        ("PS512", &signature::RSA_PSS_SHA512),
    ];
    for (name, encoding) in rsa {
        verified(name, &rsa_der(), |text| {
            let mut signature = vec![0; RSA.public_modulus_len()];
            RSA.sign(encoding, &random, text.as_bytes(), &mut signature).unwrap();
            signature
        });
    }
    for (name, algorithm) in [
        ("ES256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        ("ES384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        ("ES512", &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
    ] {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        let public = pair.public_key().as_der().unwrap();
        verified(name, public.as_ref(), |text| {
            pair.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec()
        });
    }
    let pair = Ed25519KeyPair::generate().unwrap();
    let public = pair.public_key().as_der().unwrap();
    verified("EdDSA", public.as_ref(), |text| pair.sign(text.as_bytes()).as_ref().to_vec());
}

#[test]
fn a_signature_is_remembered_of_its_key_only() {
    let random = SystemRandom::new();
    let pairs =
        [(); 2].map(|()| EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
    let [key, other] = pairs.each_ref().map(|pair| {
        let public = BASE64_STANDARD.encode(pair.public_key().as_der().unwrap().as_ref());
        let config = json!({"key": "carols", "algorithm": "ES256", "public_key": public});
        TokenKey::build(serde_json::from_value(config).unwrap(), &State::default()).unwrap()
    });
    let sign = |text: &str| pairs[0].sign(&random, text.as_bytes()).unwrap().as_ref().to_vec();
    let text = signed(r#"{"alg":"ES256"}"#, r#"{"key":"carols"}"#, sign);
    let [head, signature] = [&text[..text.rfind('.').unwrap()], &text[text.rfind('.').unwrap() + 1..]];
    let admin = format!("{}.{}.{signature}", head.split('.').next().unwrap(), part(r#"{"admin":true}"#));
    let signatures = Signatures::default();
    let verified = |key: &TokenKey, text: &str| {
        matches!(key.verdict(&Token::read(text.as_bytes()).unwrap(), &signatures, None), Verdict::Good)
    };
    for _ in 0..2 {
        assert!(verified(&key, &text));
        assert!(!verified(&other, &text) && !verified(&key, &admin));
    }
}

#[test]
fn lets_others_in_as_the_anonymous_consumer() {
    for request in [get("/"), bearer("nonsense"), bearer(&token(&json!({"key": "carols", "exp": PAST})))] {
        let (exchange, response) = run(hs256(), json!({"anonymous_consumer": "guest"}), request);
        assert!(response.is_none());
        assert_eq!(username(&exchange), Some("guest"));
    }
}

#[test]
fn refuses_credentials_and_settings_that_cannot_hold() {
    let weak = weak_key();
    let key = |algorithm: &str, der: &[u8]| json!({"key": "k", "algorithm": algorithm, "public_key": BASE64_STANDARD.encode(der)});
    for (config, why) in [
        (json!({"key": "k", "algorithm": "none"}), "unknown variant `none`"),
        (json!({"key": "k", "algorithm": "HS256"}), "HS256 takes a secret"),
        (json!({"key": "k", "algorithm": "HS256", "secret": ""}), "must not be empty"),
        (json!({"key": "k", "algorithm": "HS256", "secret": "?"}), "must be base64"),
        (json!({"key": "k", "algorithm": "RS256", "secret": "AAAA"}), "RS256 takes a public key"),
        (key("RS256", b"nonsense"), "no public key for RS256"),
        (json!({"key": "k", "algorithm": "RS256", "jwks_uri": "keys"}), "jwks_uri: the URL must begin with"),
        (json!({"key": "k", "algorithm": "HS256", "jwks_uri": "http://a/"}), "jwks_uri: takes neither"),
        (key("ES256", &rsa_der()), "no public key for ES256"),
        (key("EdDSA", &rsa_der()), "no public key for EdDSA"),
        (key("RS256", &weak), "at least 2048 bits, and this has 1024"),
    ] {
        let credential = json!({"id": "c", "plugin": "jwt-auth", "config": config});
        let message = Bench::with_carol(&credential, json!({})).err().unwrap();
        assert!(message.contains(why), "{message}");
    }
    for (config, why) in [
        (json!({"header": "Host"}), "cannot carry a token"),
        (json!({"cookie": ""}), "cookie: must not be empty"),
        (json!({"claims_to_verify": []}), "must not be empty"),
        (json!({"claims_to_verify": ["aud"]}), "unknown variant `aud`"),
    ] {
        let message = Bench::problem(json!({"jwt-auth": config}));
        assert!(message.contains(why), "{message}");
    }
}

/// The SubjectPublicKeyInfo of an RSA key of 1024 bits: an odd modulus is all that it takes.
fn weak_key() -> Vec<u8> {
    let modulus = [&[0x02, 0x81, 0x81, 0x00][..], &[0xC5; 128]].concat();
    let exponent = [0x02, 0x03, 0x01, 0x00, 0x01];
    let key = [&[0x30, 0x81, 0x89][..], &modulus, &exponent].concat();
    let bits = [&[0x03, 0x81, 0x8D, 0x00][..], &key].concat();
    let algorithm =
        [0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];
    [&[0x30, 0x81, 0x9F][..], &algorithm, &bits].concat()
}
