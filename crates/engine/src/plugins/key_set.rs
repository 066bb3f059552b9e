//! Key sets (RFC 7517): the public keys of who signs tokens, as that server publishes them.
//!
//! Only keys for signatures are taken, each for the algorithms that are of its own type, so that no key serves another
//! algorithm than its own. A key that is weak, private or not understood is left out; a set of which nothing is left is a
//! fault. How a set is fetched and for how long it is used is said here too; who waits for it is the affair of plugins.

mod jwk;

use super::Signatures;
use super::jwt_auth::token::{Algorithm, Token, VerifyingKey};
use crate::outbound::{Endpoint, Fault, Fetched, Fresh, Question, Settings, Times};
use crate::server::Worker;
use crate::state::State;
use ::http::HeaderMap;
use ::http::header::CACHE_CONTROL;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde::Deserialize;
use serde_json::Value;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Keys of one set; more are a fault.
const MOST_KEYS: usize = 64;
/// Bytes of a set.
pub const MOST_BYTES: usize = 256 << 10;
/// A set is used for so long at least, whatever its server says.
const SHORTEST: Duration = Duration::from_secs(60);
/// And no longer than this, where nobody says otherwise.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The last good set serves for a day where there is no other; who makes up key ids has it fetched once in two seconds.
pub const TIMES: Times = Times { stale: Duration::from_secs(24 * 60 * 60), pause: Duration::from_secs(2) };

/// The keys of one server.
pub struct KeySet {
    keys: Vec<PublicKey>,
}

/// A key with what it verifies by each of its algorithms.
pub struct PublicKey {
    kid: Option<Box<str>>,
    verifiers: Vec<VerifyingKey>,
}

/// What a set says of a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signature {
    Good,
    Bad,
    /// The set has no such key; another one may.
    UnknownKey,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set, of which only keys for `algorithms` are of use. The error says why nothing can be verified by it.
    pub fn read(json: &[u8], algorithms: &[Algorithm]) -> Result<Self, &'static str> {
        let Published { keys } = serde_json::from_slice(json).map_err(|_| "it is not a key set")?;
        if keys.len() > MOST_KEYS {
            return Err("its key set has more than 64 keys");
        }
        let keys: Vec<_> = keys.iter().filter_map(|key| PublicKey::read(key, algorithms)).collect();
        match keys.is_empty() {
            true => Err("its key set has no key that tokens can be verified by"),
            false => Ok(Self { keys }),
        }
    }

    /// A set of one key, in PEM: a SubjectPublicKeyInfo, or a certificate whose key it is.
    pub fn of_pem(pem: &str, algorithms: &[Algorithm]) -> Result<Self, String> {
        let pem = pem.as_bytes();
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).map(|info| info.to_vec());
        let of_certificate = || {
            let certificate = CertificateDer::from_pem_slice(pem).ok()?;
            let (_, certificate) = X509Certificate::from_der(&certificate).ok()?;
            Some(certificate.public_key().raw.to_vec())
        };
        let info =
            info.ok().or_else(of_certificate).ok_or("expected a public key or a certificate in PEM")?;
        Ok(Self { keys: vec![PublicKey { kid: None, verifiers: jwk::of_info(&info, algorithms)? }] })
    }

    /// Whether the holder of one of the keys has signed `token`. A token without `kid` is of the one key that fits its
    /// algorithm; where several do, it is of none.
    pub fn verdict(&self, token: &Token<'_>, signatures: &Signatures) -> Signature {
        let Some(algorithm) = token.algorithm else { return Signature::Bad };
        let is_named = |key: &&PublicKey| match (&token.kid, &key.kid) {
            (Some(wanted), Some(kid)) => **wanted == **kid,
            (None, _) => true,
            // The only key of a set needs no name.
            (Some(_), None) => self.keys.len() == 1,
        };
        let mut fitting = self.keys.iter().filter(is_named).filter_map(|key| key.verifier(algorithm));
        match (fitting.next(), fitting.next()) {
            (None, _) => Signature::UnknownKey,
            (Some(_), Some(_)) if token.kid.is_none() => Signature::UnknownKey,
            (Some(one), _) if signatures.verified(one, token) => Signature::Good,
            (Some(_), Some(other)) if signatures.verified(other, token) => Signature::Good,
            (Some(_), _) => Signature::Bad,
        }
    }
}

impl PublicKey {
    fn read(key: &Value, algorithms: &[Algorithm]) -> Option<Self> {
        let verifiers = jwk::verifiers(key, algorithms)?;
        let kid = key.get("kid").and_then(Value::as_str).map(Box::from);
        Some(Self { kid, verifiers })
    }

    fn verifier(&self, algorithm: Algorithm) -> Option<&VerifyingKey> {
        self.verifiers.iter().find(|key| key.algorithm == algorithm)
    }
}

/// The set at one URL, for one algorithm.
#[derive(Clone)]
pub struct RemoteKeys {
    endpoint: Endpoint,
    fetched: Arc<Fetched<KeySet>>,
    algorithm: Algorithm,
}

impl RemoteKeys {
    pub fn build(url: &str, algorithm: Algorithm, state: &State) -> Result<Self, String> {
        let settings = Settings { most_bytes: MOST_BYTES, ..Settings::default() };
        let endpoint = Endpoint::build(url, &settings, state)?;
        let fetched =
            state.key_sets.of(&format!("{url} {algorithm:?}"), || Fetched::new(endpoint.shown(), TIMES));
        Ok(Self { endpoint, fetched, algorithm })
    }

    /// The set where it need not be waited for.
    pub fn at_hand(&self) -> Option<Arc<KeySet>> {
        self.fetched.at_hand()
    }

    /// The set; another than `but`, where that did not have the key that is looked for.
    pub async fn get(&self, worker: &Rc<Worker>, but: Option<&Arc<KeySet>>) -> Result<Arc<KeySet>, Fault> {
        self.fetched.other_than(but, || self.clone().fetch(worker.clone())).await
    }

    async fn fetch(self, worker: Rc<Worker>) -> Result<Fresh<KeySet>, Fault> {
        fetch(worker, self.endpoint, &[self.algorithm], LONGEST).await
    }
}

/// Fetches the set at `endpoint`, to be used for `longest` unless its server says less.
pub async fn fetch(
    worker: Rc<Worker>,
    endpoint: Endpoint,
    algorithms: &[Algorithm],
    longest: Duration,
) -> Result<Fresh<KeySet>, Fault> {
    let reply = endpoint.ask(&worker, Question::get_json()).await?;
    let fault = |why: &str| {
        let fault = reply.fault(why);
        fault.count(&worker);
        fault
    };
    if reply.status != 200 {
        return Err(fault(&format!("it answers with status {}", reply.status.as_u16())));
    }
    let value = KeySet::read(&reply.body, algorithms).map_err(fault)?;
    Ok(Fresh { value, ttl: max_age(&reply.headers).unwrap_or(longest).min(longest).max(SHORTEST) })
}

/// For how long an answer may be kept, where it says so (RFC 9111 section 5.2.2).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(',')).map(str::trim);
    directives.find_map(|directive| match directive.split_once('=') {
        Some((name, seconds)) if name.eq_ignore_ascii_case("max-age") => {
            Some(Duration::from_secs(seconds.trim_matches('"').parse().ok()?))
        }
        None if ["no-store", "no-cache"].iter().any(|name| directive.eq_ignore_ascii_case(name)) => {
            Some(Duration::ZERO)
        }
        _ => None,
    })
}

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
