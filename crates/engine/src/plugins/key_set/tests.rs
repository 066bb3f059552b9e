use super::testing::{Signer, published};
use super::*;
use serde_json::json;
use std::sync::LazyLock;

const ALL: [Algorithm; 10] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::ES512,
    Algorithm::EdDSA,
];
thread_local! {
    static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::rs256("rsa"));
}

fn set(value: &Value) -> Result<KeySet, &'static str> {
    KeySet::read(value.to_string().as_bytes(), &ALL)
}

fn verdict(keys: &KeySet, token: &str) -> Signature {
    keys.verdict(&Token::read(token.as_bytes()).unwrap(), &Signatures::default())
}

#[test]
fn every_kind_of_key_verifies_its_own_tokens_and_no_others() {
    let signers = [Signer::es256("a"), Signer::ed25519("b"), Signer::rs256("c"), Signer::ps256("d")];
    let keys = set(&published(&signers.iter().collect::<Vec<_>>())).unwrap();
    for signer in &signers {
        assert_eq!(verdict(&keys, &signer.token(&json!({}))), Signature::Good, "{}", signer.algorithm);
        let header = json!({"alg": signer.algorithm, "kid": "nobody"});
        assert_eq!(verdict(&keys, &signer.with_header(&header, &json!({}))), Signature::UnknownKey);
    }
    let stolen = Signer::es256("a").token(&json!({}));
    assert_eq!(verdict(&keys, &stolen), Signature::Bad);
}

#[test]
fn a_key_serves_no_algorithm_but_those_of_its_type() {
    RSA.with(|rsa| {
        let keys = set(&published(&[rsa])).unwrap();
        for algorithm in ["ES256", "EdDSA", "ES512"] {
            let token = rsa.with_header(&json!({"alg": algorithm, "kid": "rsa"}), &json!({}));
            assert_eq!(verdict(&keys, &token), Signature::UnknownKey, "{algorithm}");
        }
        for algorithm in ["none", "HS256", "rs256", "RS257"] {
            let token = rsa.with_header(&json!({"alg": algorithm, "kid": "rsa"}), &json!({}));
            assert_ne!(verdict(&keys, &token), Signature::Good, "{algorithm}");
        }
        let mut bound = published(&[rsa]);
        bound["keys"][0]["alg"] = "PS256".into();
        assert_eq!(verdict(&set(&bound).unwrap(), &rsa.token(&json!({}))), Signature::UnknownKey);
    });
}

#[test]
fn a_token_that_names_no_key_is_of_the_only_one_that_fits() {
    let (one, other, rsa) = (Signer::es256("1"), Signer::es256("2"), Signer::ed25519("3"));
    let token = one.with_header(&json!({"alg": "ES256"}), &json!({}));
    assert_eq!(verdict(&set(&published(&[&one, &rsa])).unwrap(), &token), Signature::Good);
    assert_eq!(verdict(&set(&published(&[&one, &other])).unwrap(), &token), Signature::UnknownKey);
}

#[test]
fn a_weak_private_or_other_key_is_left_out() {
    RSA.with(|rsa| {
        let good = published(&[rsa]);
        let changed = |name: &str, value: Value| {
            let mut set = good.clone();
            set["keys"][0][name] = value;
            set
        };
        assert!(set(&good).is_ok());
        assert!(set(&changed("use", json!("sig"))).is_ok());
        assert!(set(&changed("key_ops", json!(["verify"]))).is_ok());
        let n = good["keys"][0]["n"].as_str().unwrap();
        for bad in [
            changed("use", json!("enc")),
            changed("key_ops", json!(["encrypt"])),
            changed("d", json!("AQAB")),
            changed("kty", json!("oct")),
            changed("kty", json!(7)),
            changed("alg", json!("none")),
            changed("alg", json!("HS256")),
            changed("alg", json!("RSA-OAEP")),
            changed("e", json!("Aw")),
            changed("e", json!("")),
            changed("n", json!(&n[..n.len() / 2])),
            changed("n", json!(format!("{n}="))),
            json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}),
            json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}),
            json!({"keys": []}),
            json!({"keys": "none"}),
            json!({}),
            json!([]),
        ] {
            assert!(set(&bad).is_err(), "{bad}");
        }
        let mut mixed = good.clone();
        mixed["keys"].as_array_mut().unwrap().push(json!({"kty": "new", "kid": "x"}));
        assert!(set(&mixed).is_ok());
    });
}

#[test]
fn a_point_that_is_not_on_its_curve_is_no_key() {
    let zeros = testing::part([1; 32]);
    assert!(set(&json!({"keys": [{"kty": "EC", "crv": "P-256", "x": zeros, "y": zeros}]})).is_err());
}

#[test]
fn a_set_has_a_bound() {
    let signer = Signer::ed25519("a");
    let keys = |count| published(&vec![&signer; count]);
    assert!(set(&keys(64)).is_ok());
    assert!(set(&keys(65)).is_err());
}

#[test]
fn cache_control_says_for_how_long_a_set_is_kept() {
    for (value, seconds) in [
        ("max-age=600", Some(600)),
        ("public, Max-Age=\"600\"", Some(600)),
        ("no-store", Some(0)),
        ("public", None),
        ("max-age=soon", None),
    ] {
        let headers = HeaderMap::from_iter([(CACHE_CONTROL, value.parse().unwrap())]);
        assert_eq!(max_age(&headers), seconds.map(Duration::from_secs), "{value}");
    }
    assert_eq!(max_age(&HeaderMap::new()), None);
}
