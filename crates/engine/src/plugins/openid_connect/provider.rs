//! The identity provider: its discovery document (OpenID Connect Discovery 1.0, RFC 8414), and the key set that this
//! leads to. Both are fetched once for all routes with the same settings, and outlive swaps.

use super::config::Config;
use crate::outbound::{Endpoint, Fault, Fetched, Fresh, Question, Reach, Settings, Times};
use crate::plugins::jwt_auth::token::Algorithm;
use crate::plugins::key_set::{self, KeySet};
use crate::server::Worker;
use crate::state::State;
use serde::Deserialize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A discovery document is used for an hour, and for a day where there is no other.
const TTL: Duration = Duration::from_secs(60 * 60);
const TIMES: Times = Times { stale: Duration::from_secs(24 * 60 * 60), pause: Duration::from_secs(2) };
const WELL_KNOWN: &str = "/.well-known/";

/// What counts of a discovery document.
#[derive(Deserialize)]
pub struct Discovery {
    pub issuer: String,
    #[serde(default)]
    jwks_uri: Option<String>,
}

/// One provider as one set of settings sees it.
#[derive(Clone)]
pub struct Provider {
    discovery_url: Arc<str>,
    endpoint: Endpoint,
    settings: Settings,
    discovery: Arc<Fetched<Discovery>>,
    keys: Arc<Fetched<KeySet>>,
    algorithms: Arc<[Algorithm]>,
    longest: Duration,
}

impl Provider {
    pub fn build(config: &Config, algorithms: Arc<[Algorithm]>, state: &State) -> Result<Self, String> {
        let settings = Settings {
            verify: config.ssl_verify,
            timeout: Duration::from_secs(config.timeout),
            most_bytes: key_set::MOST_BYTES,
            ..Settings::default()
        };
        let endpoint = Endpoint::build(&config.discovery, &settings, state)
            .map_err(|why| format!("discovery: {why}"))?;
        let key = format!("{} {} {}", config.discovery, config.ssl_verify, config.timeout);
        let discovery = state.discoveries.of(&key, || Fetched::new(endpoint.shown(), TIMES));
        let key = format!("{key} {algorithms:?} {}", config.jwk_expires_in);
        let keys = state.key_sets.of(&key, || Fetched::new(endpoint.shown(), key_set::TIMES));
        Ok(Self {
            discovery_url: config.discovery.as_str().into(),
            endpoint,
            settings,
            discovery,
            keys,
            algorithms,
            longest: Duration::from_secs(config.jwk_expires_in),
        })
    }

    /// Both, where they are at hand.
    pub fn discovery_at_hand(&self) -> Option<Arc<Discovery>> {
        self.discovery.at_hand()
    }

    pub fn keys_at_hand(&self) -> Option<Arc<KeySet>> {
        self.keys.at_hand()
    }

    pub async fn discovery(&self, worker: &Rc<Worker>) -> Result<Arc<Discovery>, Fault> {
        self.discovery.get(|| self.clone().fetch_discovery(worker.clone())).await
    }

    /// The keys; others than `but`, where that did not have the one that is looked for.
    pub async fn keys(&self, worker: &Rc<Worker>, but: Option<&Arc<KeySet>>) -> Result<Arc<KeySet>, Fault> {
        self.keys.other_than(but, || self.clone().fetch_keys(worker.clone())).await
    }

    async fn fetch_discovery(self, worker: Rc<Worker>) -> Result<Fresh<Discovery>, Fault> {
        let reply = self.endpoint.ask(&worker, Question::get_json()).await?;
        let value = reply.json().inspect_err(|fault| fault.count(&worker))?;
        Ok(Fresh { value, ttl: TTL })
    }

    async fn fetch_keys(self, worker: Rc<Worker>) -> Result<Fresh<KeySet>, Fault> {
        let discovery = self.discovery(&worker).await?;
        let endpoint = self.key_endpoint(&discovery, &worker).inspect_err(|fault| fault.count(&worker))?;
        key_set::fetch(worker, endpoint, &self.algorithms, self.longest).await
    }

    /// Where the keys are. On another server than the discovery document they are on the public internet, and over https.
    fn key_endpoint(&self, discovery: &Discovery, worker: &Worker) -> Result<Endpoint, Fault> {
        let fault = |why: String| self.endpoint.fault(why);
        let url = discovery.jwks_uri.as_deref().ok_or_else(|| fault("it has no jwks_uri".into()))?;
        let is_own = origin(url) == origin(&self.discovery_url);
        if !is_own && !url.starts_with("https://") {
            return Err(fault("its jwks_uri is of another server, and not https".into()));
        }
        let reach = if is_own { Reach::Anywhere } else { Reach::Public };
        let settings = Settings { reach, ..self.settings.clone() };
        Endpoint::build(url, &settings, &worker.shared.state)
            .map_err(|why| fault(format!("its jwks_uri: {why}")))
    }

    /// Whether the issuer is the one that the document stands at (OpenID Connect Discovery 1.0 section 4.3, RFC 8414
    /// section 3.3).
    pub fn names(&self, issuer: &str) -> bool {
        let Some((before, after)) = self.discovery_url.split_once(WELL_KNOWN) else { return false };
        let path = after.split_once('/').map_or("", |(_, path)| path);
        let inserted = format!("{before}/{path}");
        let bare = issuer.trim_end_matches('/');
        bare == before.trim_end_matches('/') && path.is_empty()
            || bare == inserted.trim_end_matches('/') && !path.is_empty()
    }

    /// That it says to be another than it is.
    pub fn wrong_issuer(&self) -> Fault {
        self.endpoint.fault("its issuer is not the one of its URL; set claim_validator.issuer.valid_issuers")
    }
}

/// Scheme and authority.
fn origin(url: &str) -> Option<(String, String)> {
    let uri: ::http::Uri = url.parse().ok()?;
    Some((uri.scheme_str()?.to_ascii_lowercase(), uri.authority()?.as_str().to_ascii_lowercase()))
}
