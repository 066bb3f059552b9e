//! The codec towards upstreams as fuzz targets and micro benchmarks reach it.

use super::h1::{Framing, RequestHead, read_head};
use crate::http::forwarded::Lines;
use crate::http::h1::{ChunkDecoder, ChunkPiece};
use bytes::BytesMut;
use http::{HeaderMap, Method};

/// Reads the head of the answer to one request.
pub struct ResponseReader(RequestHead);

/// Reads the chunks of one body.
#[derive(Default)]
pub struct Chunks(ChunkDecoder);

impl ResponseReader {
    pub fn new(method: &Method) -> Self {
        Self(RequestHead::new(method, "/", &HeaderMap::new(), &Lines::new(), Framing::None))
    }

    /// What the head in `buffer` says, or what is wrong with it; none where it is not complete.
    pub fn read(&mut self, buffer: &mut BytesMut) -> Option<String> {
        match read_head(buffer, &self.0) {
            Ok(None) => None,
            Ok(Some(head)) => {
                let (status, headers) = (head.parts.status, head.parts.headers);
                Some(format!("{status} {headers:?} {} {:?}", head.keep_alive, head.framing))
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// Whether a head is complete and good.
    pub fn is_good(&self, buffer: &mut BytesMut) -> bool {
        matches!(read_head(buffer, &self.0), Ok(Some(_)))
    }
}

impl Chunks {
    /// Takes what `buffer` has into `content`. How the body ended, or what is wrong with it; none where more has to come.
    pub fn read(&mut self, buffer: &mut BytesMut, content: &mut Vec<u8>) -> Option<String> {
        loop {
            match self.0.next(buffer) {
                Ok(ChunkPiece::Data(data)) => content.extend_from_slice(&data),
                Ok(ChunkPiece::Incomplete) => return None,
                Ok(ChunkPiece::End(trailers)) => return Some(format!("{trailers:?}")),
                Err(error) => return Some(error.to_string()),
            }
        }
    }
}
