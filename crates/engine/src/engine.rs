//! The engine as its owner sees it: made from a snapshot, started, given new snapshots, drained.

use crate::exchange::Arrival;
use crate::generation::{BuildError, Generation};
use crate::mcp;
use crate::observe::{AccessLog, serve_metrics};
use crate::server::{Shared, WorkerThread, bind, run_once};
use crate::snapshot::{Gateway, Snapshot};
use crate::state::State;
use ::http::HeaderMap;
use arc_swap::ArcSwap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};
use tokio::sync::watch;

/// One gateway process's data plane. Every method may be called from any thread.
pub struct Engine {
    shared: Arc<Shared>,
    gateway: Gateway,
    running: Mutex<Option<Running>>,
}

struct Running {
    workers: Vec<WorkerThread>,
    metrics_server: Option<thread::JoinHandle<()>>,
    stop: watch::Sender<bool>,
    stop_metrics: watch::Sender<bool>,
    listen: Vec<SocketAddr>,
    metrics: Option<SocketAddr>,
}

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
        let (Snapshot { gateway, .. }, generation) = Generation::from_json(snapshot, &state)?;
        let access_log = match gateway.access_log.as_deref().map(AccessLog::open).transpose() {
            Ok(log) => log,
            Err(error) => {
                let why = format!("the access log cannot be opened: {error}");
                return Err(BuildError { problems: vec![("/gateway/access_log".into(), why)] });
            }
        };
        let shared = Shared {
            generation: ArcSwap::from_pointee(generation),
            state,
            access_log,
            connections: AtomicUsize::new(0),
        };
        Ok(Self { shared: Arc::new(shared), gateway, running: Mutex::new(None) })
    }

    /// Builds a snapshot and drops it.
    pub fn check(snapshot: &str) -> Result<(), BuildError> {
        Generation::from_json(snapshot, &Arc::default()).map(drop)
    }

    /// Binds every listener and starts the workers. Where one address cannot be had, nothing is started.
    pub fn start(&self) -> Result<(), StartError> {
        let mut running = self.running();
        if running.is_some() {
            return Err(StartError::Started);
        }
        let workers = self.gateway.workers.max(1);
        let mut sockets: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
        let mut listen = Vec::new();
        for address in &self.gateway.listen {
            let bound = bind(address, workers)?;
            listen.extend(bound.first().map(TcpListener::local_addr).transpose()?);
            for (sockets, listener) in sockets.iter_mut().zip(bound) {
                sockets.push(listener);
            }
        }
        let metrics = self.gateway.metrics.as_deref().map(|address| bind(address, 1)).transpose()?;
        let metrics = metrics.and_then(|mut listeners| listeners.pop());
        let metrics_address = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
        let (stop, stopped) = watch::channel(false);
        let (stop_metrics, metrics_stopped) = watch::channel(false);
        let metrics_server = metrics
            .map(|listener| serve_metrics(listener, self.shared.clone(), metrics_stopped))
            .transpose()?;
        let workers: io::Result<Vec<_>> = sockets
            .into_iter()
            .enumerate()
            .map(|(index, sockets)| WorkerThread::start(index, self.shared.clone(), sockets, stopped.clone()))
            .collect();
        *running = Some(Running {
            workers: workers?,
            metrics_server,
            stop,
            stop_metrics,
            listen,
            metrics: metrics_address,
        });
        Ok(())
    }

    /// The addresses that are listened on, in the order of `gateway.listen`.
    pub fn listen_addresses(&self) -> Vec<SocketAddr> {
        self.running().as_ref().map(|running| running.listen.clone()).unwrap_or_default()
    }

    /// The address that metrics are served on.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.running().as_ref().and_then(|running| running.metrics)
    }

    /// Swaps a snapshot in. Exchanges under way end on the one that they began with. Listeners, workers and the access
    /// log stay as they were at the start.
    pub fn apply(&self, snapshot: &str) -> Result<(), BuildError> {
        let (_, generation) = Generation::from_json(snapshot, &self.shared.state)?;
        self.shared.generation.store(Arc::new(generation));
        Ok(())
    }

    /// Opens the access log's file anew, after it was moved away. The error is that of opening it; the old file is then
    /// written on.
    pub fn reopen_logs(&self) -> io::Result<()> {
        self.shared.access_log.as_ref().map_or(Ok(()), AccessLog::reopen)
    }

    /// Stops accepting, and waits for open exchanges to end. Whether all did within `limit`; those that did not are
    /// cut off when the process ends.
    pub fn drain(&self, limit: Duration) -> bool {
        let Some(running) = self.running().take() else {
            return true;
        };
        let deadline = Instant::now() + limit;
        // Only fails where every worker has ended.
        let _ = running.stop.send(true);
        let all_ended = loop {
            if running.workers.iter().all(WorkerThread::has_ended) {
                break true;
            }
            if Instant::now() >= deadline {
                break false;
            }
            thread::sleep(Duration::from_millis(5));
        };
        if all_ended {
            running.workers.into_iter().for_each(WorkerThread::join);
        }
        let _ = running.stop_metrics.send(true);
        if let Some(server) = running.metrics_server {
            let _ = server.join();
        }
        if let Some(log) = &self.shared.access_log {
            log.close();
        }
        all_ended
    }

    /// Client connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Runs `tools/call` on the calling thread: the result object, or none for an unknown app or tool.
    pub fn call(
        &self,
        app: &str,
        tool: &str,
        arguments: &str,
        headers: HeaderMap,
    ) -> io::Result<Option<serde_json::Value>> {
        let Some(app) = self.shared.generation.load().apps.get(app).cloned() else {
            return Ok(None);
        };
        let arrival = Arrival {
            client: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            scheme: "http",
            port: 0,
            tool: None,
        };
        run_once(self.shared.clone(), |worker| async move {
            mcp::call(&worker, &app, tool, arguments, headers, arrival).await
        })
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        // The lock guards no invariant that a panic could break.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
