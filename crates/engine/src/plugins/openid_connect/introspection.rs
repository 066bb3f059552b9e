//! Introspection: the provider is asked what a token is worth (RFC 7662), once for all who come with it, and not again
//! before its answer is too old. Where nobody answers nobody is let in.

use super::config::{AuthMethod, Config};
use crate::outbound::{Digest, Endpoint, Fault, Fetched, Fetches, Fresh, Question, Settings, Times};
use crate::server::Worker;
use crate::state::State;
use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Method};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// No stale answer is ever used; a provider that failed for a token is left alone with it for a second.
const TIMES: Times = Times { stale: Duration::ZERO, pause: Duration::from_secs(1) };
/// For how long a token that is worth nothing is not asked about again.
const IN_VAIN: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 64 << 10;
/// What stands as it is in a form (RFC 3986 section 2.3).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the provider told about a token; none: that it is worth nothing.
pub type Told = Option<Map<String, Value>>;

/// The endpoint, and what it told.
#[derive(Clone)]
pub struct Introspection {
    endpoint: Endpoint,
    told: Arc<Fetches<Told>>,
    headers: HeaderMap,
    /// What stands in the body after the token.
    secrets: Arc<str>,
    longest: Option<Duration>,
    asks_anew: bool,
}

impl Introspection {
    pub fn build(url: &str, config: &Config, state: &State) -> Result<Self, String> {
        let secret = config.client_secret.as_deref().unwrap_or_default();
        if secret.is_empty() {
            return Err("client_secret: the introspection_endpoint needs one".into());
        }
        let settings = Settings {
            verify: config.ssl_verify,
            timeout: Duration::from_secs(config.timeout),
            most_bytes: MOST_BYTES,
            ..Settings::default()
        };
        let endpoint =
            Endpoint::build(url, &settings, state).map_err(|why| format!("introspection_endpoint: {why}"))?;
        let (id, secret) = (encoded(&config.client_id), encoded(secret));
        let mut headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/json")),
            (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        ]);
        let mut secrets = String::from("&token_type_hint=access_token");
        match config.introspection_endpoint_auth_method {
            AuthMethod::ClientSecretBasic => {
                let value = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
                let mut value = HeaderValue::try_from(value).map_err(|_| "client_secret: is too long")?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            AuthMethod::ClientSecretPost => {
                let _ = write!(secrets, "&client_id={id}&client_secret={secret}");
            }
        }
        // Who asks with another secret, or keeps answers for longer, has answers of its own.
        let asked = format!(
            "{url} {} {} {id}:{secret} {:?} {}",
            config.ssl_verify,
            config.timeout,
            config.introspection_endpoint_auth_method,
            config.introspection_interval
        );
        let key: String = sha256(asked.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            told: state.introspections.of(&key, || Fetches::new(endpoint.shown(), TIMES)),
            endpoint,
            headers,
            secrets: secrets.into(),
            longest: (config.introspection_interval > 0)
                .then(|| Duration::from_secs(config.introspection_interval)),
            asks_anew: config.introspection_cache_ignore,
        })
    }

    /// What was told about `token` already and is not too old.
    pub fn at_hand(&self, token: &[u8]) -> Option<Arc<Told>> {
        if self.asks_anew { None } else { self.told.of(&sha256(token)).at_hand() }
    }

    /// What the provider tells about `token`.
    pub async fn ask(&self, worker: &Rc<Worker>, token: &[u8]) -> Result<Arc<Told>, Fault> {
        if self.asks_anew {
            return self.clone().fetch(worker.clone(), token.into()).await.map(|fresh| Arc::new(fresh.value));
        }
        let token: Arc<[u8]> = token.into();
        let fetched: Arc<Fetched<Told>> = self.told.of(&sha256(&token));
        fetched.get(|| self.clone().fetch(worker.clone(), token.clone())).await
    }

    async fn fetch(self, worker: Rc<Worker>, token: Arc<[u8]>) -> Result<Fresh<Told>, Fault> {
        let token = percent_encoding::percent_encode(&token, FORM);
        let body = format!("token={token}{}", self.secrets).into();
        let question = Question { method: Method::POST, headers: self.headers.clone(), body };
        let reply = self.endpoint.ask(&worker, question).await?;
        let told: Map<String, Value> = reply.json().inspect_err(|fault| fault.count(&worker))?;
        if told.get("active") != Some(&Value::Bool(true)) {
            return Ok(Fresh { value: None, ttl: IN_VAIN });
        }
        let ttl = lifetime(&told).or(self.longest).unwrap_or(Duration::ZERO);
        Ok(Fresh { ttl: self.longest.map_or(ttl, |longest| ttl.min(longest)), value: Some(told) })
    }
}

/// How long a token still holds, where it says so.
fn lifetime(told: &Map<String, Value>) -> Option<Duration> {
    let exp = told.get("exp")?.as_f64()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    Some(Duration::from_secs_f64((exp - now).clamp(0.0, 86_400.0)))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

fn sha256(bytes: &[u8]) -> Digest {
    let mut found = [0; 32];
    found.copy_from_slice(digest(&SHA256, bytes).as_ref());
    found
}
