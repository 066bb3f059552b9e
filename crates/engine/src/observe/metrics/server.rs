//! The metrics listener. It answers one path and no other.

use crate::server::{AsideResponse, Shared, serve_aside};
use ::http::{HeaderValue, Method, Request, StatusCode, header};
use std::net::TcpListener;
use std::sync::Arc;
use std::{io, thread};
use tokio::sync::watch;

const PATH: &str = "/apisix/prometheus/metrics";
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves the metrics of `shared` on `listener` until `stop` turns true; see [`serve_aside`].
pub fn serve_metrics(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
) -> io::Result<thread::JoinHandle<()>> {
    serve_aside("metrics", listener, stop, move |request| answer(request, &shared))
}

fn answer<B>(request: &Request<B>, shared: &Shared) -> AsideResponse {
    let mut response = AsideResponse::default();
    if request.uri().path() != PATH {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    } else {
        let dropped = shared.access_log.as_ref().map_or(0, |log| log.dropped());
        shared.state.metrics.set_upstreams(&shared.generation.load().upstreams);
        *response.body_mut() = shared.state.metrics.text(&shared.connections, dropped).into();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    }
    response
}
