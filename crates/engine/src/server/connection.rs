//! Client connections: accepted, spoken HTTP/1.1 on, and brought to an end when the worker stops.

use super::client::ClientStream;
use super::worker::Worker;
use crate::exchange::{self, Arrival};
use crate::http::Body;
use ::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a client may take nothing of its answer, as nginx has it by default.
const WRITE_PATIENCE: Duration = Duration::from_secs(60);

/// Accepts connections until `stop` turns true, then waits for the open ones to finish.
pub async fn accept(worker: Rc<Worker>, listener: std::net::TcpListener, stop: watch::Receiver<bool>) {
    let mut stopping = stop.clone();
    let (Ok(address), Ok(listener)) = (listener.local_addr(), TcpListener::from_std(listener)) else {
        return;
    };
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    open.spawn_local(serve(worker.clone(), stream, client, address.port(), stop.clone()));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = open.join_next() => {}
            _ = stopping.wait_for(|stop| *stop) => break,
        }
    }
    // The queue of the kernel is taken over, so that nobody who connected in time is turned away.
    while let Some(Ok((stream, client))) = now_or_never(listener.accept()).await {
        open.spawn_local(serve(worker.clone(), stream, client, address.port(), stop.clone()));
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

async fn serve(
    worker: Rc<Worker>,
    stream: TcpStream,
    client: SocketAddr,
    port: u16,
    mut stop: watch::Receiver<bool>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    worker.shared.connections.fetch_add(1, Ordering::Relaxed);
    worker.shared.state.metrics.count_connection();
    let _closed = scopeguard(&worker);
    let limits = worker.generation().limits.clone();
    let arrival = Arrival { client, scheme: "http", port, tool: None };
    let service = service_fn(|request: Request<Incoming>| {
        let (worker, arrival) = (worker.clone(), arrival.clone());
        async move { Ok::<_, Infallible>(exchange::run(&worker, request.map(Body::from_incoming), arrival).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.head_timeout_ms))
        .max_buf_size(limits.head_bytes.max(8192))
        .max_headers(limits.headers)
        .serve_connection(TokioIo::new(ClientStream::new(stream, WRITE_PATIENCE)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // What goes wrong here is the client's affair (it went away, or sent no HTTP); hyper has answered what it could.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stop.wait_for(|stop| *stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

fn scopeguard(worker: &Rc<Worker>) -> impl Drop + use<> {
    struct Closed(Rc<Worker>);
    impl Drop for Closed {
        fn drop(&mut self) {
            self.0.shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
    Closed(worker.clone())
}
