//! A signed assertion by which the gateway proves which client it is, instead of by a secret: `private_key_jwt` (RFC 7523
//! section 2.2, OpenID Connect Core section 9).

use super::fixed::pair;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// How long an assertion holds, in seconds.
const LIFETIME: u64 = 60;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const MINIMUM_RSA_BYTES: usize = 256;

/// What the client with this id signs with.
pub struct SigningKey {
    client_id: String,
    key_id: Option<String>,
    key: Key,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl SigningKey {
    /// From PEM: RSA of at least 2048 bits, P-256 or Ed25519.
    pub fn build(client_id: &str, key_id: Option<String>, pem: &str) -> Result<Self, String> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "oauth2: private_key: this is not a private key in PEM")?;
        let key = Key::read(&der).ok_or(
            "oauth2: private_key: expected an RSA key of at least 2048 bits, a P-256 key or an Ed25519 key",
        )?;
        Ok(Self { client_id: client_id.to_owned(), key_id, key })
    }

    /// A new assertion for `audience`, as part of a form; none where it could not be signed.
    pub fn form(&self, audience: &str) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).ok()?;
        let mut header = json!({"alg": self.key.algorithm(), "typ": "JWT"});
        if let (Some(header), Some(key_id)) = (header.as_object_mut(), &self.key_id) {
            header.insert("kid".into(), key_id.as_str().into());
        }
        let claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": audience,
            "jti": BASE64_URL_SAFE_NO_PAD.encode(id), "iat": now, "exp": now + LIFETIME,
        });
        let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes())?);
        Some(format!(
            "{}&{}&{}",
            pair("client_id", &self.client_id),
            pair("client_assertion_type", ASSERTION_TYPE),
            pair("client_assertion", &format!("{signed}.{signature}")),
        ))
    }
}

impl Key {
    fn read(der: &PrivateKeyDer<'_>) -> Option<Self> {
        let rsa = |key: RsaKeyPair| {
            (key.public_modulus_len() >= MINIMUM_RSA_BYTES).then(|| Self::Rsa(Box::new(key)))
        };
        match der {
            PrivateKeyDer::Pkcs1(key) => rsa(RsaKeyPair::from_der(key.secret_pkcs1_der()).ok()?),
            PrivateKeyDer::Sec1(key) => {
                let key = EcdsaKeyPair::from_private_key_der(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    key.secret_sec1_der(),
                );
                Some(Self::P256(Box::new(key.ok()?)))
            }
            PrivateKeyDer::Pkcs8(key) => {
                let key = key.secret_pkcs8_der();
                if let Ok(key) = RsaKeyPair::from_pkcs8(key) {
                    return rsa(key);
                }
                if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key) {
                    return Some(Self::P256(Box::new(key)));
                }
                Some(Self::Ed25519(Box::new(Ed25519KeyPair::from_pkcs8_maybe_unchecked(key).ok()?)))
            }
            _ => None,
        }
    }

    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Self::P256(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Ed25519(key) => Some(key.sign(message).as_ref().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
        VerificationAlgorithm,
    };
    use base64::prelude::BASE64_STANDARD;
    use serde_json::Value;

    fn decoded(part: &str) -> Value {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    /// The assertion that `pem` signs, whose signature `public` verifies.
    fn assertion(pem: &str, algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) -> (Value, Value) {
        let key = SigningKey::build("the gateway", Some("key-1".into()), pem).unwrap();
        let form = key.form("https://idp.example/token").unwrap();
        let (id, rest) = form.split_once('&').unwrap();
        assert_eq!(id, "client_id=the%20gateway");
        let (kind, token) = rest.split_once("&client_assertion=").unwrap();
        assert_eq!(
            kind,
            "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        );
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(algorithm, public).verify(signed.as_bytes(), &signature).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        (decoded(header), decoded(claims))
    }

    #[test]
    fn signs_what_the_server_can_verify_with_each_kind_of_key() {
        let p256 = rcgen::KeyPair::generate().unwrap();
        let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).unwrap();
        let rsa_pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            BASE64_STANDARD.encode(der.as_ref())
        );
        for (pem, name, algorithm, public) in [
            (
                p256.serialize_pem(),
                "ES256",
                &ECDSA_P256_SHA256_FIXED as &'static dyn VerificationAlgorithm,
                p256.public_key_raw().to_vec(),
            ),
            (ed25519.serialize_pem(), "EdDSA", &ED25519, ed25519.public_key_raw().to_vec()),
            (rsa_pem, "RS256", &RSA_PKCS1_2048_8192_SHA256, rsa.public_key().as_ref().to_vec()),
        ] {
            let (header, claims) = assertion(&pem, algorithm, &public);
            assert_eq!(header, json!({"alg": name, "typ": "JWT", "kid": "key-1"}));
            let is = |claim: &str| claims.get(claim).and_then(Value::as_str);
            assert_eq!((is("iss"), is("sub")), (Some("the gateway"), Some("the gateway")));
            assert_eq!(is("aud"), Some("https://idp.example/token"));
            let time = |claim: &str| claims.get(claim).and_then(Value::as_u64).unwrap();
            assert_eq!(time("exp") - time("iat"), LIFETIME);
            let (_, again) = assertion(&pem, algorithm, &public);
            assert_ne!(claims.get("jti"), again.get("jti"), "an assertion serves once");
        }
    }

    #[test]
    fn refuses_keys_that_no_server_would_take() {
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
        for (pem, why) in [("sesame", "not a private key in PEM"), (p384.as_str(), "expected an RSA key")] {
            let message = SigningKey::build("gateway", None, pem).err().unwrap();
            assert!(message.contains(why), "{message}");
        }
    }
}
