//! Proofs: what proves a consumer to each authentication plugin, built from the credentials of the snapshot.
//!
//! Each plugin's file says what its credentials are made of and checks what a caller presents; consumers are found here by
//! what a credential is looked up by. A hundred thousand API keys stand side by side, so the larger proofs are boxed.

use super::basic_auth::Account;
use super::hmac_auth::SigningSecret;
use super::jwt_auth::TokenKey;
use super::mtls_auth::Certificate;
use super::{Problem, misfit};
use crate::state::State;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What one credential proves its consumer by.
pub enum Proof {
    /// The SHA-256 of an API key.
    Key([u8; 32]),
    Password(Box<Account>),
    Token(Box<TokenKey>),
    Signature(Box<SigningSecret>),
    Certificate(Certificate),
}

/// The kinds of proofs, each of one plugin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    Key,
    Password,
    Token,
    Signature,
    Certificate,
}

/// A credential of `key-auth`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyAuth {
    key_sha256: String,
}

impl Proof {
    /// Builds a credential of `plugin`.
    pub fn build(plugin: &str, config: &Value, state: &State) -> Result<Self, Problem> {
        match plugin {
            "key-auth" => {
                let KeyAuth { key_sha256 } = read(config)?;
                let digest =
                    decode_digest(&key_sha256).ok_or("key_sha256 must be 64 hex digits".to_owned())?;
                Ok(Self::Key(digest))
            }
            "basic-auth" => Ok(Self::Password(Box::new(Account::build(read(config)?)?))),
            "jwt-auth" => Ok(Self::Token(Box::new(TokenKey::build(read(config)?, state)?))),
            "hmac-auth" => Ok(Self::Signature(Box::new(SigningSecret::build(read(config)?)?))),
            "mtls-auth" => Ok(Self::Certificate(Certificate::build(read(config)?)?)),
            _ => Err(format!("no plugin takes credentials of {plugin:?}").into()),
        }
    }

    pub fn scheme(&self) -> Scheme {
        match self {
            Self::Key(_) => Scheme::Key,
            Self::Password(_) => Scheme::Password,
            Self::Token(_) => Scheme::Token,
            Self::Signature(_) => Scheme::Signature,
            Self::Certificate(_) => Scheme::Certificate,
        }
    }

    /// What it is looked up by, which no other of its scheme has.
    pub fn found_by(&self) -> &[u8] {
        match self {
            Self::Key(digest) => digest,
            Self::Password(account) => account.username.as_bytes(),
            Self::Token(token) => token.key.as_bytes(),
            Self::Signature(secret) => secret.key_id.as_bytes(),
            Self::Certificate(Certificate(text)) => text.as_bytes(),
        }
    }
}

impl Scheme {
    /// What credentials are looked up by, in words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Key | Self::Token => "key",
            Self::Password => "username",
            Self::Signature => "key_id",
            Self::Certificate => "certificate",
        }
    }
}

fn read<T: DeserializeOwned>(config: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(config).map_err(|error| {
        let Problem { pointer, why } = misfit(error);
        Problem { pointer: format!("/config{pointer}"), why }
    })
}

pub(crate) fn decode_digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
