//! The MCP endpoint: JSON-RPC in, exchanges within. It speaks the streamable HTTP transport of both eras on one URL
//! (legacy up to 2025-11-25, modern 2026-07-28), without sessions and without streams.
//!
//! The way of a `tools/call`: [`endpoint`] takes the message (`message`, `era`, `origin`), [`app`] finds the tool,
//! `schema` (`metered`) checks its arguments, `request` makes the HTTP request by OpenAPI's rules, `call` runs it as an
//! exchange through the operation's route, `outcome` (`advice`, `content`, `compact`, `cut`) makes the response a result.
//! `listing` holds what is answered without an exchange, and `showing` finds out which of it a caller may see. `local` is
//! the way in without a client.

mod advice;
mod app;
mod call;
mod compact;
mod content;
mod cut;
mod endpoint;
mod era;
mod escaping;
mod listing;
mod local;
mod message;
mod origin;
mod outcome;
mod request;
mod schema;
mod showing;

pub use app::McpApp;
pub use endpoint::serve;
pub use local::{call, list};
pub use showing::document;
