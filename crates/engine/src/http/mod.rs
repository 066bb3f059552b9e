//! The message: bodies, framing, headers and paths, as they are checked before anything is trusted.

pub mod body;
pub mod forwarded;
pub mod framing;
pub mod h1;
pub mod headers;
pub mod path;
pub mod received;
pub mod trailers;

pub use body::{Body, BoxError};

/// A response on its way to a client.
pub type Response = ::http::Response<Body>;
/// A request on its way through an exchange.
pub type Request = ::http::Request<Body>;
