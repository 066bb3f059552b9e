//! Client connections: accepted, secured where the listener says so, spoken HTTP on, and brought to an end when the
//! worker stops.

use super::activity::GRACE;
use super::client::ClientStream;
use super::listener::Listener;
use super::worker::Worker;
use super::{http1, http2, opening, tls};
use crate::exchange::Arrival;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a client may take nothing of its answer, as nginx has it by default.
const WRITE_PATIENCE: Duration = Duration::from_secs(60);

/// Accepts connections until `stop` turns true, then waits for the open ones to finish.
pub async fn accept(worker: Rc<Worker>, listener: Listener, stop: watch::Receiver<bool>) {
    let mut stopping = stop.clone();
    let Listener { socket, is_tls } = listener;
    let (Ok(address), Ok(listener)) = (socket.local_addr(), TcpListener::from_std(socket)) else {
        return;
    };
    let begin = |stream, client| {
        let scheme = if is_tls { "https" } else { "http" };
        serve(worker.clone(), stream, Arrival::new(client, scheme, address.port()), stop.clone())
    };
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => drop(open.spawn_local(begin(stream, client))),
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = open.join_next() => {}
            _ = stopping.wait_for(|stop| *stop) => break,
        }
    }
    // The queue of the kernel is taken over, so that nobody who connected in time is turned away.
    while let Some(Ok((stream, client))) = now_or_never(listener.accept()).await {
        open.spawn_local(begin(stream, client));
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Errors of accept that say something of one client only (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve(worker: Rc<Worker>, stream: TcpStream, mut arrival: Arrival, stop: watch::Receiver<bool>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    worker.shared.connections.fetch_add(1, Ordering::Relaxed);
    worker.shared.state.metrics.count_connection();
    let _closed = Closed(worker.clone());
    if arrival.scheme == "http" {
        return converse(worker, ClientStream::new(stream, WRITE_PATIENCE), arrival, stop).await;
    }
    let generation = worker.generation();
    let limit = Duration::from_millis(generation.limits.handshake_timeout_ms);
    // Only the table is held on to, so that an old generation does not wait for slow handshakes.
    let table = generation.tls.clone();
    drop(generation);
    let Ok((stream, session)) = tls::accept(stream, &table, limit, &worker.handshakes).await else {
        return;
    };
    drop(table);
    let stream = ClientStream::new(stream, WRITE_PATIENCE);
    let is_http2 = session.is_http2;
    arrival.tls = Some(Arc::new(session));
    if is_http2 {
        http2::serve(worker, stream, arrival, stop).await;
    } else {
        converse(worker, stream, arrival, stop).await;
    }
}

/// Speaks the version of HTTP that the client's first bytes are of.
async fn converse<S>(worker: Rc<Worker>, stream: S, arrival: Arrival, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
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
        http2::serve(worker, stream, arrival, stop).await;
    } else {
        http1::serve(worker, stream, arrival, stop).await;
    }
}

/// Counts the connection out, whatever became of it.
struct Closed(Rc<Worker>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
