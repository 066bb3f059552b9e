//! Signatures as the header Authorization has them, and the secrets that they are made with. No request is known here.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;

/// A credential as the snapshot has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningSecretConfig {
    key_id: String,
    secret_key: String,
}

/// What a consumer signs with.
pub struct SigningSecret {
    pub key_id: Box<str>,
    secret: Box<[u8]>,
}

impl SigningSecret {
    pub fn build(config: SigningSecretConfig) -> Result<Self, String> {
        if config.secret_key.is_empty() {
            return Err("secret_key: must not be empty".into());
        }
        Ok(Self { key_id: config.key_id.into(), secret: config.secret_key.into_bytes().into() })
    }

    /// Whether `signature` is of `text`, compared in a time that tells nothing.
    pub fn has_signed(&self, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&hmac::Key::new(algorithm.digest(), &self.secret), text, signature).is_ok()
    }
}

/// What signatures are made by.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq)]
pub enum Algorithm {
    #[serde(rename = "hmac-sha1")]
    Sha1,
    #[serde(rename = "hmac-sha256")]
    Sha256,
    #[serde(rename = "hmac-sha512")]
    Sha512,
}

impl Algorithm {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "hmac-sha1",
            Self::Sha256 => "hmac-sha256",
            Self::Sha512 => "hmac-sha512",
        }
    }

    fn digest(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

/// What follows `Authorization: Signature`.
#[derive(Debug)]
pub struct Signature<'a> {
    pub key_id: &'a str,
    pub algorithm: &'a str,
    /// What is signed, in this order.
    pub headers: Vec<&'a str>,
    pub bytes: Vec<u8>,
}

impl<'a> Signature<'a> {
    /// Reads `Signature keyId="...",algorithm="...",headers="...",signature="..."`, in any order. The error says what is
    /// wrong with the form.
    pub fn read(value: &'a [u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(value).map_err(|_| "Authorization header is not text")?;
        let scheme = "Signature ";
        let rest = match text.split_at_checked(scheme.len()) {
            Some((start, rest)) if start.eq_ignore_ascii_case(scheme) => rest,
            _ => return Err("Authorization header does not start with 'Signature'"),
        };
        let malformed = "Authorization header is not well formed";
        let (mut key_id, mut algorithm, mut headers, mut signature) = (None, None, None, None);
        let mut rest = rest.trim();
        while !rest.is_empty() {
            let (name, after) = rest.split_once("=\"").ok_or(malformed)?;
            let (value, after) = after.split_once('"').ok_or(malformed)?;
            let field = match name {
                "keyId" => &mut key_id,
                "algorithm" => &mut algorithm,
                "headers" => &mut headers,
                "signature" => &mut signature,
                _ => return Err(malformed),
            };
            if field.replace(value).is_some() {
                return Err(malformed);
            }
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(after) => after.trim_start(),
                None if after.is_empty() => after,
                None => return Err(malformed),
            };
        }
        let (Some(key_id), Some(signature)) = (key_id, signature) else {
            return Err("keyId or signature missing");
        };
        let bytes = BASE64_STANDARD.decode(signature).map_err(|_| "signature is not base64")?;
        let headers = headers.unwrap_or_default().split_ascii_whitespace().collect();
        Ok(Self { key_id, algorithm: algorithm.ok_or("algorithm missing")?, headers, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_parts_in_any_order_and_with_spaces() {
        let text = "SIGNATURE signature=\"AQI=\", algorithm=\"hmac-sha256\" ,keyId=\"k, 1\",headers=\"a  b\"";
        let signature = Signature::read(text.as_bytes()).unwrap();
        assert_eq!((signature.key_id, signature.algorithm), ("k, 1", "hmac-sha256"));
        assert_eq!((signature.headers, signature.bytes), (vec!["a", "b"], vec![1, 2]));
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        for (text, why) in [
            ("Basic AAAA", "does not start with"),
            ("Signature", "does not start with"),
            ("Signature keyId=k", "not well formed"),
            ("Signature keyId=\"k", "not well formed"),
            ("Signature keyId=\"k\" algorithm=\"a\"", "not well formed"),
            ("Signature keyId=\"k\",keyId=\"l\"", "not well formed"),
            ("Signature keyId=\"k\",other=\"l\"", "not well formed"),
            ("Signature keyId=\"k\",algorithm=\"a\"", "signature missing"),
            ("Signature signature=\"AQI=\",algorithm=\"a\"", "keyId or signature missing"),
            ("Signature keyId=\"k\",signature=\"AQI=\"", "algorithm missing"),
            ("Signature keyId=\"k\",algorithm=\"a\",signature=\"AQI\"", "not base64"),
            ("Signature keyId=\"k\",algorithm=\"a\",signature=\"AQJ=\"", "not base64"),
        ] {
            let error = Signature::read(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
