//! The body looked at before the route is known: what `post_arg_x` and `graphql_*` are read from.
//!
//! It happens only where a route that could match asks for it, for a bounded number of bytes, and what was read stands
//! at the front of the body again when it is sent on.

use super::Exchange;
use crate::error::ProxyError;
use crate::graphql::Operation;
use crate::http::{Body, BoxError};
use crate::variable::{arguments, decoded, decodes_to};
use ::http::{Method, header};
use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What is known of the body.
#[derive(Debug, Default)]
pub struct Inspected {
    /// The body is longer than may be looked at.
    pub is_too_long: bool,
    form: String,
    graphql: Option<Operation>,
}

impl Inspected {
    /// The fields of a form as they stand in the body; empty where it is none.
    pub fn form(&self) -> &str {
        &self.form
    }

    pub fn graphql(&self) -> Option<&Operation> {
        self.graphql.as_ref()
    }
}

/// A GraphQL request in JSON (GraphQL over HTTP).
#[derive(Deserialize)]
struct GraphQlRequest {
    query: String,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
}

impl Exchange {
    /// Looks at the body, at most at `limit` bytes of it.
    ///
    /// # Errors
    /// The client broke off, stalled, or sent more than a body may have.
    pub(crate) async fn inspect(&mut self, limit: usize) -> Result<(), ProxyError> {
        let bytes = self.read_ahead(limit).await?;
        let mut inspected = Inspected { is_too_long: bytes.is_none(), ..Inspected::default() };
        if let Some(bytes) = bytes {
            let media_type = self.media_type();
            if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                inspected.form = String::from_utf8_lossy(&bytes).into_owned();
            }
            inspected.graphql = self.read_graphql(media_type, &bytes);
        }
        self.inspected = Some(inspected);
        Ok(())
    }

    fn media_type(&self) -> &str {
        let value = self.request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        value.and_then(|value| value.split(';').next()).unwrap_or_default().trim()
    }

    fn read_graphql(&self, media_type: &str, body: &[u8]) -> Option<Operation> {
        if self.request.method == Method::GET {
            let query = self.request.uri.query()?;
            let argument = |wanted| {
                let mut all = arguments(query);
                all.find(|(name, _)| decodes_to(name, wanted)).map(|(_, value)| decoded(value))
            };
            return Operation::read(&argument("query")?, argument("operationName").as_deref());
        }
        if media_type.eq_ignore_ascii_case("application/graphql") {
            return Operation::read(std::str::from_utf8(body).ok()?, None);
        }
        if !media_type.eq_ignore_ascii_case("application/json") {
            return None;
        }
        let request: GraphQlRequest = serde_json::from_slice(body).ok()?;
        Operation::read(&request.query, request.operation_name.as_deref())
    }

    /// The whole body, which then still is the exchange's; none where it has more than `limit` bytes.
    pub(crate) async fn read_ahead(&mut self, limit: usize) -> Result<Option<Bytes>, ProxyError> {
        let mut body = std::mem::replace(&mut self.body, Body::Empty);
        if body.size_hint().lower() > limit as u64 {
            self.body = body;
            return Ok(None);
        }
        let mut frames = VecDeque::new();
        let mut bytes = BytesMut::new();
        while bytes.len() <= limit
            && let Some(frame) = body.frame().await
        {
            let frame = frame.map_err(|error| ProxyError::of_client_body(error.as_ref()))?;
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(data);
            }
            frames.push_back(frame);
        }
        let bytes = bytes.freeze();
        let is_whole = bytes.len() <= limit;
        self.body = match is_whole && frames.iter().all(Frame::is_data) {
            // A body in memory is sent with its length, however it came.
            true => Body::Bytes(bytes.clone()),
            false => Body::stream(ReadAhead { frames, rest: body }),
        };
        Ok(is_whole.then_some(bytes))
    }
}

/// Frames that were read ahead, and then the rest of the body.
struct ReadAhead {
    frames: VecDeque<Frame<Bytes>>,
    rest: Body,
}

impl http_body::Body for ReadAhead {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead: usize = self.frames.iter().filter_map(Frame::data_ref).map(Bytes::len).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + ahead as u64);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + ahead as u64);
        }
        hint
    }
}
