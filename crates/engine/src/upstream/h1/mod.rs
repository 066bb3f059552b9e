//! HTTP/1.1 towards upstreams (RFC 9112): a codec that runs in the exchange's own task.
//!
//! Proxying is what this engine is for, so the hot half of it is written here: no task and no channel stand between an
//! exchange and its connection, and head and body leave in one write. [`head`] writes requests and reads responses,
//! [`sending`] feeds the request's body, [`receiving`] gives the response's, [`chunked`] reads chunks, [`connection`] ties
//! them to a stream.

mod chunked;
mod connection;
mod head;
mod receiving;
mod sending;

#[cfg(any(test, feature = "fuzzing"))]
pub use chunked::{Decoder as ChunkDecoder, Piece as ChunkPiece};
pub use connection::{Connection, Reply};
#[cfg(any(test, feature = "fuzzing"))]
pub use head::read as read_head;
pub use head::{Framing, RequestHead};
pub use receiving::Receiving;
pub use sending::Sending;
