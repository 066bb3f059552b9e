//! Whether everything that is needed is there: what new entries name, and what others still name that has gone.

use super::build::Builder;
use super::{RouteEntry, Target};
use crate::plugins::Chain;
use crate::snapshot::{Delta, Kind};
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
    let missed = Missed::find(delta, &put, builder);
    missed.tell(delta, builder);
}

/// Who needs what has gone.
struct Missed(HashMap<(Kind, Box<str>), Vec<String>>);

impl Missed {
    /// Looks through everything that may need what was removed, but for the apps that were `put` in, whose tools were
    /// looked at.
    fn find(delta: &Delta<'_>, put: &HashSet<String>, builder: &Builder<'_>) -> Self {
        let gone = |kind: Kind| -> HashSet<&str> {
            let removed = delta.remove.of(kind).iter().map(String::as_str);
            removed.filter(|id| !builder.has(kind, id)).collect()
        };
        let [upstreams, consumers, apps, routes] =
            [Kind::Upstreams, Kind::Consumers, Kind::Apps, Kind::Routes].map(gone);
        let mut missed = Self(HashMap::new());
        let of_chain = |missed: &mut Self, chain: &Chain, who: &dyn Fn() -> String| {
            for (_, name) in chain.anonymous_consumers().filter(|(_, name)| consumers.contains(name)) {
                missed.add(Kind::Consumers, name, who());
            }
        };
        if !(upstreams.is_empty() && consumers.is_empty() && apps.is_empty()) {
            for route in builder.draft.routes.iter() {
                let who = || named(route);
                match &route.target {
                    Target::Upstream { upstream, .. } if upstreams.contains(&**upstream) => {
                        missed.add(Kind::Upstreams, upstream, who());
                    }
                    Target::Mcp { app } if apps.contains(&**app) => missed.add(Kind::Apps, app, who()),
                    Target::Document(document) if apps.contains(&*document.app) => {
                        missed.add(Kind::Apps, &document.app, who());
                    }
                    _ => {}
                }
                of_chain(&mut missed, &route.chain, &who);
            }
        }
        for (id, chain) in builder.rules() {
            of_chain(&mut missed, chain, &|| format!("the global rule {id:?}"));
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
