//! The data plane of Toolway: everything that touches the wire. It is told what to do by one document, the snapshot,
//! and knows neither YAML, OpenAPI nor Python.
//!
//! The way of a request, module by module:
//! [`server`] accepts it, [`exchange`] runs it ([`http`] checks it, [`router`] finds its route, [`plugins`] have their
//! say, [`upstream`] or [`mcp`] answers it), [`observe`] records it. [`snapshot`] is the document, [`generation`] is it
//! built (with [`api`]: what requests to an api's operations must be like), [`state`] is what outlives both. [`Engine`] starts, swaps and drains all of this; [`control`] tells how it is.

pub mod api;
pub mod control;
pub mod error;
pub mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod generation;
pub mod graphql;
pub mod http;
pub mod mcp;
pub mod observe;
pub mod outbound;
mod patience;
pub mod plugins;
pub mod predicate;
pub mod roles;
pub mod router;
pub mod server;
pub mod snapshot;
pub mod state;
pub mod table;
pub mod tls;
pub mod upstream;
pub mod usage;
pub mod variable;

mod engine;
mod near;
mod network;
mod schema;

pub use engine::{Engine, Prepared, StaleError, StartError};
pub use generation::BuildError;
