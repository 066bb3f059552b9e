//! The engine as its owner sees it: made from a snapshot, started, given new snapshots, drained.

use crate::control::serve_control;
use crate::exchange::Arrival;
use crate::generation::{BuildError, Generation};
use crate::mcp;
use crate::observe::{AccessLog, serve_metrics};
use crate::server::{
    Connections, Listener, Queue, Shared, WorkerThread, bind, most_files, raise_most_files, run_once,
};
use crate::snapshot::Gateway;
use crate::state::State;
use crate::upstream::{Orders, Upkeep};
use ::http::HeaderMap;
use arc_swap::ArcSwap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};
use tokio::sync::watch;

/// One gateway process's data plane. Every method may be called from any thread.
pub struct Engine {
    shared: Arc<Shared>,
    gateway: Gateway,
    upkeep: Upkeep,
    swapping: Mutex<()>,
    life: Mutex<Life>,
}

enum Life {
    /// With each worker's queue of connections.
    Built(Vec<Queue>),
    Running(Running),
    Drained,
}

struct Running {
    workers: Vec<WorkerThread>,
    /// Those that serve metrics and control; they go on until all exchanges have ended.
    aside: Vec<thread::JoinHandle<()>>,
    stop: watch::Sender<bool>,
    stop_aside: watch::Sender<bool>,
    listen: Vec<SocketAddr>,
    tls_listen: Vec<SocketAddr>,
    metrics: Option<SocketAddr>,
    control: Option<SocketAddr>,
}

/// A generation that could take the place of the one that it was made of.
pub struct Prepared {
    /// The number of that one.
    base: u64,
    generation: Arc<Generation>,
}

/// What was prepared is based on what no longer runs.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has changed since this was prepared; prepare it again")]
pub struct StaleError;

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the engine has been started before")]
    Started,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Engine {
    /// Builds a snapshot (JSON text) without listening.
    pub fn new(snapshot: &str) -> Result<Self, BuildError> {
        let state = Arc::new(State::default());
        let (gateway, generation) = Generation::from_json(snapshot, &state)?;
        let access_log = match gateway.access_log.as_deref().map(AccessLog::open).transpose() {
            Ok(log) => log,
            Err(error) => {
                let why = format!("the access log cannot be opened: {error}");
                return Err(BuildError { problems: vec![("/gateway/access_log".into(), why)] });
            }
        };
        let upkeep = Upkeep::start(orders(&generation, false), state.clone()).map_err(|error| {
            let why = format!("the thread that resolves names cannot be started: {error}");
            BuildError { problems: vec![(String::new(), why)] }
        })?;
        // Each connection may need another one to an upstream.
        let (connections, queues) = Connections::new(gateway.workers.max(1), most_files() / 2);
        let shared = Shared {
            generation: ArcSwap::from_pointee(generation),
            state,
            access_log,
            connections,
            ready: AtomicBool::new(false),
        };
        Ok(Self {
            shared: Arc::new(shared),
            gateway,
            upkeep,
            swapping: Mutex::default(),
            life: Mutex::new(Life::Built(queues)),
        })
    }

    /// Builds a snapshot and drops it.
    pub fn check(snapshot: &str) -> Result<(), BuildError> {
        Generation::from_json(snapshot, &Arc::default()).map(drop)
    }

    /// Binds every listener and starts the workers. Where one address cannot be had, nothing is started.
    pub fn start(&self) -> Result<(), StartError> {
        self.listen(false)
    }

    /// Like [`Engine::start`], but beside a gateway of the same user that has the same addresses, to take over from it.
    pub fn start_beside(&self) -> Result<(), StartError> {
        self.listen(true)
    }

    fn listen(&self, beside: bool) -> Result<(), StartError> {
        let mut life = self.life();
        let Life::Built(queues) = &mut *life else {
            return Err(StartError::Started);
        };
        raise_most_files();
        let mut sockets: Vec<Vec<Listener>> = queues.iter().map(|_| Vec::new()).collect();
        let listen = listen_on(&self.gateway.listen, false, beside, &mut sockets)?;
        let tls_listen = listen_on(&self.gateway.tls_listen, true, beside, &mut sockets)?;
        let (metrics, metrics_address) = bind_one(self.gateway.metrics.as_deref(), beside)?;
        let (control, control_address) = bind_one(self.gateway.control.as_deref(), beside)?;
        let (stop, stopped) = watch::channel(false);
        let (stop_aside, aside_stopped) = watch::channel(false);
        let mut aside = Vec::new();
        if let Some(listener) = metrics {
            aside.push(serve_metrics(listener, self.shared.clone(), aside_stopped.clone())?);
        }
        if let Some(listener) = control {
            aside.push(serve_control(listener, self.shared.clone(), aside_stopped)?);
        }
        let workers: io::Result<Vec<_>> = std::mem::take(queues)
            .into_iter()
            .zip(sockets)
            .enumerate()
            .map(|(index, (queue, sockets))| {
                WorkerThread::start(index, self.shared.clone(), sockets, queue, stopped.clone())
            })
            .collect();
        *life = Life::Running(Running {
            workers: workers?,
            aside,
            stop,
            stop_aside,
            listen,
            tls_listen,
            metrics: metrics_address,
            control: control_address,
        });
        self.upkeep.order(|orders| orders.probing = true);
        self.shared.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// The addresses that are listened on, in the order of `gateway.listen`.
    pub fn listen_addresses(&self) -> Vec<SocketAddr> {
        match &*self.life() {
            Life::Running(running) => running.listen.clone(),
            Life::Built(_) | Life::Drained => Vec::new(),
        }
    }

    /// The addresses of TLS listeners, in the order of `gateway.tls_listen`.
    pub fn tls_listen_addresses(&self) -> Vec<SocketAddr> {
        match &*self.life() {
            Life::Running(running) => running.tls_listen.clone(),
            Life::Built(_) | Life::Drained => Vec::new(),
        }
    }

    /// The address that metrics are served on.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        match &*self.life() {
            Life::Running(running) => running.metrics,
            Life::Built(_) | Life::Drained => None,
        }
    }

    /// The address of the control listener.
    pub fn control_address(&self) -> Option<SocketAddr> {
        match &*self.life() {
            Life::Running(running) => running.control,
            Life::Built(_) | Life::Drained => None,
        }
    }

    /// Swaps a snapshot in. Exchanges under way end on the one that they began with. Listeners, workers and the access
    /// log stay as they were at the start.
    pub fn apply(&self, snapshot: &str) -> Result<(), BuildError> {
        let before = self.shared.generation.load_full();
        let generation = Arc::new(before.replaced(snapshot, &self.shared.state)?);
        drop(before);
        let _turn = self.turn();
        let before = self.swap(generation.clone());
        // After the swap, so that no use is missed; what is prepared has inherited then.
        generation.consumers.inherit(&before.consumers);
        Ok(())
    }

    /// Builds a delta (JSON text) onto what runs now, without changing that. What the delta does not name is shared.
    pub fn prepare(&self, delta: &str) -> Result<Prepared, BuildError> {
        let base = self.shared.generation.load_full();
        let generation = base.changed(delta, &self.shared.state)?;
        Ok(Prepared { base: base.number, generation: Arc::new(generation) })
    }

    /// Swaps in what was prepared, as [`Engine::apply`] does.
    ///
    /// # Errors
    /// Something else was swapped in since; nothing changes then.
    pub fn commit(&self, prepared: &Prepared) -> Result<(), StaleError> {
        let _turn = self.turn();
        if self.shared.generation.load().number != prepared.base {
            return Err(StaleError);
        }
        self.swap(prepared.generation.clone());
        Ok(())
    }

    /// One swap at a time, so that the upkeep hears of them in their order.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.swapping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives what ran before.
    fn swap(&self, generation: Arc<Generation>) -> Arc<Generation> {
        let before = self.shared.generation.swap(generation.clone());
        if before.upkeep != generation.upkeep {
            let new = orders(&generation, false);
            self.upkeep.order(|orders| *orders = Orders { probing: orders.probing, ..new });
        }
        before
    }

    /// Opens the access log's file anew, after it was moved away. The error is that of opening it; the old file is then
    /// written on.
    pub fn reopen_logs(&self) -> io::Result<()> {
        self.shared.access_log.as_ref().map_or(Ok(()), AccessLog::reopen)
    }

    /// Tells the metrics when lists of addresses were last read, by source, in seconds since 1970.
    pub fn tell_address_lists(&self, read: Vec<(String, i64)>) {
        self.shared.state.metrics.set_address_lists(read);
    }

    /// Turns readiness false, stops accepting, and waits for open exchanges to end. Whether all did within `limit`;
    /// those that did not are cut off when the process ends.
    pub fn drain(&self, limit: Duration) -> bool {
        let Life::Running(running) = std::mem::replace(&mut *self.life(), Life::Drained) else {
            return true;
        };
        self.shared.ready.store(false, Ordering::Release);
        let deadline = Instant::now().checked_add(limit);
        // Only fails where every worker has ended.
        let _ = running.stop.send(true);
        let all_ended = loop {
            if running.workers.iter().all(WorkerThread::has_ended) {
                break true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break false;
            }
            thread::sleep(Duration::from_millis(5));
        };
        if all_ended {
            running.workers.into_iter().for_each(WorkerThread::join);
        }
        self.upkeep.order(|orders| orders.probing = false);
        let _ = running.stop_aside.send(true);
        for server in running.aside {
            let _ = server.join();
        }
        if let Some(log) = &self.shared.access_log {
            log.close();
        }
        all_ended
    }

    /// Client connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.connections.total()
    }

    /// Runs `tools/call` on the calling thread: the result object, or none for an unknown app or tool.
    pub fn call(
        &self,
        app: &str,
        tool: &str,
        arguments: &str,
        headers: HeaderMap,
    ) -> io::Result<Option<serde_json::Value>> {
        let generation = self.shared.generation.load_full();
        let Some(app) = generation.apps.get(app).cloned() else {
            return Ok(None);
        };
        let arrival = Arrival::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "http", 0);
        run_once(self.shared.clone(), |worker| async move {
            mcp::call(&worker, &generation, &app, tool, arguments, headers, arrival).await
        })
    }

    /// When the credential `id` of the consumer was last used, in seconds since 1970, to the minute; none: never since the
    /// gateway was started, or there is no such credential.
    pub fn last_use(&self, username: &str, id: &str) -> Option<u64> {
        self.shared.generation.load().consumers.by_name(username)?.last_use(id)
    }

    /// The entries of `tools/list` that a caller with these headers is shown, asked for on the calling thread; none for an
    /// app that is unknown or has no endpoint. The error within is the refusal.
    pub fn tools(
        &self,
        app: &str,
        headers: HeaderMap,
    ) -> io::Result<Option<Result<Vec<serde_json::Value>, String>>> {
        let generation = self.shared.generation.load_full();
        let arrival = Arrival::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "http", 0);
        run_once(self.shared.clone(), |worker| async move {
            mcp::list(&worker, &generation, app, headers, arrival).await
        })
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        // The lock guards no invariant that a panic could break.
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Binds each address once for each worker, whose list of listeners grows by it. Gives the bound addresses.
fn listen_on(
    addresses: &[String],
    is_tls: bool,
    beside: bool,
    workers: &mut [Vec<Listener>],
) -> io::Result<Vec<SocketAddr>> {
    let mut listen = Vec::with_capacity(addresses.len());
    for address in addresses {
        let bound = bind(address, workers.len(), beside)?;
        listen.extend(bound.first().map(TcpListener::local_addr).transpose()?);
        for (listeners, socket) in workers.iter_mut().zip(bound) {
            listeners.push(Listener { socket, is_tls });
        }
    }
    Ok(listen)
}

fn orders(generation: &Generation, probing: bool) -> Orders {
    Orders { upstreams: generation.upstreams.clone(), dns: generation.dns.clone(), probing }
}

fn bind_one(address: Option<&str>, beside: bool) -> io::Result<(Option<TcpListener>, Option<SocketAddr>)> {
    let listener =
        address.map(|address| bind(address, 1, beside)).transpose()?.and_then(|mut bound| bound.pop());
    let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
    Ok((listener, address))
}

#[cfg(test)]
mod tests;
