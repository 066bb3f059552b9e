//! A generation: one snapshot, built. Matchers, regexes, schemas and key sets are made here, once, off the request
//! path; workers then only read it. The old generation lives on until its last exchange has ended.

mod build;

use crate::mcp::McpApp;
use crate::network::Networks;
use crate::plugins::Chain;
use crate::predicate::Predicates;
use crate::router::Router;
use crate::server::tls::TlsTable;
use crate::snapshot::{self, Dns, Limits, PathRules, Snapshot};
use crate::state::State;
use crate::upstream::Upstream;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::collections::HashMap;
use std::sync::Arc;

/// What the engine runs.
pub struct Generation {
    pub limits: Limits,
    pub path: PathRules,
    /// Peers that may speak for others.
    pub trusted: Networks,
    pub router: Router<Arc<RouteEntry>>,
    pub routes: HashMap<Arc<str>, Arc<RouteEntry>>,
    pub global: Chain,
    pub apps: HashMap<Arc<str>, Arc<McpApp>>,
    pub tls: Arc<TlsTable>,
    /// In the order of the snapshot.
    pub upstreams: Arc<[Arc<Upstream>]>,
    pub dns: Dns,
}

/// A route, ready to run.
pub struct RouteEntry {
    pub id: Arc<str>,
    /// The route's name, for metrics; its id where it has none.
    pub name: Arc<str>,
    /// The first of the route's patterns, for metrics.
    pub uri: Arc<str>,
    /// The first of the route's hosts, for metrics; empty where it takes any.
    pub host: Arc<str>,
    pub service: Arc<str>,
    pub operation: Option<Arc<str>>,
    pub predicates: Predicates,
    pub chain: Chain,
    pub websocket: bool,
    pub target: Target,
}

/// Where a request goes that has passed the plugins.
pub enum Target {
    Upstream { upstream: Arc<Upstream>, strip_prefix: String, add_prefix: String },
    Static { status: StatusCode, headers: HeaderMap, body: Bytes },
    Mcp(Arc<McpApp>),
}

/// A caller, ready to be recognised.
pub struct Consumer {
    pub username: Arc<str>,
    pub group: Option<Arc<str>>,
    pub custom_id: Option<Arc<str>>,
    pub labels: std::collections::BTreeMap<String, String>,
    /// The consumer's own plugins, which go before a route's of the same name.
    pub chain: Chain,
}

/// Who was recognised, and by what.
#[derive(Clone)]
pub struct Identity {
    pub consumer: Arc<Consumer>,
    /// None where nothing was proven and the caller goes on as an anonymous consumer.
    pub credential: Option<Arc<str>>,
}

/// A credential as it was configured, before the consumers that hold them are built.
#[derive(Clone)]
pub struct CredentialEntry {
    pub plugin: String,
    pub id: Arc<str>,
    pub username: Arc<str>,
    pub config: serde_json::Value,
}

/// All consumers and credentials of a generation. Authentication plugins index it when they are built.
#[derive(Default)]
pub struct Consumers {
    /// Filled once, after every consumer's plugins are built.
    built: std::sync::OnceLock<HashMap<Arc<str>, Arc<Consumer>>>,
    /// SHA-256 of an API key to its holder.
    keys: HashMap<[u8; 32], CredentialEntry>,
}

/// Why a snapshot cannot be built, each with a JSON pointer into it.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.iter().map(|(at, why)| format!("{at}: {why}")).collect::<Vec<_>>().join("\n"))]
pub struct BuildError {
    pub problems: Vec<(String, String)>,
}

impl Generation {
    /// Decodes and builds a snapshot. All problems are told at once. What outlives a swap is taken from `state`.
    pub fn from_json(text: &str, state: &Arc<State>) -> Result<(Snapshot, Self), BuildError> {
        let snapshot: Snapshot = serde_json::from_str(text)
            .map_err(|error| BuildError { problems: vec![(String::new(), error.to_string())] })?;
        if snapshot.version != snapshot::VERSION {
            let why = format!(
                "this engine reads snapshot version {}, and this is version {}",
                snapshot::VERSION,
                snapshot.version
            );
            return Err(BuildError { problems: vec![("/version".into(), why)] });
        }
        let generation = build::generation(&snapshot, state).map_err(|problems| BuildError { problems })?;
        Ok((snapshot, generation))
    }
}

impl Consumers {
    fn add(&mut self, entry: CredentialEntry) -> Result<(), String> {
        if entry.plugin != "key-auth" {
            return Err(format!("no plugin takes credentials of {:?}", entry.plugin));
        }
        let digest = entry.config.get("key_sha256").and_then(serde_json::Value::as_str);
        let digest = digest.and_then(decode_digest).ok_or("key_sha256 must be 64 hex digits")?;
        match self.keys.insert(digest, entry) {
            None => Ok(()),
            Some(other) => Err(format!("consumer {:?} has the same key", other.username)),
        }
    }

    /// The holder of the API key with this SHA-256. Digests are compared, so time tells nothing of the key.
    pub fn by_key(&self, digest: &[u8; 32]) -> Option<Identity> {
        let entry = self.keys.get(digest)?;
        Some(Identity { consumer: self.by_name(&entry.username)?, credential: Some(entry.id.clone()) })
    }

    /// The consumer of this name, once the generation is built.
    pub fn by_name(&self, username: &str) -> Option<Arc<Consumer>> {
        self.built.get()?.get(username).cloned()
    }
}

fn decode_digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
