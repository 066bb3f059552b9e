//! What the gateway itself asks other servers for: keys, tokens, decisions.
//!
//! An [`Endpoint`] is one URL with all that bounds asking it; a plugin builds it once, and asks within `Flow::Wait`. The
//! way there is that of upstreams. [`Fetched`] keeps what was fetched, so that it is asked for once however many requests
//! wait on however many workers; [`Fetches`] keeps many by a digest, and a [`Registry`] makes either outlive a swap.

mod endpoint;
mod fault;
mod fetched;
mod fetches;
mod guard;
mod registry;
#[cfg(test)]
pub(crate) mod testing;

pub use endpoint::{Endpoint, Question, Reply, Settings};
pub use fault::Fault;
pub use fetched::{Fetched, Fresh, Times};
pub use fetches::{Digest, Fetches};
pub use guard::Reach;
pub use registry::Registry;
