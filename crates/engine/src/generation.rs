//! A generation: one snapshot, built. Matchers, regexes, schemas and key sets are made here, once, off the request
//! path; workers then only read it. The old generation lives on until its last exchange has ended.

use crate::mcp::McpApp;
use crate::plugins::{BuildContext, Chain, Place};
use crate::router::{Router, RouterBuilder};
use crate::snapshot::{self, Dns, Limits, Snapshot};
use crate::state::State;
use crate::upstream::{self, Upstream};
use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::collections::HashMap;
use std::sync::Arc;

/// What the engine runs.
pub struct Generation {
    pub limits: Limits,
    pub router: Router<Arc<RouteEntry>>,
    pub routes: HashMap<Arc<str>, Arc<RouteEntry>>,
    pub global: Chain,
    pub apps: HashMap<Arc<str>, Arc<McpApp>>,
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
    /// Empty: any.
    pub methods: Vec<Method>,
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
    /// Decodes and builds a snapshot. All problems are told at once; `previous` lends what did not change.
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
        let mut builder = Builder { state, problems: Vec::new() };
        let generation = builder.generation(&snapshot);
        match builder.problems.is_empty() {
            true => Ok((snapshot, generation)),
            false => Err(BuildError { problems: builder.problems }),
        }
    }
}

struct Builder<'a> {
    state: &'a Arc<State>,
    problems: Vec<(String, String)>,
}

impl Builder<'_> {
    fn generation(&mut self, snapshot: &Snapshot) -> Generation {
        let consumers = self.consumers(snapshot);
        let mut global = Vec::new();
        for (index, rule) in snapshot.global_rules.iter().enumerate() {
            let place = Place::GlobalRule(rule.id.as_str().into());
            global.push(self.chain(&rule.plugins, &place, &consumers, &format!("/global_rules/{index}")));
        }
        let upstreams = self.upstreams(snapshot);
        if let Err(why) = upstream::name_servers(&snapshot.gateway.dns) {
            self.problem("/gateway/dns/nameservers".to_owned(), why);
        }
        let apps = self.apps(snapshot);
        let mut router = RouterBuilder::new();
        let mut routes = HashMap::with_capacity(snapshot.routes.len());
        for (index, route) in snapshot.routes.iter().enumerate() {
            let at = format!("/routes/{index}");
            let Some(entry) = self.route(route, &at, &consumers, &upstreams, &apps) else {
                continue;
            };
            let entry = Arc::new(entry);
            if let Err(error) = router.insert(&route.hosts, &route.uris, route.priority, entry.clone()) {
                self.problem(format!("{at}/uris"), error.to_string());
            }
            if routes.insert(entry.id.clone(), entry).is_some() {
                self.problem(format!("{at}/id"), format!("there are two routes with the id {:?}", route.id));
            }
        }
        self.check_tools(snapshot, &routes);
        Generation {
            limits: snapshot.gateway.limits.clone(),
            router: router.build(),
            routes,
            global: global.into_iter().fold(Chain::default(), |all, rule| all.followed_by(rule)),
            apps,
            upstreams: snapshot.upstreams.iter().filter_map(|one| upstreams.get(&one.id).cloned()).collect(),
            dns: snapshot.gateway.dns.clone(),
        }
    }

    fn problem(&mut self, at: String, why: impl Into<String>) {
        self.problems.push((at, why.into()));
    }

    fn chain(
        &mut self,
        configs: &snapshot::PluginConfigs,
        place: &Place,
        consumers: &Arc<Consumers>,
        at: &str,
    ) -> Chain {
        let context = BuildContext { place, consumers, state: self.state };
        Chain::build(configs, &context, &mut |name, why| {
            self.problems.push((format!("{at}/plugins/{name}"), why));
        })
    }

    fn consumers(&mut self, snapshot: &Snapshot) -> Arc<Consumers> {
        let mut consumers = Consumers::default();
        for (index, consumer) in snapshot.consumers.iter().enumerate() {
            for (nth, credential) in consumer.credentials.iter().enumerate() {
                let entry = CredentialEntry {
                    plugin: credential.plugin.clone(),
                    id: credential.id.as_str().into(),
                    username: consumer.username.as_str().into(),
                    config: credential.config.clone(),
                };
                if let Err(why) = consumers.add(entry) {
                    self.problem(format!("/consumers/{index}/credentials/{nth}"), why);
                }
            }
        }
        let consumers = Arc::new(consumers);
        let mut built = HashMap::with_capacity(snapshot.consumers.len());
        for (index, consumer) in snapshot.consumers.iter().enumerate() {
            let username: Arc<str> = consumer.username.as_str().into();
            let place = Place::Consumer(username.clone());
            let chain = self.chain(&consumer.plugins, &place, &consumers, &format!("/consumers/{index}"));
            let entry = Consumer {
                username: username.clone(),
                group: consumer.group.as_deref().map(Arc::from),
                custom_id: consumer.labels.get("custom_id").map(|id| id.as_str().into()),
                labels: consumer.labels.clone(),
                chain,
            };
            if built.insert(username, Arc::new(entry)).is_some() {
                let why = format!("there are two consumers named {:?}", consumer.username);
                self.problem(format!("/consumers/{index}/username"), why);
            }
        }
        // The only call to set: this function made `consumers`.
        let _ = consumers.built.set(built);
        consumers
    }

    fn upstreams(&mut self, snapshot: &Snapshot) -> HashMap<String, Arc<Upstream>> {
        let mut upstreams = HashMap::with_capacity(snapshot.upstreams.len());
        for (index, definition) in snapshot.upstreams.iter().enumerate() {
            match Upstream::build(definition, self.state) {
                Ok(upstream) => {
                    upstreams.insert(definition.id.clone(), Arc::new(upstream));
                }
                Err(why) => self.problem(format!("/upstreams/{index}"), why),
            }
        }
        upstreams
    }

    fn apps(&mut self, snapshot: &Snapshot) -> HashMap<Arc<str>, Arc<McpApp>> {
        let mut apps = HashMap::with_capacity(snapshot.apps.len());
        for (index, app) in snapshot.apps.iter().enumerate() {
            match McpApp::build(app) {
                Ok(built) => {
                    apps.insert(Arc::from(app.id.as_str()), Arc::new(built));
                }
                Err(problems) => {
                    for (pointer, why) in problems {
                        self.problem(format!("/apps/{index}{pointer}"), why);
                    }
                }
            }
        }
        apps
    }

    fn check_tools(&mut self, snapshot: &Snapshot, routes: &HashMap<Arc<str>, Arc<RouteEntry>>) {
        for (index, app) in snapshot.apps.iter().enumerate() {
            for (nth, tool) in app.tools.iter().enumerate() {
                if !routes.contains_key(tool.route.as_str()) {
                    let why = format!("there is no route {:?}", tool.route);
                    self.problem(format!("/apps/{index}/tools/{nth}/route"), why);
                }
            }
        }
    }

    fn route(
        &mut self,
        route: &snapshot::Route,
        at: &str,
        consumers: &Arc<Consumers>,
        upstreams: &HashMap<String, Arc<Upstream>>,
        apps: &HashMap<Arc<str>, Arc<McpApp>>,
    ) -> Option<RouteEntry> {
        let id: Arc<str> = route.id.as_str().into();
        let chain = self.chain(&route.plugins, &Place::Route(id.clone()), consumers, at);
        let mut methods = Vec::with_capacity(route.methods.len());
        for name in &route.methods {
            match name.parse() {
                Ok(method) => methods.push(method),
                Err(_) => self.problem(format!("{at}/methods"), format!("{name:?} is not a method")),
            }
        }
        let target = match &route.target {
            snapshot::Target::Upstream { id, strip_prefix, add_prefix } => {
                let Some(upstream) = upstreams.get(id) else {
                    self.problem(format!("{at}/target/upstream/id"), format!("there is no upstream {id:?}"));
                    return None;
                };
                Target::Upstream {
                    upstream: upstream.clone(),
                    strip_prefix: strip_prefix.clone(),
                    add_prefix: add_prefix.clone(),
                }
            }
            snapshot::Target::Static(answer) => self.static_target(answer, at)?,
            snapshot::Target::Mcp { app } => match apps.get(app.as_str()) {
                Some(app) => Target::Mcp(app.clone()),
                None => {
                    self.problem(format!("{at}/target/mcp/app"), format!("there is no app {app:?}"));
                    return None;
                }
            },
        };
        Some(RouteEntry {
            name: route.name.as_deref().map_or_else(|| id.clone(), Arc::from),
            id,
            uri: route.uris.first().map(String::as_str).unwrap_or_default().into(),
            host: route.hosts.first().map(String::as_str).unwrap_or_default().into(),
            service: route.service.as_deref().or(route.api.as_deref()).unwrap_or_default().into(),
            operation: route.operation.as_deref().map(Arc::from),
            methods,
            chain,
            websocket: route.websocket,
            target,
        })
    }

    fn static_target(&mut self, answer: &snapshot::StaticResponse, at: &str) -> Option<Target> {
        let at = format!("{at}/target/static");
        let status = StatusCode::from_u16(answer.status).ok();
        let mut headers = HeaderMap::with_capacity(answer.headers.len());
        for (name, value) in &answer.headers {
            match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                (Ok(name), Ok(value)) => {
                    headers.append(name, value);
                }
                _ => self.problem(format!("{at}/headers"), format!("{name:?} is not a valid header")),
            }
        }
        let body = match (&answer.body, &answer.body_base64) {
            (Some(text), None) => Some(Bytes::from(text.clone())),
            (None, Some(text)) => {
                base64::engine::general_purpose::STANDARD.decode(text).ok().map(Bytes::from)
            }
            (None, None) => Some(Bytes::new()),
            (Some(_), Some(_)) => None,
        };
        if status.is_none() {
            self.problem(format!("{at}/status"), format!("{} is not a status", answer.status));
        }
        if body.is_none() {
            self.problem(at, "the body is given twice, or is not base64");
        }
        Some(Target::Static { status: status?, headers, body: body? })
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
