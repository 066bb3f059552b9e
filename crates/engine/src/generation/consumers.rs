//! Consumers, found by name and by what proves them. There may be a hundred thousand, so each takes little room.

use crate::plugins::Chain;
use crate::snapshot;
use crate::table::{Keyed, Table};
use std::sync::Arc;

/// A caller, ready to be recognised.
pub struct Consumer {
    pub username: Arc<str>,
    pub group: Option<Arc<str>>,
    pub custom_id: Option<Arc<str>>,
    /// The consumer's own plugins, which go before a route's of the same name.
    pub chain: Chain,
    credentials: Box<[Credential]>,
}

/// What proves a consumer.
struct Credential {
    id: Arc<str>,
    /// SHA-256 of an API key.
    digest: [u8; 32],
}

/// Who was recognised, and by what.
#[derive(Clone)]
pub struct Identity {
    pub consumer: Arc<Consumer>,
    /// None where nothing was proven and the caller goes on as an anonymous consumer.
    pub credential: Option<Arc<str>>,
}

/// All consumers of a generation. Authentication plugins ask here who it is that they have before them.
#[derive(Clone, Default)]
pub struct Consumers {
    by_name: Table<Arc<Consumer>>,
    keys: Table<Key>,
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
        self.credential().map_or(&[], |credential| &credential.digest)
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
        problem: &mut impl FnMut(String, String),
    ) -> Self {
        let mut credentials = Vec::with_capacity(consumer.credentials.len());
        for (nth, credential) in consumer.credentials.iter().enumerate() {
            match Credential::build(credential) {
                Ok(built) => credentials.push(built),
                Err(why) => problem(format!("/credentials/{nth}"), why),
            }
        }
        Self {
            username: consumer.username.as_str().into(),
            group: consumer.group.as_deref().map(Arc::from),
            custom_id: consumer.labels.get("custom_id").map(|id| id.as_str().into()),
            chain,
            credentials: credentials.into(),
        }
    }
}

impl Credential {
    fn build(credential: &snapshot::Credential) -> Result<Self, String> {
        if credential.plugin != "key-auth" {
            return Err(format!("no plugin takes credentials of {:?}", credential.plugin));
        }
        let digest = credential.config.get("key_sha256").and_then(serde_json::Value::as_str);
        let digest = digest.and_then(decode_digest).ok_or("key_sha256 must be 64 hex digits")?;
        Ok(Self { id: credential.id.as_str().into(), digest })
    }
}

impl Consumers {
    /// The holder of the API key with this SHA-256. Digests are compared, so time tells nothing of the key.
    pub fn by_key(&self, digest: &[u8; 32]) -> Option<Identity> {
        let key = self.keys.get(digest)?;
        Some(Identity { consumer: key.consumer.clone(), credential: Some(key.credential()?.id.clone()) })
    }

    pub fn by_name(&self, username: &str) -> Option<&Arc<Consumer>> {
        self.by_name.get(username)
    }

    /// Puts `consumer` in, whose name nobody has. Each problem is told with a JSON pointer below the consumer.
    pub(super) fn insert(&mut self, consumer: Consumer, problem: &mut impl FnMut(String, String)) {
        let consumer = Arc::new(consumer);
        for nth in 0..consumer.credentials.len() {
            if let Some(other) = self.keys.insert(Key { consumer: consumer.clone(), nth }) {
                let why = format!("consumer {:?} has the same key", other.consumer.username);
                problem(format!("/credentials/{nth}"), why);
            }
        }
        self.by_name.insert(consumer);
    }

    /// Takes out the consumer of this name with all that proves it.
    pub(super) fn remove(&mut self, username: &str) -> Option<Arc<Consumer>> {
        let consumer = self.by_name.remove(username)?;
        for credential in &consumer.credentials {
            self.keys.remove(credential.digest);
        }
        Some(consumer)
    }
}

pub(super) fn decode_digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
