//! A generation: one snapshot, built. Matchers, regexes, schemas and key sets are made here, off the request path;
//! workers then only read it. The old generation lives on until its last exchange has ended.
//!
//! A generation is made of the last one and a delta; both share all that has not changed, and nothing of it is built
//! again. What a route needs beside itself (its upstream, its app, consumers) is found through the exchange's generation,
//! so that a change of one is no change of the other.

mod build;
mod consumers;
mod labels;
mod references;
mod route;
#[cfg(test)]
mod tests;

pub use consumers::{Consumer, Consumers, Identity};
pub use labels::values;
pub use route::{DocumentAnswer, RouteEntry, Target};

use crate::api::Api;
use crate::mcp::McpApp;
use crate::network::Networks;
use crate::plugins::{Chain, Groups};
use crate::router::Router;
use crate::server::tls::TlsTable;
use crate::snapshot::{self, Delta, Dns, Gateway, Limits, PathRules, Snapshot};
use crate::state::State;
use crate::table::Table;
use crate::upstream::Upstream;
use ::http::HeaderName;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the engine runs.
#[derive(Clone, Default)]
pub struct Generation {
    /// Tells it from every other, also of other engines.
    pub number: u64,
    pub limits: Limits,
    pub path: PathRules,
    /// The claim of a token that has its bearer's roles.
    pub roles_claim: Arc<str>,
    /// Peers that may speak for others.
    pub trusted: Networks,
    pub router: Router<Arc<RouteEntry>>,
    /// By id, as apps and upstreams are.
    pub routes: Table<Arc<RouteEntry>>,
    /// The plugins of all global rules, rule by rule.
    pub global: Chain,
    /// The same without its limits, for exchanges within others, which are no second call.
    pub global_within: Chain,
    /// Headers in which only these tell the upstream of the caller.
    pub told: Arc<[HeaderName]>,
    pub apps: Table<Arc<McpApp>>,
    /// What requests to the operations of apis must be like.
    pub apis: Table<Arc<Api>>,
    pub consumers: Consumers,
    pub tls: Arc<TlsTable>,
    pub upstreams: Table<Arc<Upstream>>,
    pub dns: Dns,
    /// The number of the generation since which upstreams and DNS have been as they are.
    pub upkeep: u64,
    rules: Arc<[Rule]>,
    groups: Groups,
    /// The sequence of the next route or rule that is new.
    sequence: u64,
}

/// A global rule.
#[derive(Clone)]
struct Rule {
    id: Arc<str>,
    sequence: u64,
    chain: Chain,
}

/// Why a document cannot be built, each with a JSON pointer into it.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.iter().map(|(at, why)| format!("{at}: {why}")).collect::<Vec<_>>().join("\n"))]
pub struct BuildError {
    pub problems: Vec<(String, String)>,
}

impl Generation {
    /// Decodes and builds a snapshot. All problems are told at once. What outlives a swap is taken from `state`.
    pub fn from_json(text: &str, state: &Arc<State>) -> Result<(Gateway, Self), BuildError> {
        let snapshot: Snapshot<'_> = read(text)?;
        let gateway = snapshot.gateway.clone();
        let generation = Self::default().with(snapshot.into(), "", state, &TlsTable::default())?;
        Ok((gateway, generation))
    }

    /// The generation of a snapshot that comes in the place of this one, which lends it the certificates that stay.
    pub fn replaced(&self, text: &str, state: &Arc<State>) -> Result<Self, BuildError> {
        let snapshot: Snapshot<'_> = read(text)?;
        Self::default().with(snapshot.into(), "", state, &self.tls)
    }

    /// This generation as a delta changes it. All problems are told at once, also those elsewhere that it would make.
    pub fn changed(&self, delta: &str, state: &Arc<State>) -> Result<Self, BuildError> {
        self.clone().with(read(delta)?, "/put", state, &self.tls)
    }

    /// `put` is the pointer to where the entries stand, `built` has certificates that need not be built again.
    fn with(
        self,
        delta: Delta<'_>,
        put: &'static str,
        state: &Arc<State>,
        built: &TlsTable,
    ) -> Result<Self, BuildError> {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        if delta.version != snapshot::VERSION {
            let why = format!(
                "this engine reads snapshot version {}, and this is version {}",
                snapshot::VERSION,
                delta.version
            );
            return Err(BuildError { problems: vec![("/version".into(), why)] });
        }
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let changed = build::changed(Self { number, ..self }, &delta, put, state, built);
        changed.map_err(|problems| BuildError { problems })
    }
}

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, BuildError> {
    serde_json::from_str(text)
        .map_err(|error| BuildError { problems: vec![(String::new(), error.to_string())] })
}
