//! HTTP/2 towards upstreams (RFC 9113), over the `h2` crate: a task for each connection, none for an ordinary exchange.
//!
//! `h2` itself and not hyper's client over it, since a request that was refused must come back whole to be sent again,
//! and since trailers, resets and the peer's limits are plain there. [`connections`] keeps a node's connections and says
//! which has room for a stream, [`connection`] is one of them, [`sending`] feeds a request's body, [`exchanging`] sends a
//! request and waits for its response's head, [`receiving`] gives the response's body.

mod connection;
mod connections;
mod exchanging;
mod receiving;
mod sending;

pub use connection::{Lease, begin};
pub use connections::{Connections, Group};
pub use exchanging::{Reply, send};
pub use receiving::Receiving;
