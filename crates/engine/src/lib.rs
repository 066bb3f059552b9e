//! The data plane of Toolway.

pub mod http;
pub mod router;
pub mod snapshot;
