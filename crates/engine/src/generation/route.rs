//! Routes, ready to run, and how they are built from a document's.

use super::build::{Problems, escaped};
use crate::http::headers::is_of_connection;
use crate::http::path::normalise_literal;
use crate::network::Networks;
use crate::observe::Serial;
use crate::plugins::{Chain, Entry, Phase};
use crate::predicate::{Expression, Predicates};
use crate::roles::Rule;
use crate::router::Turn;
use crate::snapshot;
use crate::table::Keyed;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A route, ready to run.
pub struct RouteEntry {
    pub id: Arc<str>,
    /// The route's name, for metrics; its id where it has none.
    pub name: Arc<str>,
    pub hosts: Box<[Arc<str>]>,
    pub uris: Box<[Arc<str>]>,
    pub turn: Turn,
    /// Tells it from what had its id before, for what is kept by those who read its fields.
    pub serial: Serial,
    pub service: Arc<str>,
    pub operation: Option<Arc<str>>,
    pub predicates: Predicates,
    /// The roles that callers need; none: any caller.
    pub rule: Option<Rule>,
    pub chain: Chain,
    /// Headers in which only its plugins tell the upstream of the caller.
    pub told: Box<[HeaderName]>,
    /// Alike for operations whose authentication plugins have the same settings, so that they find out the same.
    pub entrance: [u8; 32],
    pub websocket: bool,
    pub target: Target,
}

/// Where a request goes that has passed the plugins. What is named here is in the route's generation.
pub enum Target {
    /// To the upstream of this id.
    Upstream {
        upstream: Box<str>,
        strip_prefix: Box<str>,
        add_prefix: Box<str>,
    },
    Static(Box<StaticAnswer>),
    Document(Box<DocumentAnswer>),
    /// To the MCP endpoint of the app of this id.
    Mcp {
        app: Box<str>,
    },
}

/// An answer that is always the same.
pub struct StaticAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A document of which callers get the first variant that tells of nothing they may not call.
pub struct DocumentAnswer {
    pub app: Box<str>,
    pub headers: HeaderMap,
    /// With the names of the tools in it that ask for roles; the last has none.
    pub variants: Box<[(Box<[String]>, Bytes)]>,
}

impl Keyed for RouteEntry {
    fn key(&self) -> &[u8] {
        self.id.as_bytes()
    }
}

impl RouteEntry {
    /// Builds the route at the pointer `at`; none where something is wrong with its target.
    pub(super) fn build(
        route: &snapshot::Route,
        chain: Chain,
        sequence: u64,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let predicates = predicates(route, at, problems);
        let target = target(&route.target, at, problems)?;
        let id: Arc<str> = route.id.as_str().into();
        let texts = |texts: &[String]| texts.iter().map(|text| Arc::from(text.as_str())).collect();
        Some(Self {
            name: route.name.as_deref().map_or_else(|| id.clone(), Arc::from),
            id,
            hosts: texts(&route.hosts),
            uris: texts(&route.uris),
            serial: Serial::next(),
            turn: Turn { priority: route.priority, order: route.order, sequence },
            service: route.service.as_deref().or(route.api.as_deref()).map(Arc::from).unwrap_or_default(),
            operation: route.operation.as_deref().map(Arc::from),
            predicates,
            rule: route.roles.as_deref().map(Rule::new),
            told: chain.told_headers(),
            chain,
            entrance: route.operation.as_ref().map(|_| entrance(&route.plugins)).unwrap_or_default(),
            websocket: route.websocket,
            target,
        })
    }
}

fn entrance(plugins: &snapshot::PluginConfigs) -> [u8; 32] {
    let is_of_it = |name: &str| Entry::find(name).is_some_and(|entry| entry.phase == Phase::Authenticate);
    let settings: Vec<_> = plugins.iter().filter(|(name, _)| is_of_it(name)).collect();
    if settings.is_empty() {
        return [0; 32];
    }
    let text = serde_json::to_vec(&settings).unwrap_or_default();
    digest(&SHA256, &text).as_ref().first_chunk().copied().unwrap_or_default()
}

fn predicates(route: &snapshot::Route, at: &str, problems: &mut Problems) -> Predicates {
    let mut methods = Vec::with_capacity(route.methods.len());
    for name in &route.methods {
        match name.parse() {
            Ok(method) => methods.push(method),
            Err(_) => problems.add(format!("{at}/methods"), format!("{name:?} is not a method")),
        }
    }
    let addresses = Networks::parse(&route.remote_addrs)
        .map_err(|(nth, why)| problems.add(format!("{at}/remote_addrs/{nth}"), why));
    let expression = Expression::compile(&route.vars).unwrap_or_else(|wrong| {
        for (pointer, why) in wrong {
            problems.add(format!("{at}/vars{pointer}"), why);
        }
        None
    });
    let addresses = addresses.ok().filter(|networks| !networks.is_empty());
    Predicates { methods, addresses, expression }
}

fn target(target: &snapshot::Target, at: &str, problems: &mut Problems) -> Option<Target> {
    match target {
        snapshot::Target::Upstream { id, strip_prefix, add_prefix } => {
            let strip_prefix = prefix(strip_prefix, format!("{at}/target/upstream/strip_prefix"), problems);
            let add_prefix = prefix(add_prefix, format!("{at}/target/upstream/add_prefix"), problems);
            let upstream = id.as_str().into();
            Some(Target::Upstream { upstream, strip_prefix: strip_prefix?, add_prefix: add_prefix? })
        }
        snapshot::Target::Static(answer) => static_target(answer, at, problems),
        snapshot::Target::Document(document) => document_target(document, at, problems),
        snapshot::Target::Mcp { app } => Some(Target::Mcp { app: app.as_str().into() }),
    }
}

/// A prefix in the spelling of request paths, which it is compared with and put before.
fn prefix(text: &str, at: String, problems: &mut Problems) -> Option<Box<str>> {
    match normalise_literal(text) {
        Ok(spelled) => Some(spelled.into()),
        Err(error) => {
            problems.add(at, error.to_string());
            None
        }
    }
}

fn static_target(answer: &snapshot::StaticResponse, at: &str, problems: &mut Problems) -> Option<Target> {
    let at = format!("{at}/target/static");
    let headers = fixed_headers(&answer.headers, &at, problems);
    // An interim status would leave the client waiting for the response that follows it (RFC 9110 section 15.2).
    let status = StatusCode::from_u16(answer.status).ok().filter(|status| !status.is_informational());
    if status.is_none() {
        problems.add(format!("{at}/status"), format!("{} is not a final status", answer.status));
    }
    let body = match (&answer.body, &answer.body_base64) {
        (Some(text), None) => Some(Bytes::from(text.clone())),
        (None, Some(text)) => base64::engine::general_purpose::STANDARD.decode(text).ok().map(Bytes::from),
        (None, None) => Some(Bytes::new()),
        (Some(_), Some(_)) => None,
    };
    if body.is_none() {
        problems.add(at, "the body is given twice, or is not base64");
    }
    Some(Target::Static(Box::new(StaticAnswer { status: status?, headers, body: body? })))
}

fn document_target(document: &snapshot::Document, at: &str, problems: &mut Problems) -> Option<Target> {
    let at = format!("{at}/target/document");
    let headers = fixed_headers(&document.headers, &at, problems);
    if document.variants.last().is_none_or(|last| !last.tools.is_empty()) {
        problems.add(format!("{at}/variants"), "the last variant must be for everybody");
    }
    let variants = document.variants.iter();
    let variants = variants.map(|each| (each.tools.clone().into(), Bytes::from(each.body.clone()))).collect();
    Some(Target::Document(Box::new(DocumentAnswer { app: document.app.as_str().into(), headers, variants })))
}

fn fixed_headers(given: &BTreeMap<String, String>, at: &str, problems: &mut Problems) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
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
        problems.add(format!("{at}/headers/{}", escaped(name)), why);
    }
    headers
}
