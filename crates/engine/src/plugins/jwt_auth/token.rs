//! Tokens: JSON Web Signatures in compact form (RFC 7515 section 7.1) with claims (RFC 7519), and what they are verified
//! by. No request and no consumer is known here.
//!
//! Whoever verifies says by which algorithms and keys. Of a token's header only `alg` counts, which must be one of them,
//! `crit`, which must not be there, and where there are several keys `kid`, which names one; `jku`, `x5u`, `x5c` and `jwk`
//! are the sender's word and are not looked at. Base64 that is not in its one form, JSON with a name twice and tokens that are larger than any
//! honest one are no tokens.

use super::Signatures;
use crate::plugins::key_set::{KeySet, RemoteKeys, Signature};
use crate::state::State;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

const MAXIMUM_BYTES: usize = 16 * 1024;
pub const MINIMUM_RSA_BITS: usize = 2048;

/// A credential as the snapshot has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKeyConfig {
    /// What the key claim of tokens has.
    key: String,
    algorithm: Algorithm,
    /// For the HS algorithms: the bytes in base64.
    #[serde(default)]
    secret: Option<String>,
    /// For the others: a SubjectPublicKeyInfo, DER in base64.
    #[serde(default)]
    public_key: Option<String>,
    /// Or the URL of a key set that has it.
    #[serde(default)]
    jwks_uri: Option<String>,
    /// How many seconds a token is taken before `nbf` and after `exp`.
    #[serde(default)]
    lifetime_grace_period: u32,
}

/// The algorithms of RFC 7518 section 3 and RFC 8037, by the names that tokens have for them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

/// How an algorithm verifies.
pub enum Means {
    Secret(hmac::Algorithm),
    PublicKey(&'static dyn VerificationAlgorithm),
}

impl Algorithm {
    pub fn means(self) -> Means {
        match self {
            Self::HS256 => Means::Secret(hmac::HMAC_SHA256),
            Self::HS384 => Means::Secret(hmac::HMAC_SHA384),
            Self::HS512 => Means::Secret(hmac::HMAC_SHA512),
            Self::RS256 => Means::PublicKey(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::RS384 => Means::PublicKey(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::RS512 => Means::PublicKey(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::PS256 => Means::PublicKey(&signature::RSA_PSS_2048_8192_SHA256),
            Self::PS384 => Means::PublicKey(&signature::RSA_PSS_2048_8192_SHA384),
            Self::PS512 => Means::PublicKey(&signature::RSA_PSS_2048_8192_SHA512),
            Self::ES256 => Means::PublicKey(&signature::ECDSA_P256_SHA256_FIXED),
            Self::ES384 => Means::PublicKey(&signature::ECDSA_P384_SHA384_FIXED),
            Self::ES512 => Means::PublicKey(&signature::ECDSA_P521_SHA512_FIXED),
            Self::EdDSA => Means::PublicKey(&signature::ED25519),
        }
    }
}

/// What a consumer's tokens are verified by.
pub struct TokenKey {
    /// What the key claim of its tokens has.
    pub key: Box<str>,
    /// In seconds.
    pub leeway: u32,
    algorithm: Algorithm,
    verifier: Verifier,
}

enum Verifier {
    Secret(Box<hmac::Key>),
    PublicKey(Box<VerifyingKey>),
    KeySet(Arc<RemoteKeys>),
}

/// What can be said of a token.
pub enum Verdict {
    Good,
    Bad,
    /// Nothing before these keys are fetched, or other ones than those at hand.
    Fetch(Arc<RemoteKeys>),
}

/// A public key, and the one algorithm that it verifies by.
pub struct VerifyingKey {
    pub algorithm: Algorithm,
    parsed: ParsedPublicKey,
    /// Of both.
    digest: [u8; 32],
}

impl VerifyingKey {
    /// From a SubjectPublicKeyInfo, an RSAPublicKey, or a point; none where it does not fit the algorithm.
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let Means::PublicKey(means) = algorithm.means() else { return None };
        let parsed = ParsedPublicKey::new(means, bytes).ok()?;
        Some(Self { algorithm, parsed, digest: sha256([format!("{algorithm:?}.").as_bytes(), bytes]) })
    }

    /// Whether its holder has signed `token`, with its algorithm.
    pub fn has_signed(&self, token: &Token<'_>) -> bool {
        token.algorithm == Some(self.algorithm)
            && self.parsed.verify_sig(token.signed, &token.signature).is_ok()
    }

    /// What tells a token from all others that are verified by this key and by other keys.
    pub fn digest(&self, token: &Token<'_>) -> [u8; 32] {
        sha256([&self.digest[..], token.signed, b".", &token.signature])
    }
}

impl TokenKey {
    pub fn build(config: TokenKeyConfig, state: &State) -> Result<Self, String> {
        let name = config.algorithm;
        let verifier = match (name.means(), &config.secret, &config.public_key) {
            (Means::PublicKey(_), None, None) if config.jwks_uri.is_some() => {
                let url = config.jwks_uri.as_deref().unwrap_or_default();
                Verifier::KeySet(
                    RemoteKeys::build(url, name, state).map_err(|why| format!("jwks_uri: {why}"))?.into(),
                )
            }
            _ if config.jwks_uri.is_some() => {
                return Err("jwks_uri: takes neither a secret nor a public key beside it".into());
            }
            (Means::Secret(algorithm), Some(secret), None) => {
                let bytes = BASE64_STANDARD.decode(secret).map_err(|_| "secret: must be base64")?;
                if bytes.is_empty() {
                    return Err("secret: must not be empty".into());
                }
                Verifier::Secret(Box::new(hmac::Key::new(algorithm, &bytes)))
            }
            (Means::Secret(_), ..) => {
                return Err(format!("secret: {name:?} takes a secret and no public key"));
            }
            (Means::PublicKey(_), None, Some(key)) => Verifier::PublicKey(Box::new(public_key(key, name)?)),
            (Means::PublicKey(_), ..) => {
                return Err(format!("public_key: {name:?} takes a public key and no secret"));
            }
        };
        let (key, leeway) = (config.key.into(), config.lifetime_grace_period);
        Ok(Self { key, leeway, algorithm: config.algorithm, verifier })
    }

    /// Whether `token` was signed by the holder, with the algorithm of this credential.
    /// `fetched` is the key set where it was fetched for this very token.
    pub fn verdict(&self, token: &Token<'_>, signatures: &Signatures, fetched: Option<&KeySet>) -> Verdict {
        let is_good = match &self.verifier {
            Verifier::Secret(key) => {
                token.algorithm == Some(self.algorithm)
                    && hmac::verify(key, token.signed, &token.signature).is_ok()
            }
            Verifier::PublicKey(key) => signatures.verified(key, token),
            Verifier::KeySet(remote) => {
                let at_hand = if fetched.is_none() { remote.at_hand() } else { None };
                match fetched.or(at_hand.as_deref()).map(|keys| keys.verdict(token, signatures)) {
                    None | Some(Signature::UnknownKey) => return Verdict::Fetch(remote.clone()),
                    Some(signature) => signature == Signature::Good,
                }
            }
        };
        if is_good { Verdict::Good } else { Verdict::Bad }
    }
}

fn sha256<P: AsRef<[u8]>, const N: usize>(parts: [P; N]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part.as_ref()));
    let mut found = [0; 32];
    found.copy_from_slice(context.finish().as_ref());
    found
}

fn public_key(text: &str, name: Algorithm) -> Result<VerifyingKey, String> {
    let unfit = || format!("public_key: this is no public key for {name:?}");
    let der = BASE64_STANDARD.decode(text).map_err(|_| unfit())?;
    let (rest, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| unfit())?;
    let parsed = info.parsed().map_err(|_| unfit())?;
    if let x509_parser::public_key::PublicKey::RSA(key) = &parsed
        && key.key_size() < MINIMUM_RSA_BITS
    {
        return Err(format!(
            "public_key: an RSA key has at least {MINIMUM_RSA_BITS} bits, and this has {}",
            key.key_size()
        ));
    }
    if !rest.is_empty() {
        return Err(unfit());
    }
    VerifyingKey::new(name, &der).ok_or_else(unfit)
}

/// A token that is well formed. Nothing of it is true before it is verified.
pub struct Token<'a> {
    pub claims: Map<String, Value>,
    /// None where the header names another than those of [`Algorithm`].
    pub algorithm: Option<Algorithm>,
    /// The name of the key, in the sender's word.
    pub kid: Option<String>,
    /// What kind of token it is, in the sender's word.
    pub typ: Option<String>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

/// What counts of a header. Other members are not looked at.
#[derive(Deserialize)]
struct Header {
    alg: Value,
    crit: Option<Value>,
    kid: Option<Value>,
    typ: Option<Value>,
}

impl<'a> Token<'a> {
    pub fn read(text: &'a [u8]) -> Option<Self> {
        if text.len() > MAXIMUM_BYTES {
            return None;
        }
        let mut dots = memchr::memchr_iter(b'.', text);
        let (first, second) = (dots.next()?, dots.next()?);
        if dots.next().is_some() {
            return None;
        }
        let header = decode(text.get(..first)?)?;
        let claims = decode(text.get(first + 1..second)?)?;
        let signature = decode(text.get(second + 1..)?)?;
        let Unique(header) = serde_json::from_slice(&header).ok()?;
        let Header { alg, crit, kid, typ } = serde_json::from_value(header.into()).ok()?;
        if crit.is_some() {
            // Nothing that a sender could call critical is understood here (RFC 7515 section 4.1.11).
            return None;
        }
        let Unique(claims) = serde_json::from_slice(&claims).ok()?;
        let algorithm = serde_json::from_value(alg).ok();
        let (kid, typ) = (text_of(kid)?, text_of(typ)?);
        Some(Self { claims, algorithm, kid, typ, signed: text.get(..second)?, signature })
    }
}

/// A member that must be a text where it is there. The outer none: it is something else.
fn text_of(member: Option<Value>) -> Option<Option<String>> {
    match member {
        None => Some(None),
        Some(Value::String(text)) => Some(Some(text)),
        Some(_) => None,
    }
}

/// Base64url without padding and without stray bits (RFC 7515 section 2).
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// An object none of whose own names comes twice (RFC 7519 section 4).
struct Unique(Map<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Unique;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unique, A::Error> {
                let mut found = Map::new();
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    if found.insert(name, value).is_some() {
                        return Err(Error::custom("a name comes twice"));
                    }
                }
                Ok(Unique(found))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// A claim about when a token may be used.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Claim {
    Exp,
    Nbf,
}

/// Which claims are verified.
pub enum Claims {
    /// All, each where a token has it.
    WherePresent,
    /// These, which a token must have.
    All(Vec<Claim>),
}

impl Claims {
    /// Whether they hold at `now`, in seconds since 1970. A claim that is no number does not.
    pub fn hold(&self, claims: &Map<String, Value>, now: f64, leeway: u32) -> bool {
        match self {
            Self::WherePresent => [Claim::Exp, Claim::Nbf].iter().all(|claim| {
                let value = claims.get(claim.name());
                value.is_none_or(|value| claim.holds(value, now, leeway))
            }),
            Self::All(wanted) => wanted
                .iter()
                .all(|claim| claims.get(claim.name()).is_some_and(|value| claim.holds(value, now, leeway))),
        }
    }
}

impl Claim {
    fn name(self) -> &'static str {
        match self {
            Self::Exp => "exp",
            Self::Nbf => "nbf",
        }
    }

    fn holds(self, value: &Value, now: f64, leeway: u32) -> bool {
        let leeway = f64::from(leeway);
        value.as_f64().is_some_and(|at| match self {
            Self::Exp => now < at + leeway,
            Self::Nbf => at <= now + leeway,
        })
    }
}
