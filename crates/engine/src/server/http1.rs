//! HTTP/1.1 with a client. hyper parses and frames; the exchange answers each request.

use super::activity::{Activity, GRACE};
use super::worker::Worker;
use crate::exchange::{self, Arrival};
use crate::http::Body;
use ::http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// Answers requests on `stream` until either side ends it.
pub async fn serve<S>(
    worker: Rc<Worker>,
    stream: S,
    arrival: Arrival,
    activity: Rc<Activity>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = worker.generation().limits.clone();
    // Tells of the stop also before this task has had its turn to hear of it. Looking takes no lock.
    let stopped = stop.clone();
    let service = service_fn(|request: Request<Incoming>| {
        let (worker, arrival, activity) = (worker.clone(), arrival.clone(), activity.clone());
        let stopped = &stopped;
        async move {
            let mut response = exchange::run(&worker, request.map(Body::from_incoming), arrival).await;
            if activity.is_stopping() || stopped.has_changed().unwrap_or(true) {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        // Its clock would run while the connection is idle, so heads are timed here.
        .header_read_timeout(None)
        .max_buf_size(limits.head_bytes.max(8192))
        .max_headers(limits.headers)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let head = Duration::from_millis(limits.head_timeout_ms);
    let idle = Duration::from_millis(limits.idle_timeout_ms);
    let mut is_ending = false;
    // What goes wrong here is the client's affair (it went away, or sent no HTTP); hyper has answered what it could.
    // The connection goes first: a request that has come is answered before the connection is asked to end.
    loop {
        // Whatever begins after this look cannot be late before the next one.
        let mut look_at = Instant::now() + head.min(idle);
        look_at = look_at.min(activity.patience_ends(head, idle).unwrap_or(look_at));
        if activity.is_stopping() && !is_ending {
            look_at = look_at.min(activity.grace_ends());
        }
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            _ = stop.wait_for(|stop| *stop), if !activity.is_stopping() => {
                activity.stop();
                continue;
            }
            () = tokio::time::sleep_until(look_at.into()) => {}
        }
        let now = Instant::now();
        if activity.patience_ends(head, idle).is_some_and(|end| end <= now) {
            break;
        }
        if activity.is_stopping() && activity.grace_ends() <= now && !is_ending {
            is_ending = true;
            connection.as_mut().graceful_shutdown();
        }
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(GRACE, connection).await;
}
