//! Listeners beside the proxy's own, for operators: metrics and control. Each has a thread of its own, so that a slow
//! reader holds up no worker, and answers from memory.

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::watch;

/// How long a client may take for a request's head, or leave a connection idle.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause after an accept that failed for want of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(50);

/// What such a listener answers with.
pub type AsideResponse = Response<Full<Bytes>>;

/// Answers requests on `listener` from a thread of the name `name`, until `stop` turns true or its sender is gone. A
/// request under way is then cut off. The error is that of starting the thread.
pub fn serve_aside<A>(
    name: &str,
    listener: TcpListener,
    stop: watch::Receiver<bool>,
    answer: A,
) -> io::Result<thread::JoinHandle<()>>
where
    A: Fn(&Request<Incoming>) -> AsideResponse + Send + Sync + 'static,
{
    listener.set_nonblocking(true)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    thread::Builder::new()
        .name(name.into())
        .spawn(move || runtime.block_on(accept(listener, Arc::new(answer), stop)))
}

async fn accept<A>(listener: tokio::net::TcpListener, answer: Arc<A>, mut stop: watch::Receiver<bool>)
where
    A: Fn(&Request<Incoming>) -> AsideResponse + Send + Sync + 'static,
{
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, answer.clone()))),
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn serve<A: Fn(&Request<Incoming>) -> AsideResponse>(stream: TcpStream, answer: Arc<A>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut builder = http1::Builder::new();
    let builder = builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // What goes wrong here is the reader's affair; hyper has answered what it could.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}
