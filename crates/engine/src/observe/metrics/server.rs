//! The metrics listener: its own thread, so that a slow scrape holds up no worker. It answers one path and no other.

use crate::server::Shared;
use ::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::{io, thread};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::watch;

const PATH: &str = "/apisix/prometheus/metrics";
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long a client may take for a request's head, or leave a connection idle.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause after an accept that failed for want of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves the metrics of `shared` on `listener` from a thread of its own, until `stop` turns true or its sender is
/// gone. A scrape under way is then cut off. The error is that of starting the thread.
pub fn serve_metrics(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
) -> io::Result<thread::JoinHandle<()>> {
    listener.set_nonblocking(true)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    thread::Builder::new()
        .name("metrics".into())
        .spawn(move || runtime.block_on(accept(listener, shared, stop)))
}

async fn accept(listener: tokio::net::TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, shared.clone()))),
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, &shared);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut builder = http1::Builder::new();
    let builder = builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // What goes wrong here is the scraper's affair; hyper has answered what it could.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

fn answer(request: &Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    if request.uri().path() != PATH {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    } else {
        let active = shared.connections.load(Ordering::Relaxed);
        let dropped = shared.access_log.as_ref().map_or(0, |log| log.dropped());
        *response.body_mut() = shared.state.metrics.text(active, dropped).into();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    }
    response
}
