//! The end of an exchange: the response's body is watched, and when it has ended or is dropped the record is written,
//! once, whatever happened.

use super::Exchange;
use crate::error::{Kind, ProxyError};
use crate::generation::Generation;
use crate::http::{Body, BoxError, Response};
use crate::observe::Record;
use crate::plugins::Chain;
use crate::server::{UnderWay, Worker};
use crate::upstream::NodeChoice;
use ::http::header;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The status that the record of an exchange has whose client left before there was a response, as nginx has it.
const CLIENT_CLOSED: u16 = 499;

/// The record with all that its readers need when it is dropped.
pub struct Ending {
    record: Record,
    worker: Rc<Worker>,
    generation: Arc<Generation>,
    /// The route's plugins with the consumer's, where the consumer has any.
    pub merged: Option<Rc<Chain>>,
    /// The node that answered, which has the exchange under way until it ends.
    pub choice: Option<NodeChoice>,
    under_way: Option<UnderWay>,
}

struct Watched {
    body: Body,
    ending: Ending,
}

impl Ending {
    /// `under_way` keeps the client's connection from being idle, where there is one.
    pub fn new(
        record: Record,
        worker: Rc<Worker>,
        generation: Arc<Generation>,
        under_way: Option<UnderWay>,
    ) -> Self {
        Self { record, worker, generation, merged: None, choice: None, under_way }
    }

    /// There is a response; without one the client has given its request up.
    pub fn set_answered(&mut self) {
        if let Some(under_way) = &mut self.under_way {
            under_way.set_answered();
        }
    }

    /// Counts `error`, with which the gateway itself answers, and puts it into the record.
    pub fn note(&mut self, error: ProxyError) {
        self.worker.report(&error);
        self.record.error = Some(error.kind.code());
        self.record.error_detail = Some(error.detail);
    }

    /// Ties the end of the exchange to the end of its response's body.
    pub fn attach(mut self, response: Response) -> Response {
        response.map(|body| match body {
            // Nothing can interrupt a body in memory but the client, so it needs no watching.
            Body::Empty | Body::Bytes(_) => {
                self.record.bytes_sent = body.size_hint().exact().unwrap_or_default();
                self.record.complete = true;
                drop(self);
                body
            }
            Body::Incoming(_) | Body::Stream(_) => Body::stream(Watched { body, ending: self }),
        })
    }
}

impl Exchange {
    /// Puts `response_headers` into the response. Vary is a list that grows with everybody who chooses by a request
    /// header (RFC 9110, section 12.5.5), and each Set-Cookie stands for itself, so these are added to.
    pub fn set_response_headers(&mut self, response: &mut Response) {
        let mut several = header::VARY;
        for (name, value) in std::mem::take(&mut self.response_headers) {
            // Further values of one header come without its name.
            let is_first = name.is_some();
            several = name.unwrap_or(several);
            if matches!(several, header::VARY | header::SET_COOKIE) || !is_first {
                response.headers_mut().append(&several, value);
            } else {
                response.headers_mut().insert(&several, value);
            }
        }
    }
}

impl Deref for Ending {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl DerefMut for Ending {
    fn deref_mut(&mut self) -> &mut Record {
        &mut self.record
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let record = &mut self.record;
        record.latency = record.clock.elapsed();
        if record.status == 0 {
            record.status = CLIENT_CLOSED;
            record.error = Some(Kind::ClientClosed.code());
        }
        self.generation.global.finish(record);
        match (&self.merged, &record.route) {
            (Some(chain), _) => chain.finish(record),
            (None, Some(route)) => route.chain.finish(record),
            (None, None) => {}
        }
        self.worker.log(record);
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
