//! Client connections: accepted, secured where the listener says so, spoken HTTP on, and brought to an end when the
//! worker stops.

use super::activity::{Activity, GRACE};
use super::client::ClientStream;
use super::connections::{Accepted, Queue, Slot};
use super::listener::Listener;
use super::worker::Worker;
use super::{http1, http2, opening, tls};
use crate::exchange::Arrival;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a client may take nothing of its answer, as nginx has it by default.
const WRITE_PATIENCE: Duration = Duration::from_secs(60);

/// Accepts connections until `stop` turns true, then waits for the open ones to finish. `index` is the worker's number.
pub async fn accept(worker: Rc<Worker>, index: usize, listener: Listener, stop: watch::Receiver<bool>) {
    let mut stopping = stop.clone();
    let Listener { socket, is_tls } = listener;
    let (Ok(address), Ok(listener)) = (socket.local_addr(), TcpListener::from_std(socket)) else {
        return;
    };
    let door = Door { worker, index, port: address.port(), is_tls, stop };
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => door.enter(stream, client, &mut open),
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = open.join_next() => {}
            _ = stopping.wait_for(|stop| *stop) => break,
        }
    }
    // The queue of the kernel is taken over, so that nobody who connected in time is turned away. The socket itself is
    // asked, since the runtime may not have heard yet of those who came last.
    if let Ok(listener) = listener.into_std() {
        while let Some((stream, client)) = next_waiting(&listener) {
            door.enter(stream, client, &mut open);
        }
    }
    while open.join_next().await.is_some() {}
}

/// Serves connections that other workers accepted until `stop` turns true, then waits for the open ones to finish.
pub async fn take(worker: Rc<Worker>, mut queue: Queue, stop: watch::Receiver<bool>) {
    let mut stopping = stop.clone();
    let mut open = JoinSet::new();
    let begin = |accepted: Accepted, open: &mut JoinSet<()>| {
        let Accepted { stream, client, port, is_tls, slot } = accepted;
        // Fails where the process has no memory left for it, and then the client sees a closed connection.
        if let Ok(stream) = TcpStream::from_std(stream) {
            let arrival = arrival(client, port, is_tls);
            open.spawn_local(serve(worker.clone(), stream, arrival, slot, stop.clone()));
        }
    };
    loop {
        tokio::select! {
            Some(accepted) = queue.recv() => begin(accepted, &mut open),
            Some(_) = open.join_next() => {}
            _ = stopping.wait_for(|stop| *stop) => break,
        }
    }
    // From here on workers keep what they accept.
    queue.close();
    while let Some(accepted) = queue.recv().await {
        begin(accepted, &mut open);
    }
    while open.join_next().await.is_some() {}
}

/// Where connections come in.
struct Door {
    worker: Rc<Worker>,
    index: usize,
    port: u16,
    is_tls: bool,
    stop: watch::Receiver<bool>,
}

impl Door {
    /// Has the connection served, by this worker or by one that has fewer, unless there are too many.
    fn enter(&self, stream: TcpStream, client: SocketAddr, open: &mut JoinSet<()>) {
        let shared = &self.worker.shared;
        shared.state.metrics.count_accepted();
        let most = shared.generation.load().limits.connections;
        let Some(slot) = shared.connections.admit(self.index, most) else {
            return shared.state.metrics.count_refused();
        };
        let (stream, slot) = if slot.worker() == self.index {
            (stream, slot)
        } else {
            match self.pass_on(stream, client, slot) {
                Some(kept) => kept,
                None => return,
            }
        };
        let arrival = arrival(client, self.port, self.is_tls);
        open.spawn_local(serve(self.worker.clone(), stream, arrival, slot, self.stop.clone()));
    }

    /// Gives it to the worker of its slot; back it comes where that one has stopped.
    fn pass_on(&self, stream: TcpStream, client: SocketAddr, slot: Slot) -> Option<(TcpStream, Slot)> {
        let stream = stream.into_std().ok()?;
        let accepted = Accepted { stream, client, port: self.port, is_tls: self.is_tls, slot };
        let Accepted { stream, mut slot, .. } = self.worker.shared.connections.pass_on(accepted).err()?;
        slot.move_to(self.index);
        Some((TcpStream::from_std(stream).ok()?, slot))
    }
}

fn arrival(client: SocketAddr, port: u16, is_tls: bool) -> Arrival {
    let scheme = if is_tls { "https" } else { "http" };
    Arrival::new(client, scheme, port)
}

/// A connection that has been waiting to be accepted.
fn next_waiting(listener: &std::net::TcpListener) -> Option<(TcpStream, SocketAddr)> {
    loop {
        match listener.accept() {
            Ok((stream, client)) => {
                stream.set_nonblocking(true).ok()?;
                return Some((TcpStream::from_std(stream).ok()?, client));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => return None,
        }
    }
}

/// Errors of accept that say something of one client only (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve(
    worker: Rc<Worker>,
    stream: TcpStream,
    mut arrival: Arrival,
    slot: Slot,
    stop: watch::Receiver<bool>,
) {
    let activity = Activity::begin(Some(slot));
    arrival.activity = Some(activity.clone());
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let metrics = &worker.shared.state.metrics;
    metrics.count_handled();
    if arrival.scheme == "http" {
        return converse(worker.clone(), ClientStream::new(stream, WRITE_PATIENCE), arrival, activity, stop)
            .await;
    }
    let generation = worker.generation();
    let limit = Duration::from_millis(generation.limits.handshake_timeout_ms);
    // Only the table is held on to, so that an old generation does not wait for slow handshakes.
    let table = generation.tls.clone();
    drop(generation);
    let (stream, session) = match tls::accept(stream, &table, limit, &worker.handshakes).await {
        Ok(done) => done,
        Err(error) => return metrics.count_handshake_error(error.reason()),
    };
    drop(table);
    let stream = ClientStream::new(stream, WRITE_PATIENCE);
    let is_http2 = session.is_http2;
    arrival.tls = Some(Arc::new(session));
    if is_http2 {
        http2::serve(worker.clone(), stream, arrival, activity, stop).await;
    } else {
        converse(worker.clone(), stream, arrival, activity, stop).await;
    }
}

/// Speaks the version of HTTP that the client's first bytes are of.
pub async fn converse<S>(
    worker: Rc<Worker>,
    stream: S,
    arrival: Arrival,
    activity: Rc<Activity>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limit = Duration::from_millis(worker.generation().limits.head_timeout_ms);
    let drained = async {
        let _ = stop.wait_for(|stop| *stop).await;
        tokio::time::sleep(GRACE).await;
    };
    // What goes wrong here is the client's affair: it said nothing, or not in time.
    let opened = tokio::select! {
        biased;
        opened = tokio::time::timeout(limit, opening::open(stream)) => opened,
        () = drained => return,
    };
    let Ok(Ok(Some((stream, is_http2)))) = opened else {
        return;
    };
    // Over TLS the version is agreed on in the handshake (RFC 9113 section 3.2).
    if is_http2 && arrival.tls.is_none() {
        http2::serve(worker, stream, arrival, activity, stop).await;
    } else {
        http1::serve(worker, stream, arrival, activity, stop).await;
    }
}
