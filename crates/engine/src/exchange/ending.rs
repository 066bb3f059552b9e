//! The end of an exchange: the response's body is watched, and when it has ended or is dropped the record is written,
//! once, whatever happened.

use super::Exchange;
use crate::generation::{Generation, RouteEntry};
use crate::http::{Body, BoxError, Response};
use crate::observe::Record;
use crate::plugins::Chain;
use crate::server::Worker;
use crate::upstream::NodeChoice;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Holds what the record's readers need until the body has ended.
pub struct Ending {
    record: Record,
    worker: Rc<Worker>,
    generation: Arc<Generation>,
    route: Option<Arc<RouteEntry>>,
    merged: Option<Chain>,
    /// Kept until the body has ended.
    _choice: Option<NodeChoice>,
}

struct Watched {
    body: Body,
    ending: Ending,
}

impl Ending {
    /// Ties the end of `exchange` to the end of `response`'s body.
    pub fn attach(exchange: Exchange, merged: Option<Chain>, response: Response) -> Response {
        let Exchange { worker, generation, route, choice, record, .. } = exchange;
        let ending = Ending { record, worker, generation, route, merged, _choice: choice };
        response.map(|body| match body {
            // Nothing can interrupt a body in memory but the client, so it needs no watching.
            Body::Empty | Body::Bytes(_) => {
                ending.complete(body.size_hint().exact().unwrap_or_default());
                body
            }
            Body::Incoming(_) | Body::Stream(_) => Body::stream(Watched { body, ending }),
        })
    }

    fn complete(mut self, bytes: u64) {
        self.record.bytes_sent = bytes;
        self.record.complete = true;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.record.latency = self.record.clock.elapsed();
        self.generation.global.finish(&self.record);
        match (&self.merged, &self.route) {
            (Some(chain), _) => chain.finish(&self.record),
            (None, Some(route)) => route.chain.finish(&self.record),
            (None, None) => {}
        }
        self.worker.log(&self.record);
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                self.ending.record.bytes_sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.ending.record.complete = self.body.is_end_stream();
            }
            Some(Err(_)) => {}
            None => self.ending.record.complete = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
