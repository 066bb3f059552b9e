//! Consumers, found by name and by what proves them. There may be a hundred thousand, so each takes little room.

use super::labels::Labels;
use crate::plugins::{Chain, Problem, Proof, Scheme};
use crate::roles;
use crate::snapshot;
use crate::state::State;
use crate::table::{Keyed, Table};
use crate::usage::LastUse;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A caller, ready to be recognised.
pub struct Consumer {
    pub username: Arc<str>,
    pub group: Option<Arc<str>>,
    pub custom_id: Option<Arc<str>>,
    pub labels: Labels,
    pub roles: Box<[Arc<str>]>,
    /// The consumer's own plugins, which go before a route's of the same name.
    pub chain: Chain,
    credentials: Box<[Credential]>,
}

/// What proves a consumer.
struct Credential {
    id: Arc<str>,
    /// In seconds since 1970, from when on it proves nothing.
    expires_at: Option<NonZeroU64>,
    last_use: LastUse,
    proof: Proof,
}

/// A credential that holds, with its consumer.
pub struct Found<'a> {
    consumer: &'a Arc<Consumer>,
    credential: &'a Credential,
}

impl<'a> Found<'a> {
    pub fn proof(&self) -> &'a Proof {
        &self.credential.proof
    }

    /// Who it is, once it is proven.
    pub fn identity(&self) -> Identity {
        Identity { consumer: self.consumer.clone(), credential: Some(self.credential.id.clone()) }
    }
}

/// Who was recognised, and by what.
#[derive(Clone)]
pub struct Identity {
    pub consumer: Arc<Consumer>,
    /// None where nothing was proven and the caller goes on as an anonymous consumer.
    pub credential: Option<Arc<str>>,
}

impl Identity {
    /// Notes that the credential was used, which has proven who it is.
    pub fn note_use(&self) {
        let Some(id) = &self.credential else { return };
        if let Some(credential) = self.consumer.credentials.iter().find(|own| Arc::ptr_eq(&own.id, id)) {
            credential.last_use.note();
        }
    }
}

/// All consumers of a generation. Authentication plugins ask here who it is that they have before them.
#[derive(Clone, Default)]
pub struct Consumers {
    by_name: Table<Arc<Consumer>>,
    proofs: Proofs,
}

/// Credentials by what they are looked up by, each scheme apart.
#[derive(Clone, Default)]
struct Proofs {
    keys: Table<Key>,
    passwords: Table<Key>,
    tokens: Table<Key>,
    signatures: Table<Key>,
    certificates: Table<Key>,
}

impl Proofs {
    fn of(&self, scheme: Scheme) -> &Table<Key> {
        match scheme {
            Scheme::Key => &self.keys,
            Scheme::Password => &self.passwords,
            Scheme::Token => &self.tokens,
            Scheme::Signature => &self.signatures,
            Scheme::Certificate => &self.certificates,
        }
    }

    fn of_mut(&mut self, scheme: Scheme) -> &mut Table<Key> {
        match scheme {
            Scheme::Key => &mut self.keys,
            Scheme::Password => &mut self.passwords,
            Scheme::Token => &mut self.tokens,
            Scheme::Signature => &mut self.signatures,
            Scheme::Certificate => &mut self.certificates,
        }
    }
}

/// One credential of a consumer.
#[derive(Clone)]
struct Key {
    consumer: Arc<Consumer>,
    nth: usize,
}

impl Key {
    fn credential(&self) -> Option<&Credential> {
        self.consumer.credentials.get(self.nth)
    }
}

impl Keyed for Key {
    fn key(&self) -> &[u8] {
        self.credential().map_or(&[], |credential| credential.proof.found_by())
    }
}

impl Keyed for Consumer {
    fn key(&self) -> &[u8] {
        self.username.as_bytes()
    }
}

impl Consumer {
    /// Each problem is told with a JSON pointer below the consumer.
    pub(super) fn build(
        consumer: &snapshot::Consumer,
        chain: Chain,
        state: &State,
        problem: &mut impl FnMut(String, String),
    ) -> Self {
        let mut credentials = Vec::with_capacity(consumer.credentials.len());
        for (nth, credential) in consumer.credentials.iter().enumerate() {
            match Credential::build(credential, state) {
                Ok(built) => credentials.push(built),
                Err(wrong) => problem(format!("/credentials/{nth}{}", wrong.pointer), wrong.why),
            }
        }
        Self {
            username: consumer.username.as_str().into(),
            group: consumer.group.as_deref().map(Arc::from),
            custom_id: consumer.labels.get("custom_id").map(|id| id.as_str().into()),
            labels: Labels::new(&consumer.labels),
            roles: roles::names(&consumer.roles),
            chain,
            credentials: credentials.into(),
        }
    }
}

impl Consumer {
    /// When its credential `id` was last used, in seconds since 1970; none: never, or there is none.
    pub fn last_use(&self, id: &str) -> Option<u64> {
        self.credentials.iter().find(|credential| *credential.id == *id)?.last_use.seconds()
    }

    /// Takes over from the consumer that had this name before when its credentials were last used.
    pub(super) fn inherit(&self, before: &Self) {
        for credential in &self.credentials {
            if let Some(old) = before.credentials.iter().find(|old| old.id == credential.id) {
                credential.last_use.inherit(&old.last_use);
            }
        }
    }
}

impl Credential {
    fn build(credential: &snapshot::Credential, state: &State) -> Result<Self, Problem> {
        let proof = Proof::build(&credential.plugin, &credential.config, state)?;
        let last_use = LastUse::default();
        Ok(Self { id: credential.id.as_str().into(), expires_at: credential.expires_at, last_use, proof })
    }

    fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| {
            SystemTime::now().duration_since(UNIX_EPOCH).is_ok_and(|now| now.as_secs() >= at.get())
        })
    }
}

impl Consumers {
    /// The credential of `scheme` that is looked up by `by`, unless it has expired.
    pub fn find(&self, scheme: Scheme, by: &[u8]) -> Option<Found<'_>> {
        let key = self.proofs.of(scheme).get(by)?;
        let credential = key.credential().filter(|credential| !credential.has_expired())?;
        Some(Found { consumer: &key.consumer, credential })
    }

    /// The holder of the API key with this SHA-256. Digests are compared, so time tells nothing of the key.
    pub fn by_key(&self, digest: &[u8; 32]) -> Option<Identity> {
        self.find(Scheme::Key, digest).map(|found| found.identity())
    }

    /// Whether anybody has an API key.
    pub fn have_keys(&self) -> bool {
        !self.proofs.keys.is_empty()
    }

    /// Takes over from all consumers that were before when their credentials were last used.
    pub fn inherit(&self, before: &Self) {
        for old in before.by_name.iter() {
            if let Some(consumer) = self.by_name(&old.username).filter(|consumer| !Arc::ptr_eq(consumer, old))
            {
                consumer.inherit(old);
            }
        }
    }

    pub fn by_name(&self, username: &str) -> Option<&Arc<Consumer>> {
        self.by_name.get(username)
    }

    /// Puts `consumer` in, whose name nobody has. Each problem is told with a JSON pointer below the consumer.
    pub(super) fn insert(&mut self, consumer: Consumer, problem: &mut impl FnMut(String, String)) {
        let consumer = Arc::new(consumer);
        for (nth, credential) in consumer.credentials.iter().enumerate() {
            let scheme = credential.proof.scheme();
            if let Some(other) = self.proofs.of_mut(scheme).insert(Key { consumer: consumer.clone(), nth }) {
                let why = format!("consumer {:?} has the same {}", other.consumer.username, scheme.word());
                problem(format!("/credentials/{nth}"), why);
            }
        }
        self.by_name.insert(consumer);
    }

    /// Takes out the consumer of this name with all that proves it.
    pub(super) fn remove(&mut self, username: &str) -> Option<Arc<Consumer>> {
        let consumer = self.by_name.remove(username)?;
        for credential in &consumer.credentials {
            self.proofs.of_mut(credential.proof.scheme()).remove(credential.proof.found_by());
        }
        Some(consumer)
    }
}
