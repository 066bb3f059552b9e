//! A worker: one thread, one current-thread runtime, its own listeners and pool.

use super::connection;
use super::connections::{Connections, Queue};
use super::listener::Listener;
use crate::error::ProxyError;
use crate::generation::Generation;
use crate::observe::{AccessLog, Record};
use crate::plugins::Signatures;
use crate::state::State;
use crate::upstream::Pool;
use arc_swap::ArcSwap;
use std::future::Future;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use std::{io, thread};
use tokio::runtime::{self, LocalOptions, LocalRuntime};
use tokio::sync::{Semaphore, watch};

/// How often idle upstream connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How often a worker that stops looks whether its tunnels have ended.
const TUNNEL_LOOK: Duration = Duration::from_millis(20);

/// What all workers share.
pub struct Shared {
    pub generation: ArcSwap<Generation>,
    pub state: Arc<State>,
    pub access_log: Option<AccessLog>,
    /// Client connections that are open.
    pub connections: Arc<Connections>,
    /// Whether new requests are wanted: from the end of the start to the beginning of the end.
    pub ready: AtomicBool,
}

/// What an exchange finds at its worker.
pub struct Worker {
    pub shared: Arc<Shared>,
    pub pool: Pool,
    pub signatures: Signatures,
    /// One turn for each TLS handshake under way.
    pub handshakes: Semaphore,
    /// Held by each connection that has changed protocol.
    pub tunnels: Rc<()>,
}

impl Worker {
    pub fn new(shared: Arc<Shared>) -> Rc<Self> {
        let handshakes = Semaphore::new(shared.generation.load().limits.handshakes.max(1));
        Rc::new(Self {
            shared,
            pool: Pool::default(),
            signatures: Signatures::default(),
            handshakes,
            tunnels: Rc::default(),
        })
    }

    /// The generation that new exchanges run on.
    pub fn generation(&self) -> Arc<Generation> {
        self.shared.generation.load_full()
    }

    /// Counts the exchange and writes its line to the access log.
    pub fn log(&self, record: &Record) {
        self.shared.state.metrics.count_exchange(record);
        if let Some(log) = &self.shared.access_log {
            log.write(record);
        }
    }

    /// Counts an error, whether the client sees it or another node is tried.
    pub fn report(&self, error: &ProxyError) {
        self.shared.state.metrics.count_error(error.kind.code());
    }
}

/// A running worker.
pub struct WorkerThread {
    handle: thread::JoinHandle<()>,
}

impl WorkerThread {
    /// Starts a worker that takes connections from `listeners` and other workers until `stop` turns true, and then
    /// finishes those it has.
    pub fn start(
        index: usize,
        shared: Arc<Shared>,
        listeners: Vec<Listener>,
        queue: Queue,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        // The runtime cannot leave its thread, so the thread says whether it has one.
        let (built, is_built) = mpsc::channel();
        let handle = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            let runtime = match current_thread() {
                Ok(runtime) => runtime,
                Err(error) => return drop(built.send(Err(error))),
            };
            // Only fails where nobody waits for the answer.
            let _ = built.send(Ok(()));
            runtime.block_on(serve(Worker::new(shared), index, listeners, queue, stop));
        })?;
        is_built.recv().unwrap_or_else(|_| Err(io::Error::other("the worker ended as it started")))?;
        Ok(Self { handle })
    }

    pub fn has_ended(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits for the thread to end.
    pub fn join(self) {
        // A worker that panicked has ended too.
        let _ = self.handle.join();
    }
}

/// Runs one future with a worker of its own on the calling thread, without listeners.
pub fn run_once<F: Future>(shared: Arc<Shared>, run: impl FnOnce(Rc<Worker>) -> F) -> io::Result<F::Output> {
    Ok(current_thread()?.block_on(run(Worker::new(shared))))
}

fn current_thread() -> io::Result<LocalRuntime> {
    runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

async fn serve(
    worker: Rc<Worker>,
    index: usize,
    listeners: Vec<Listener>,
    queue: Queue,
    mut stop: watch::Receiver<bool>,
) {
    let sweeper = worker.clone();
    let sweep = tokio::task::spawn_local(async move {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            sweeper.pool.sweep();
        }
    });
    let mut connections: Vec<_> = listeners
        .into_iter()
        .map(|listener| connection::accept(worker.clone(), index, listener, stop.clone()))
        .map(tokio::task::spawn_local)
        .collect();
    connections.push(tokio::task::spawn_local(connection::take(worker.clone(), queue, stop.clone())));
    // An error means that the engine is gone, which stops the worker too.
    let _ = stop.wait_for(|stop| *stop).await;
    for accepting in connections {
        let _ = accepting.await;
    }
    while Rc::strong_count(&worker.tunnels) > 1 {
        tokio::time::sleep(TUNNEL_LOOK).await;
    }
    sweep.abort();
}
