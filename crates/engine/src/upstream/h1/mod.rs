//! HTTP/1.1 towards upstreams (RFC 9112): a codec that runs in the exchange's own task.
//!
//! Proxying is what this engine is for, so the hot half of it is written here: no task and no channel stand between an
//! exchange and its connection, and head and body leave in one write. [`head`] writes requests and reads responses,
//! [`sending`] feeds the request's body, [`receiving`] gives the response's, [`connection`] ties them to a stream. What
//! both sides have in common is in `http::h1`.

mod connection;
mod head;
mod receiving;
mod sending;

pub use crate::http::h1::Framing;
pub use connection::{Connection, Reply};
pub use head::RequestHead;
#[cfg(any(test, feature = "fuzzing"))]
pub use head::read as read_head;
pub use receiving::Receiving;
pub use sending::Sending;
