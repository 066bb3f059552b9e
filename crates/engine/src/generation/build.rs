//! How a snapshot becomes a generation: section by section, with every problem told at its place in the snapshot.
//!
//! Order matters: credentials are known before plugins are built, upstreams and apps before the routes that lead to
//! them. Nothing here runs while requests are served.

use super::{Consumer, Consumers, CredentialEntry, Generation, RouteEntry, Target};
use crate::http::headers::is_of_connection;
use crate::http::path::normalise_literal;
use crate::mcp::McpApp;
use crate::network::Networks;
use crate::plugins::{BuildContext, Chain, Groups, Place, Problem};
use crate::predicate::{Expression, Predicates};
use crate::router::RouterBuilder;
use crate::server::tls::TlsTable;
use crate::snapshot::{self, Snapshot};
use crate::state::State;
use crate::upstream::{self, Upstream};
use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Builds `snapshot`, or tells all that is wrong with it as (JSON pointer, message).
pub fn generation(snapshot: &Snapshot, state: &Arc<State>) -> Result<Generation, Vec<(String, String)>> {
    let mut builder = Builder { state, groups: Groups::default(), problems: Vec::new() };
    let generation = builder.generation(snapshot);
    if builder.problems.is_empty() { Ok(generation) } else { Err(builder.problems) }
}

/// A name as part of a JSON pointer (RFC 6901 section 3).
fn escaped(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) { name.replace('~', "~0").replace('/', "~1").into() } else { name.into() }
}

struct Builder<'a> {
    state: &'a Arc<State>,
    /// The groups of plugins over all places of this generation.
    groups: Groups,
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
        let trusted = Networks::parse(&snapshot.gateway.trusted_addresses).unwrap_or_else(|(nth, why)| {
            self.problem(format!("/gateway/trusted_addresses/{nth}"), why);
            Networks::default()
        });
        Generation {
            limits: snapshot.gateway.limits.clone(),
            path: snapshot.gateway.path,
            trusted,
            router: router.build(),
            routes,
            global: global.into_iter().fold(Chain::default(), |all, rule| all.followed_by(rule)),
            apps,
            upstreams: snapshot.upstreams.iter().filter_map(|one| upstreams.get(&one.id).cloned()).collect(),
            dns: snapshot.gateway.dns.clone(),
            tls: self.tls(snapshot),
        }
    }

    fn tls(&mut self, snapshot: &Snapshot) -> Arc<TlsTable> {
        let problems = &mut self.problems;
        let State { tls_entries, tickets, .. } = &**self.state;
        Arc::new(TlsTable::build(&snapshot.ssls, tls_entries, tickets, &mut |(at, why)| {
            problems.push((format!("/ssls{at}"), why));
        }))
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
        let context = BuildContext { place, consumers, state: self.state, groups: &self.groups };
        let problems = &mut self.problems;
        Chain::build(configs, &context, &mut |name, problem: Problem| {
            problems.push((format!("{at}/plugins/{}{}", escaped(name), problem.pointer), problem.why));
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
                Err((at, why)) => self.problem(format!("/upstreams/{index}{at}"), why),
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
        let predicates = self.predicates(route, at);
        let target = match &route.target {
            snapshot::Target::Upstream { id, strip_prefix, add_prefix } => {
                let Some(upstream) = upstreams.get(id) else {
                    self.problem(format!("{at}/target/upstream/id"), format!("there is no upstream {id:?}"));
                    return None;
                };
                let upstream = upstream.clone();
                let strip_prefix = self.prefix(strip_prefix, format!("{at}/target/upstream/strip_prefix"));
                let add_prefix = self.prefix(add_prefix, format!("{at}/target/upstream/add_prefix"));
                Target::Upstream { upstream, strip_prefix: strip_prefix?, add_prefix: add_prefix? }
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
            predicates,
            chain,
            websocket: route.websocket,
            target,
        })
    }

    fn predicates(&mut self, route: &snapshot::Route, at: &str) -> Predicates {
        let mut methods = Vec::with_capacity(route.methods.len());
        for name in &route.methods {
            match name.parse() {
                Ok(method) => methods.push(method),
                Err(_) => self.problem(format!("{at}/methods"), format!("{name:?} is not a method")),
            }
        }
        let addresses = Networks::parse(&route.remote_addrs)
            .map_err(|(nth, why)| self.problem(format!("{at}/remote_addrs/{nth}"), why));
        let expression = Expression::compile(&route.vars).unwrap_or_else(|problems| {
            for (pointer, why) in problems {
                self.problem(format!("{at}/vars{pointer}"), why);
            }
            None
        });
        let addresses = addresses.ok().filter(|networks| !networks.is_empty());
        Predicates { methods, addresses, expression }
    }

    /// A prefix in the spelling of request paths, which it is compared with and put before.
    fn prefix(&mut self, text: &str, at: String) -> Option<String> {
        match normalise_literal(text) {
            Ok(spelled) => Some(spelled.into_owned()),
            Err(error) => {
                self.problem(at, error.to_string());
                None
            }
        }
    }

    fn static_target(&mut self, answer: &snapshot::StaticResponse, at: &str) -> Option<Target> {
        let at = format!("{at}/target/static");
        let headers = self.static_headers(answer, &at);
        // An interim status would leave the client waiting for the response that follows it (RFC 9110 section 15.2).
        let status = StatusCode::from_u16(answer.status).ok().filter(|status| !status.is_informational());
        if status.is_none() {
            self.problem(format!("{at}/status"), format!("{} is not a final status", answer.status));
        }
        let body = match (&answer.body, &answer.body_base64) {
            (Some(text), None) => Some(Bytes::from(text.clone())),
            (None, Some(text)) => {
                base64::engine::general_purpose::STANDARD.decode(text).ok().map(Bytes::from)
            }
            (None, None) => Some(Bytes::new()),
            (Some(_), Some(_)) => None,
        };
        if body.is_none() {
            self.problem(at, "the body is given twice, or is not base64");
        }
        Some(Target::Static { status: status?, headers, body: body? })
    }

    fn static_headers(&mut self, answer: &snapshot::StaticResponse, at: &str) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(answer.headers.len());
        for (name, value) in &answer.headers {
            let why = match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                (Ok(name), _) if is_of_connection(&name) => {
                    format!("{name} belongs to the connection; the gateway sets it where it is needed")
                }
                (Ok(name), Ok(value)) => {
                    headers.append(name, value);
                    continue;
                }
                _ => format!("{name:?} is not a valid header"),
            };
            self.problem(format!("{at}/headers/{}", escaped(name)), why);
        }
        headers
    }
}

#[cfg(test)]
mod tests;
