//! HTTP/2 with a client (RFC 9113). Each stream is an exchange; what makes its request unlike one of HTTP/1.1 is
//! smoothed out here, so that nothing after this need know the version.
//!
//! The `h2` crate answers floods that stay within one kind of frame: it bounds header lists, CONTINUATION, resets of
//! streams that nobody took up, and reads no further while it owes answers to PING and SETTINGS. Bounded here: streams
//! at once, streams that are taken up and then given up, and connections that say nothing.

use super::activity::{Activity, GRACE};
use super::upgrade::Upgrade;
use super::websocket;
use super::worker::Worker;
use crate::exchange::{self, Arrival};
use crate::http::{Body, Response};
use crate::snapshot::Limits;
use ::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// Bytes that a client may send ahead of what is passed on, on one stream and on all streams of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of a response that wait for one stream's client.
const SEND_BUFFER: usize = 256 << 10;
/// Streams that the client resets before they are taken up.
const PENDING_RESETS: usize = 20;
/// Streams that the client makes the gateway reset.
const FORCED_RESETS: usize = 256;
/// A client that does not answer a PING is gone.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Answers requests on `stream` until either side ends it.
pub async fn serve<S>(
    worker: Rc<Worker>,
    stream: S,
    arrival: Arrival,
    activity: Rc<Activity>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = worker.generation().limits.clone();
    let patience = Duration::from_millis(limits.idle_timeout_ms);
    let connection = builder(&limits).serve_connection(
        TokioIo::new(stream),
        service_fn(|mut request: Request<Incoming>| {
            let (worker, mut arrival) = (worker.clone(), arrival.clone());
            let most = limits.headers;
            arrival.upgrade = request.extensions_mut().remove().map(Upgrade::Http2);
            async move { Ok::<_, Infallible>(answer(&worker, request, arrival, most).await) }
        }),
    );
    let mut connection = pin!(connection);
    let mut ends_at = None;
    loop {
        let look_again =
            ends_at.unwrap_or_else(|| activity.idle_since().unwrap_or_else(Instant::now) + patience);
        tokio::select! {
            biased;
            // What goes wrong here is the client's affair; it was told by GOAWAY where that was possible.
            _ = connection.as_mut() => return,
            () = activity.abused() => return,
            _ = stop.wait_for(|stop| *stop), if !activity.is_stopping() => {
                activity.stop();
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep_until(look_again.into()) => {
                let is_idle = activity.idle_since().is_some_and(|since| since.elapsed() >= patience);
                if ends_at.take().is_some() && is_idle {
                    return;
                }
                if is_idle {
                    connection.as_mut().graceful_shutdown();
                    ends_at = Some(Instant::now() + GRACE);
                }
            }
        }
    }
}

fn builder(limits: &Limits) -> http2::Builder<LocalExecutor> {
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(FORCED_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

async fn answer(
    worker: &Rc<Worker>,
    mut request: Request<Incoming>,
    arrival: Arrival,
    most: usize,
) -> Response {
    join_cookies(request.headers_mut());
    if request.headers().len() > most {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return response;
    }
    name_host(&mut request);
    let opening = websocket::begin(&mut request);
    let response = exchange::run(worker, request.map(Body::from_incoming), arrival).await;
    match opening {
        Some(opening) => opening.answer(worker, response),
        None => response,
    }
}

/// Cookies that came in several fields become one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let crumbs: Vec<_> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Values were valid one by one, and so is what joins them.
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Host from `:authority` where there is none (RFC 9113 section 8.3.1). Whether they agree is checked by `framing`.
fn name_host<B>(request: &mut Request<B>) {
    if request.headers().contains_key(header::HOST) {
        return;
    }
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(host)) = authority {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// Runs the tasks of a connection on its worker.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_crumbs_in_their_order_and_nothing_else() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", HeaderValue::from_static("a=1"));
        headers.append("x", HeaderValue::from_static("1"));
        headers.append("x", HeaderValue::from_static("2"));
        join_cookies(&mut headers);
        assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1"]);
        headers.append("cookie", HeaderValue::from_static("b=2; c=3"));
        headers.append("cookie", HeaderValue::from_static("d=4"));
        join_cookies(&mut headers);
        assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3; d=4"]);
        assert_eq!(headers.get_all("x").iter().count(), 2);
    }

    #[test]
    fn names_the_host_only_where_none_is_named() {
        let mut request = Request::get("https://a.test:8443/b").body(()).unwrap();
        name_host(&mut request);
        assert_eq!(request.headers().get("host").unwrap(), "a.test:8443");
        let mut request = Request::get("https://a.test/").header("host", "b.test").body(()).unwrap();
        name_host(&mut request);
        assert_eq!(request.headers().get("host").unwrap(), "b.test");
    }
}
