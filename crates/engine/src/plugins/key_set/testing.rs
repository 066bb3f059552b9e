//! Keys that sign tokens, and how their public halves are published.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A private key with an algorithm.
pub struct Signer {
    pub algorithm: &'static str,
    pub kid: String,
    /// The public key as a member of a set.
    pub jwk: Value,
    /// The same in PEM, of an EC key.
    pub pem: String,
    sign: Sign,
}

pub fn part(value: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value)
}

impl Signer {
    pub fn es256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        let der = pair.public_key().as_der().unwrap();
        let pem = BASE64_STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n");
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": part(&point[1..33]), "y": part(&point[33..])});
        let sign = move |text: &[u8]| pair.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec();
        Self { pem, ..Self::new("ES256", kid, jwk, Box::new(sign)) }
    }

    pub fn ed25519(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": part(pair.public_key())});
        Self::new("EdDSA", kid, jwk, Box::new(move |text| pair.sign(text).as_ref().to_vec()))
    }

    pub fn rs256(kid: &str) -> Self {
        Self::rsa("RS256", kid, &signature::RSA_PKCS1_SHA256)
    }

    pub fn ps256(kid: &str) -> Self {
        Self::rsa("PS256", kid, &signature::RSA_PSS_SHA256)
    }

    fn rsa(algorithm: &'static str, kid: &str, encoding: &'static dyn signature::RsaEncoding) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let (_, public) = RSAPublicKey::from_der(pair.public_key().as_ref()).unwrap();
        let modulus = public.modulus.strip_prefix(&[0]).unwrap_or(public.modulus);
        let jwk = json!({"kty": "RSA", "n": part(modulus), "e": part(public.exponent)});
        let sign = move |text: &[u8]| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), text, &mut signature).unwrap();
            signature
        };
        Self::new(algorithm, kid, jwk, Box::new(sign))
    }

    fn new(algorithm: &'static str, kid: &str, mut jwk: Value, sign: Sign) -> Self {
        jwk["kid"] = kid.into();
        Self { algorithm, kid: kid.into(), jwk, pem: String::new(), sign }
    }

    /// A token with the key's own header.
    pub fn token(&self, claims: &Value) -> String {
        self.with_header(&json!({"alg": self.algorithm, "kid": self.kid, "typ": "at+jwt"}), claims)
    }

    /// A token with any header.
    pub fn with_header(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
        let signature = part((self.sign)(text.as_bytes()));
        format!("{text}.{signature}")
    }
}

/// A set of the public halves.
pub fn published(signers: &[&Signer]) -> Value {
    json!({"keys": signers.iter().map(|signer| signer.jwk.clone()).collect::<Vec<_>>()})
}
