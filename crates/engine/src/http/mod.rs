//! Message hygiene: what a request must be before it is trusted, and what may pass from one hop to the next.
//!
//! `framing` refuses what two parsers could read differently, `path` gives every later stage the same spelling of
//! the path, `headers` takes off what belongs to one hop and sets what only the gateway may say. Nothing here knows
//! routes, plugins or upstreams.

pub mod framing;
pub mod headers;
pub mod path;
