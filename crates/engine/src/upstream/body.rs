//! A response's body on its way from the upstream: every frame within the read timeout, and the connection back to the
//! pool when the last one has come.

use super::Upstream;
use super::pool::Connection;
use crate::http::{Body, BoxError};
use crate::server::Worker;
use crate::snapshot::Keepalive;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

pub struct UpstreamBody {
    incoming: Incoming,
    /// Taken when the body has ended; dropped with the body, and so closed, when it has not.
    connection: Option<Connection>,
    worker: Rc<Worker>,
    keepalive: Keepalive,
    patience: Duration,
    /// Made at the first wait, since most bodies come with their head.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl UpstreamBody {
    /// A body that streams, or an empty one where the response has none.
    pub fn body(incoming: Incoming, connection: Connection, worker: Rc<Worker>, upstream: &Upstream) -> Body {
        if incoming.is_end_stream() {
            worker.pool.put(connection, &upstream.keepalive);
            return Body::Incoming(incoming);
        }
        Body::stream(Self {
            incoming,
            connection: Some(connection),
            worker,
            keepalive: upstream.keepalive,
            patience: Duration::from_millis(upstream.timeouts.read_ms),
            timer: None,
            waiting: false,
        })
    }

    fn release(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.worker.pool.put(connection, &self.keepalive);
        }
    }

    /// Whether the upstream has been silent for too long.
    fn expired(&mut self, context: &mut Context<'_>) -> bool {
        let deadline = Instant::now() + self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !std::mem::replace(&mut self.waiting, true) {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(context).is_ready()
    }
}

impl http_body::Body for UpstreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Pending if self.expired(context) => {
                self.connection = None;
                Poll::Ready(Some(Err("the upstream stopped in the middle of its answer".into())))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(frame) => {
                self.waiting = false;
                match &frame {
                    Some(Err(_)) => self.connection = None,
                    None => self.release(),
                    Some(Ok(_)) if self.incoming.is_end_stream() => self.release(),
                    Some(Ok(_)) => {}
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
