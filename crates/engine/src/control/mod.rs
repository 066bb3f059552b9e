//! The control listener: whether the gateway lives, whether it wants requests, and how its upstreams' nodes are.
//!
//! Paths and shapes are those of Apache APISIX's Control API and of its status endpoint. It answers whoever can reach
//! it, so its address is on the loopback interface unless the configuration says otherwise.

mod healthcheck;

pub use healthcheck::resource;

use crate::server::{AsideResponse, Shared, serve_aside};
use ::http::{HeaderValue, Method, Request, StatusCode, header};
use serde::Serialize;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::{io, thread};
use tokio::sync::watch;

#[derive(Serialize)]
struct Status {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct Refusal {
    error_msg: String,
}

/// Serves control requests on `listener` until `stop` turns true; see [`serve_aside`].
pub fn serve_control(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
) -> io::Result<thread::JoinHandle<()>> {
    serve_aside("control", listener, stop, move |request| answer(request, &shared))
}

fn answer<B>(request: &Request<B>, shared: &Shared) -> AsideResponse {
    let segments: Vec<&str> = request.uri().path().split('/').skip(1).collect();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = match *segments {
        ["status"] | ["status", "ready"] | ["v1", "healthcheck"] | ["v1", "healthcheck", _, _]
            if !is_read =>
        {
            let mut response = AsideResponse::default();
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response
        }
        ["status"] => json(StatusCode::OK, &Status { status: "ok", error: None }),
        ["status", "ready"] if shared.ready.load(Ordering::Acquire) => {
            json(StatusCode::OK, &Status { status: "ok", error: None })
        }
        ["status", "ready"] => {
            let status = Status { status: "error", error: Some("the gateway takes no new requests") };
            json(StatusCode::SERVICE_UNAVAILABLE, &status)
        }
        ["v1", "healthcheck"] => {
            let generation = shared.generation.load();
            json(StatusCode::OK, &healthcheck::all(&generation.upstreams))
        }
        ["v1", "healthcheck", kind, id] => {
            match healthcheck::one(&shared.generation.load().upstreams, kind, id) {
                Ok(found) => json(StatusCode::OK, &found),
                Err(error_msg) => json(StatusCode::NOT_FOUND, &Refusal { error_msg }),
            }
        }
        _ => json(StatusCode::NOT_FOUND, &Refusal { error_msg: "there is nothing at this path".to_owned() }),
    };
    // Answers hold for this moment only.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn json(status: StatusCode, value: &impl Serialize) -> AsideResponse {
    let mut response = AsideResponse::new(serde_json::to_vec(value).unwrap_or_default().into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
