//! Tokens: JSON Web Signatures in compact form (RFC 7515 section 7.1) with claims (RFC 7519), and what they are verified
//! by. No request and no consumer is known here.
//!
//! The credential says which algorithm and key a token is verified by. Of a token's header only `alg` counts, which must
//! be the credential's, and `crit`, which must not be there; `kid`, `jku`, `x5u`, `x5c` and `jwk` are the sender's word
//! and are not looked at. Base64 that is not in its one form, JSON with a name twice and tokens that are larger than any
//! honest one are no tokens.

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

const MAXIMUM_BYTES: usize = 16 * 1024;
const MINIMUM_RSA_BITS: usize = 2048;

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

enum Means {
    Secret(hmac::Algorithm),
    PublicKey(&'static dyn VerificationAlgorithm),
}

impl Algorithm {
    fn means(self) -> Means {
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
    /// With a digest of the key and its algorithm.
    PublicKey(ParsedPublicKey, [u8; 32]),
}

impl TokenKey {
    pub fn build(config: TokenKeyConfig) -> Result<Self, String> {
        let name = config.algorithm;
        let verifier = match (config.algorithm.means(), &config.secret, &config.public_key) {
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
            (Means::PublicKey(algorithm), None, Some(key)) => {
                Verifier::PublicKey(public_key(algorithm, key, name)?, sha256([&format!("{name:?}."), key]))
            }
            (Means::PublicKey(_), ..) => {
                return Err(format!("public_key: {name:?} takes a public key and no secret"));
            }
        };
        let (key, leeway) = (config.key.into(), config.lifetime_grace_period);
        Ok(Self { key, leeway, algorithm: config.algorithm, verifier })
    }

    /// Whether `token` was signed by the holder, with the algorithm of this credential.
    pub fn has_signed(&self, token: &Token<'_>) -> bool {
        if token.algorithm != Some(self.algorithm) {
            return false;
        }
        match &self.verifier {
            Verifier::Secret(key) => hmac::verify(key, token.signed, &token.signature).is_ok(),
            Verifier::PublicKey(key, _) => key.verify_sig(token.signed, &token.signature).is_ok(),
        }
    }

    /// What tells a token from all others that are verified by this key and by other keys; none where to verify it
    /// costs little anyway, or where it is of another algorithm.
    pub fn digest(&self, token: &Token<'_>) -> Option<[u8; 32]> {
        match &self.verifier {
            Verifier::PublicKey(_, key) if token.algorithm == Some(self.algorithm) => {
                Some(sha256([&key[..], token.signed, b".", &token.signature]))
            }
            _ => None,
        }
    }
}

fn sha256<P: AsRef<[u8]>, const N: usize>(parts: [P; N]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part.as_ref()));
    let mut found = [0; 32];
    found.copy_from_slice(context.finish().as_ref());
    found
}

fn public_key(
    algorithm: &'static dyn VerificationAlgorithm,
    text: &str,
    name: Algorithm,
) -> Result<ParsedPublicKey, String> {
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
    ParsedPublicKey::new(algorithm, &der).map_err(|_| unfit())
}

/// A token that is well formed. Nothing of it is true before it is verified.
pub struct Token<'a> {
    pub claims: Map<String, Value>,
    /// None where the header names another than those of [`Algorithm`].
    algorithm: Option<Algorithm>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

/// What counts of a header. Other members are not looked at.
#[derive(Deserialize)]
struct Header {
    alg: Value,
    crit: Option<Value>,
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
        let Header { alg, crit } = serde_json::from_value(header.into()).ok()?;
        if crit.is_some() {
            // Nothing that a sender could call critical is understood here (RFC 7515 section 4.1.11).
            return None;
        }
        let Unique(claims) = serde_json::from_slice(&claims).ok()?;
        let algorithm = serde_json::from_value(alg).ok();
        Some(Self { claims, algorithm, signed: text.get(..second)?, signature })
    }
}

/// Base64url without padding and without stray bits (RFC 7515 section 2).
fn decode(text: &[u8]) -> Option<Vec<u8>> {
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
