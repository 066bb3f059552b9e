//! How a generation changes by a delta, with every problem told at its place in the document.
//!
//! First everything that goes or is replaced steps out, so that what it held (a key, a server name, a place in a group)
//! is free for others of the same delta. Then what comes is built and steps in, kind by kind, each after what it needs.
//! At last it is asked whether anything is missed that has gone. The draft shares all else with the generation that it
//! was copied from, and is dropped where there is a problem.

use super::consumers::Consumer;
use super::references;
use super::{Generation, RouteEntry, Rule};
use crate::api::Api;
use crate::mcp::McpApp;
use crate::network::Networks;
use crate::plugins::{BuildContext, Chain, Joining, Place, Problem};
use crate::server::tls::{TlsEntry, TlsTable};
use crate::snapshot::{self, Delta, Gateway, Kind, decode};
use crate::state::State;
use crate::upstream::{self, Upstream};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// All that is wrong, as JSON pointers and messages.
#[derive(Default)]
pub struct Problems(Vec<(String, String)>);

impl Problems {
    pub fn add(&mut self, at: String, why: impl Into<String>) {
        self.0.push((at, why.into()));
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// Changes `draft`, or tells all that is wrong. `put` is the pointer to where the entries stand; `built` has
/// certificates that need not be built again.
pub fn changed(
    draft: Generation,
    delta: &Delta<'_>,
    put: &'static str,
    state: &Arc<State>,
    built: &TlsTable,
) -> Result<Generation, Vec<(String, String)>> {
    let mut builder = Builder::new(draft, put, state, built);
    if let Some(gateway) = &delta.gateway {
        builder.settings(gateway);
    }
    builder.step_out(delta);
    for kind in Kind::ALL {
        builder.step_in(kind, delta.put.of(kind));
    }
    references::check(delta, &mut builder);
    builder.finish()
}

/// A name as part of a JSON pointer (RFC 6901 section 3).
pub fn escaped(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) { name.replace('~', "~0").replace('/', "~1").into() } else { name.into() }
}

/// The generation while it changes. What has a problem does not step in.
pub struct Builder<'a> {
    pub draft: Generation,
    pub put: &'static str,
    pub problems: Problems,
    state: &'a Arc<State>,
    groups: Joining,
    tls: TlsTable,
    built: &'a TlsTable,
    rules: Vec<Rule>,
    /// The sequences of what was replaced, which what takes its place keeps.
    sequences: HashMap<(Kind, String), u64>,
    /// Entries that were there and are removed.
    removed: HashSet<(Kind, String)>,
    /// Consumers that went, of whom others of the same name inherit.
    replaced: HashMap<Arc<str>, Arc<Consumer>>,
    /// Entries that could not be built; that they are missing is no problem of those who need them.
    failed: HashSet<(Kind, String)>,
}

impl<'a> Builder<'a> {
    fn new(mut draft: Generation, put: &'static str, state: &'a Arc<State>, built: &'a TlsTable) -> Self {
        Self {
            groups: Joining::new(std::mem::take(&mut draft.groups)),
            tls: TlsTable::clone(&draft.tls),
            built,
            rules: draft.rules.to_vec(),
            draft,
            put,
            problems: Problems::default(),
            state,
            sequences: HashMap::new(),
            removed: HashSet::new(),
            replaced: HashMap::new(),
            failed: HashSet::new(),
        }
    }

    fn settings(&mut self, gateway: &Gateway) {
        let problems = &mut self.problems;
        if let Err(why) = upstream::name_servers(&gateway.dns) {
            problems.add("/gateway/dns/nameservers".to_owned(), why);
        }
        let trusted = Networks::parse(&gateway.trusted_addresses);
        self.draft.trusted = trusted.unwrap_or_else(|(nth, why)| {
            problems.add(format!("/gateway/trusted_addresses/{nth}"), why);
            Networks::default()
        });
        self.draft.limits = gateway.limits.clone();
        self.draft.path = gateway.path;
        self.draft.roles_claim = gateway.roles_claim.as_str().into();
        if self.draft.dns != gateway.dns {
            self.draft.dns = gateway.dns.clone();
            self.draft.upkeep = self.draft.number;
        }
    }

    fn step_out(&mut self, delta: &Delta<'_>) {
        for kind in Kind::ALL {
            for id in delta.remove.of(kind) {
                if self.has(kind, id) {
                    self.take_out(kind, id);
                    self.removed.insert((kind, id.clone()));
                }
            }
            let mut ids = HashSet::new();
            for (index, entry) in delta.put.of(kind).iter().enumerate() {
                // Where there is none to be read, building the entry will tell.
                let Some(id) = kind.id_of(entry) else { continue };
                if let Some(sequence) = self.take_out(kind, &id) {
                    self.sequences.insert((kind, id.to_string()), sequence);
                }
                let (section, field) = (kind.section(), kind.id_field());
                if ids.contains(&id) {
                    let why = format!("there are two {section} with the {field} {id:?}");
                    self.problems.add(format!("{}/{section}/{index}/{field}", self.put), why);
                }
                ids.insert(id);
            }
        }
    }

    /// Takes out the entry, where there is one, with all that it holds; gives its sequence where the kind has any.
    fn take_out(&mut self, kind: Kind, id: &str) -> Option<u64> {
        let draft = &mut self.draft;
        match kind {
            Kind::Upstreams => {
                draft.upstreams.remove(id)?;
                draft.upkeep = draft.number;
            }
            Kind::Consumers => {
                let consumer = draft.consumers.remove(id)?;
                self.groups.leave(&Place::Consumer(consumer.username.clone()));
                self.replaced.insert(consumer.username.clone(), consumer);
            }
            Kind::Apps => _ = draft.apps.remove(id)?,
            Kind::Apis => _ = draft.apis.remove(id)?,
            Kind::Routes => {
                let route = draft.routes.remove(id)?;
                draft.router.remove(&route.hosts, &route.uris, route.turn);
                self.groups.leave(&Place::Route(route.id.clone()));
                return Some(route.turn.sequence);
            }
            Kind::GlobalRules => {
                let at = self.rules.iter().position(|rule| *rule.id == *id)?;
                let rule = self.rules.remove(at);
                self.groups.leave(&Place::GlobalRule(rule.id));
                return Some(rule.sequence);
            }
            Kind::Ssls => self.tls.remove(id),
        }
        None
    }

    fn step_in(&mut self, kind: Kind, entries: &[&RawValue]) {
        for (index, entry) in entries.iter().enumerate() {
            let at = format!("{}/{}/{index}", self.put, kind.section());
            let before = self.problems.len();
            match kind {
                Kind::Upstreams => self.upstream(entry, &at),
                Kind::Consumers => self.consumer(entry, &at),
                Kind::Apps => self.app(entry, &at),
                Kind::Apis => self.api(entry, &at),
                Kind::Routes => self.route(entry, &at),
                Kind::GlobalRules => self.rule(entry, &at),
                Kind::Ssls => self.ssl(entry, &at),
            }
            if self.problems.len() > before
                && let Some(id) = kind.id_of(entry)
            {
                self.failed.insert((kind, id.into_owned()));
            }
        }
    }

    fn decoded<'e, T: serde::Deserialize<'e>>(&mut self, entry: &'e RawValue, at: &str) -> Option<T> {
        decode(entry.get()).map_err(|(pointer, why)| self.problems.add(format!("{at}{pointer}"), why)).ok()
    }

    fn upstream(&mut self, entry: &RawValue, at: &str) {
        let Some(definition) = self.decoded(entry, at) else { return };
        match Upstream::build(definition, self.state) {
            Ok(upstream) => {
                self.draft.upstreams.insert(Arc::new(upstream));
                self.draft.upkeep = self.draft.number;
            }
            Err((pointer, why)) => self.problems.add(format!("{at}{pointer}"), why),
        }
    }

    fn consumer(&mut self, entry: &RawValue, at: &str) {
        let Some(consumer) = self.decoded::<snapshot::Consumer>(entry, at) else { return };
        let before = self.problems.len();
        let chain = self.chain(&consumer.plugins, &Place::Consumer(consumer.username.as_str().into()), at);
        let mut problem = |pointer, why| self.problems.add(format!("{at}{pointer}"), why);
        let consumer = Consumer::build(&consumer, chain, self.state, &mut problem);
        if let Some(before) = self.replaced.remove(&*consumer.username) {
            consumer.inherit(&before);
        }
        if self.problems.len() == before {
            let mut problem = |pointer, why| self.problems.add(format!("{at}{pointer}"), why);
            self.draft.consumers.insert(consumer, &mut problem);
        }
    }

    fn app(&mut self, entry: &RawValue, at: &str) {
        let Some(app) = self.decoded(entry, at) else { return };
        match McpApp::build(&app) {
            Ok(app) => _ = self.draft.apps.insert(Arc::new(app)),
            Err(problems) => {
                for (pointer, why) in problems {
                    self.problems.add(format!("{at}{pointer}"), why);
                }
            }
        }
    }

    fn api(&mut self, entry: &RawValue, at: &str) {
        let Some(api) = self.decoded::<snapshot::Api>(entry, at) else { return };
        match Api::build(api) {
            Ok(api) => _ = self.draft.apis.insert(Arc::new(api)),
            Err((pointer, why)) => self.problems.add(format!("{at}{pointer}"), why),
        }
    }

    fn route(&mut self, entry: &RawValue, at: &str) {
        let Some(route) = self.decoded::<snapshot::Route>(entry, at) else { return };
        let before = self.problems.len();
        let chain = self.chain(&route.plugins, &Place::Route(route.id.as_str().into()), at);
        let sequence = self.sequence(Kind::Routes, &route.id);
        let Some(route) = RouteEntry::build(&route, chain, sequence, at, &mut self.problems) else { return };
        references::check_target(&route.target, at, self);
        let route = Arc::new(route);
        if let Err(error) = self.draft.router.insert(&route.hosts, &route.uris, route.turn, &route) {
            self.problems.add(format!("{at}/uris"), error.to_string());
        }
        if self.problems.len() == before {
            self.draft.routes.insert(route);
        }
    }

    fn rule(&mut self, entry: &RawValue, at: &str) {
        let Some(rule) = self.decoded::<snapshot::GlobalRule>(entry, at) else { return };
        let before = self.problems.len();
        let sequence = self.sequence(Kind::GlobalRules, &rule.id);
        let id: Arc<str> = rule.id.into();
        let chain = self.chain(&rule.plugins, &Place::GlobalRule(id.clone()), at);
        if self.problems.len() == before {
            self.rules.push(Rule { id, sequence, chain });
        }
    }

    fn ssl(&mut self, entry: &RawValue, at: &str) {
        // One that stays was good when it came, and goes on when it has expired since: a reload is no time to lose it.
        let same = Kind::Ssls.id_of(entry).and_then(|id| self.built.same(&id, entry.get()));
        let ssl = if same.is_none() { self.decoded::<snapshot::Ssl>(entry, at) } else { None };
        let problems = &mut self.problems;
        let mut problem = |(pointer, why)| problems.add(format!("{at}{pointer}"), why);
        let built = ssl.and_then(|ssl| TlsEntry::build(&ssl, entry.get(), &self.state.tickets, &mut problem));
        if let Some(entry) = same.or(built) {
            self.tls.insert(entry, &mut problem);
        }
    }

    /// Builds plugins.
    fn chain(&mut self, configs: &snapshot::PluginConfigs, place: &Place, at: &str) -> Chain {
        let context = BuildContext { place, state: self.state, groups: &self.groups };
        let problems = &mut self.problems;
        let chain = Chain::build(configs, &context, &mut |name, problem: Problem| {
            problems.add(format!("{at}/plugins/{}{}", escaped(name), problem.pointer), problem.why);
        });
        references::check_operations(&chain, at, self);
        chain
    }

    /// The place in the order of a new entry, or that of the entry which it replaces.
    fn sequence(&mut self, kind: Kind, id: &str) -> u64 {
        self.sequences.remove(&(kind, id.to_owned())).unwrap_or_else(|| {
            self.draft.sequence += 1;
            self.draft.sequence
        })
    }

    /// Whether there is such an entry, or would be if it could be built.
    pub fn has(&self, kind: Kind, id: &str) -> bool {
        let is_there = match kind {
            Kind::Upstreams => self.draft.upstreams.contains(id),
            Kind::Consumers => self.draft.consumers.by_name(id).is_some(),
            Kind::Apps => self.draft.apps.contains(id),
            Kind::Apis => self.draft.apis.contains(id),
            Kind::Routes => self.draft.routes.contains(id),
            Kind::GlobalRules => self.rules.iter().any(|rule| *rule.id == *id),
            Kind::Ssls => self.tls.contains(id),
        };
        is_there || (!self.failed.is_empty() && self.failed.contains(&(kind, id.to_owned())))
    }

    /// Those of a kind that were there, were removed, and have not come anew.
    pub fn gone(&self, kind: Kind) -> HashSet<&str> {
        let removed = self.removed.iter().filter(|(of, id)| *of == kind && !self.has(kind, id));
        removed.map(|(_, id)| id.as_str()).collect()
    }

    fn finish(mut self) -> Result<Generation, Vec<(String, String)>> {
        let Problems(problems) = self.problems;
        if !problems.is_empty() {
            return Err(problems);
        }
        self.rules.sort_by_key(|rule| rule.sequence);
        let global = Chain::concatenated(self.rules.iter().map(|rule| &rule.chain));
        Ok(Generation {
            told: global.told_headers().into(),
            global_within: global.without_limits_of(&global),
            global,
            rules: self.rules.into(),
            tls: Arc::new(self.tls),
            groups: self.groups.into_groups(),
            ..self.draft
        })
    }
}
