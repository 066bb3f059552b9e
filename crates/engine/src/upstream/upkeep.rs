//! What goes on beside the exchanges, on one thread: names are resolved again and again, nodes are probed.
//!
//! The engine hands over each new generation's upstreams. Work that goes on from one generation to the next (a probe
//! under way, a name's answer and its time) is not begun anew, however often snapshots come.

use super::Upstream;
use super::health::prober;
use super::resolve::{self, Name};
use crate::snapshot::Dns;
use crate::state::State;
use crate::table::Table;
use hickory_resolver::TokioResolver;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::{io, thread};
use tokio::runtime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// What the thread is to look after.
#[derive(Clone, Default)]
pub struct Orders {
    pub upstreams: Table<Arc<Upstream>>,
    pub dns: Dns,
    /// Whether nodes are probed: only while the engine listens.
    pub probing: bool,
}

/// The thread. It ends when this is dropped.
pub struct Upkeep {
    orders: watch::Sender<Orders>,
}

impl Upkeep {
    /// Starts the thread, which also looks after the names of `state`.
    pub fn start(orders: Orders, state: Arc<State>) -> io::Result<Self> {
        let (sender, orders) = watch::channel(orders);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("upkeep".into()).spawn(move || runtime.block_on(work(orders, state)))?;
        Ok(Self { orders: sender })
    }

    /// Changes what is to be looked after.
    pub fn order(&self, change: impl FnOnce(&mut Orders)) {
        self.orders.send_modify(change);
    }
}

/// A task that ends when this is dropped.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The names that are followed.
struct Following {
    dns: Dns,
    resolver: Arc<TokioResolver>,
    tasks: HashMap<Box<str>, (Weak<Name>, Task)>,
    changed: Arc<Notify>,
}

async fn work(mut orders: watch::Receiver<Orders>, state: Arc<State>) {
    let changed = Arc::new(Notify::new());
    let mut following: Option<Following> = None;
    let mut probers: HashMap<String, watch::Sender<Arc<Upstream>>> = HashMap::new();
    loop {
        let current = orders.borrow_and_update().clone();
        let upstreams = &current.upstreams;
        follow(&mut following, &state, &current.dns, &changed);
        probe(&mut probers, current.probing.then_some(upstreams));
        upstreams.iter().for_each(|upstream| upstream.refresh());
        loop {
            tokio::select! {
                () = state.names.added() => follow(&mut following, &state, &current.dns, &changed),
                () = changed.notified() => upstreams.iter().for_each(|upstream| upstream.refresh()),
                ordered = orders.changed() => match ordered {
                    Ok(()) => break,
                    // The engine is gone.
                    Err(_) => return,
                },
            }
        }
    }
}

/// Starts to follow the names that are new, and stops with those that are gone.
fn follow(following: &mut Option<Following>, state: &State, dns: &Dns, changed: &Arc<Notify>) {
    let names = state.names.living();
    if names.is_empty() {
        *following = None;
        return;
    }
    if following.as_ref().is_none_or(|following| following.dns != *dns) {
        // An error was found when the generation was built, or is one of the system's files, which then say nothing.
        *following = resolve::resolver(dns).ok().map(|resolver| Following {
            dns: dns.clone(),
            resolver: Arc::new(resolver),
            tasks: HashMap::new(),
            changed: changed.clone(),
        });
    }
    if let Some(following) = following {
        let wanted: HashSet<*const Name> = names.iter().map(Arc::as_ptr).collect();
        following.tasks.retain(|_, (name, _)| wanted.contains(&name.as_ptr()));
        names.iter().for_each(|name| following.begin(name));
    }
}

impl Following {
    fn begin(&mut self, name: &Arc<Name>) {
        let Self { resolver, changed, tasks, .. } = self;
        tasks.entry(name.text.clone()).or_insert_with(|| {
            let task = resolve::follow(Arc::downgrade(name), resolver.clone(), changed.clone());
            (Arc::downgrade(name), Task(tokio::spawn(task)))
        });
    }
}

/// Gives each prober its upstream as it is now, starts those that are new and stops those that are gone.
fn probe(
    probers: &mut HashMap<String, watch::Sender<Arc<Upstream>>>,
    upstreams: Option<&Table<Arc<Upstream>>>,
) {
    let all = || upstreams.into_iter().flat_map(Table::iter);
    let checked = || all().filter(|upstream| upstream.active_checks().is_some());
    let wanted: HashSet<&str> = checked().map(|upstream| &*upstream.definition.id).collect();
    // A prober ends when its sender is gone.
    probers.retain(|id, _| wanted.contains(&**id));
    for upstream in checked() {
        match probers.get(&upstream.definition.id) {
            Some(prober) => _ = prober.send_replace(upstream.clone()),
            None => {
                let (sender, receiver) = watch::channel(upstream.clone());
                probers.insert(upstream.definition.id.clone(), sender);
                tokio::spawn(prober::run(receiver));
            }
        }
    }
}
