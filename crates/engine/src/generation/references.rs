//! Whether everything that is needed is there: what new entries name, and what others still name that has gone.

use super::build::Builder;
use super::{RouteEntry, Target};
use crate::plugins::Chain;
use crate::snapshot::{Delta, Kind};
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many of those who miss the same entry are named.
const NAMED: usize = 3;

/// What the target of the route at `at` leads to.
pub fn check_target(target: &Target, at: &str, builder: &mut Builder<'_>) {
    let (kind, id, field, word) = match target {
        Target::Upstream { upstream, .. } => (Kind::Upstreams, upstream, "upstream/id", "upstream"),
        Target::Mcp { app } => (Kind::Apps, app, "mcp/app", "app"),
        Target::Document(document) => (Kind::Apps, &document.app, "document/app", "app"),
        Target::Static(_) => return,
    };
    if !builder.has(kind, id) {
        builder.problems.add(format!("{at}/target/{field}"), format!("there is no {word} {id:?}"));
    }
}

/// The operations whose shapes plugins of the chain at `at` hold requests against.
pub fn check_operations(chain: &Chain, at: &str, builder: &mut Builder<'_>) {
    for (plugin, (api, operation)) in chain.checked_operations() {
        let at = format!("{at}/plugins/{plugin}");
        let Some(found) = builder.draft.apis.get(api) else {
            if !builder.has(Kind::Apis, api) {
                builder.problems.add(format!("{at}/api"), format!("there is no api {api:?}"));
            }
            continue;
        };
        if found.operation(operation).is_none() {
            let near =
                found.near(operation).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            let why = format!("the api {api:?} has no operation {operation:?}{near}");
            builder.problems.add(format!("{at}/operation"), why);
        }
    }
}

/// The routes of new tools, and what others miss of what was removed.
pub fn check(delta: &Delta<'_>, builder: &mut Builder<'_>) {
    let mut put = HashSet::new();
    for (index, entry) in delta.put.apps.iter().enumerate() {
        let Some(app) = Kind::Apps.id_of(entry).and_then(|id| builder.draft.apps.get(&*id)) else { continue };
        let app = app.clone();
        put.insert(app.id().to_owned());
        for (nth, route) in app.routes().enumerate() {
            if !builder.has(Kind::Routes, route) {
                let at = format!("{}/apps/{index}/tools/{nth}/route", builder.put);
                builder.problems.add(at, format!("there is no route {route:?}"));
            }
        }
    }
    check_kept_operations(delta, builder);
    let missed = Missed::find(&put, builder);
    missed.tell(delta, builder);
}

/// The operations that routes which stay hold requests against, and that replaced apis may have lost.
fn check_kept_operations(delta: &Delta<'_>, builder: &mut Builder<'_>) {
    if delta.put.apis.is_empty() {
        return;
    }
    let ids = |kind: Kind, entries: &[&'_ RawValue]| -> Vec<String> {
        entries.iter().map(|entry| kind.id_of(entry).unwrap_or_default().into_owned()).collect()
    };
    let apis = ids(Kind::Apis, &delta.put.apis);
    let new: HashSet<String> = ids(Kind::Routes, &delta.put.routes).into_iter().collect();
    let mut lost = Vec::new();
    for route in builder.draft.routes.iter().filter(|route| !new.contains(&*route.id)) {
        for (_, (api, operation)) in route.chain.checked_operations() {
            let Some(index) = apis.iter().position(|id| id == api) else { continue };
            let found = builder.draft.apis.get(api);
            if found.is_some_and(|found| found.operation(operation).is_none()) {
                let at = format!("{}/apis/{index}/operations", builder.put);
                lost.push((at, format!("{operation:?} is needed by {}", named(route))));
            }
        }
    }
    lost.into_iter().for_each(|(at, why)| builder.problems.add(at, why));
}

/// Who needs what has gone.
struct Missed(HashMap<(Kind, Box<str>), Vec<String>>);

impl Missed {
    /// Looks through everything that may need what was removed, but for the apps that were `put` in, whose tools were
    /// looked at.
    fn find(put: &HashSet<String>, builder: &Builder<'_>) -> Self {
        let [upstreams, apps, apis, routes] =
            [Kind::Upstreams, Kind::Apps, Kind::Apis, Kind::Routes].map(|kind| builder.gone(kind));
        let mut missed = Self(HashMap::new());
        if !(upstreams.is_empty() && apps.is_empty() && apis.is_empty()) {
            for route in builder.draft.routes.iter() {
                match &route.target {
                    Target::Upstream { upstream, .. } if upstreams.contains(&**upstream) => {
                        missed.add(Kind::Upstreams, upstream, named(route));
                    }
                    Target::Mcp { app } if apps.contains(&**app) => missed.add(Kind::Apps, app, named(route)),
                    Target::Document(document) if apps.contains(&*document.app) => {
                        missed.add(Kind::Apps, &document.app, named(route));
                    }
                    _ => {}
                }
                for (_, (api, _)) in
                    route.chain.checked_operations().filter(|(_, (api, _))| apis.contains(api))
                {
                    missed.add(Kind::Apis, api, named(route));
                }
            }
        }
        for app in builder.draft.apps.iter().filter(|app| !routes.is_empty() && !put.contains(app.id())) {
            let mut needed: Vec<&str> = app.routes().filter(|route| routes.contains(route)).collect();
            needed.sort_unstable();
            needed.dedup();
            needed
                .into_iter()
                .for_each(|route| missed.add(Kind::Routes, route, format!("the app {:?}", app.id())));
        }
        missed
    }

    fn add(&mut self, kind: Kind, id: &str, who: String) {
        self.0.entry((kind, id.into())).or_default().push(who);
    }

    /// Tells it where the removal stands.
    fn tell(mut self, delta: &Delta<'_>, builder: &mut Builder<'_>) {
        for kind in Kind::ALL {
            for (index, id) in delta.remove.of(kind).iter().enumerate() {
                let Some(mut who) = self.0.remove(&(kind, id.as_str().into())) else { continue };
                who.sort_unstable();
                let more = who.len().saturating_sub(NAMED);
                who.truncate(NAMED);
                let mut who = who.join(", ");
                if more > 0 {
                    who = format!("{who} and {more} more");
                }
                builder
                    .problems
                    .add(format!("/remove/{}/{index}", kind.section()), format!("{id:?} is needed by {who}"));
            }
        }
    }
}

fn named(route: &Arc<RouteEntry>) -> String {
    format!("the route {:?}", route.id)
}
