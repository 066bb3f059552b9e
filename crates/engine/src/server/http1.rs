//! HTTP/1.1 with a client. hyper parses and frames; the exchange answers each request.

use super::activity::Activity;
use super::worker::Worker;
use crate::exchange::{self, Arrival};
use crate::http::Body;
use ::http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// Answers requests on `stream` until either side ends it.
pub async fn serve<S>(worker: Rc<Worker>, stream: S, arrival: Arrival, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = worker.generation().limits.clone();
    let activity = Activity::begin();
    let service = service_fn(|request: Request<Incoming>| {
        let (worker, arrival, activity) = (worker.clone(), arrival.clone(), activity.clone());
        async move {
            let under_way = activity.request();
            let mut response = exchange::run(&worker, request.map(Body::from_incoming), arrival).await;
            if activity.is_stopping() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            under_way.answered();
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.head_timeout_ms))
        .max_buf_size(limits.head_bytes.max(8192))
        .max_headers(limits.headers)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // What goes wrong here is the client's affair (it went away, or sent no HTTP); hyper has answered what it could.
    // The connection goes first: a request that has come is answered before the connection is asked to end.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => activity.stop(),
    }
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = tokio::time::sleep_until(activity.grace_ends().into()) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
