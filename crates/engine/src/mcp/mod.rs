//! The MCP endpoint: JSON-RPC in, exchanges within. It speaks the streamable HTTP transport of both eras on one URL
//! (legacy up to 2025-11-25, modern 2026-07-28), without sessions and without streams.
//!
//! The way of a `tools/call`: [`endpoint`] takes the message (`message`, `era`, `origin`), [`app`] finds the tool,
//! `schema` (`metered`) checks its arguments, `request` makes the HTTP request by OpenAPI's rules, `call` runs it as an
//! exchange through the operation's route, `outcome` (`advice`, `content`, `compact`, `cut`) makes the response a result. `listing`
//! holds what is answered without an exchange.

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
mod message;
mod metered;
mod origin;
mod outcome;
mod request;
mod schema;

pub use app::McpApp;
pub use endpoint::serve;

use crate::exchange::Arrival;
use crate::generation::Generation;
use crate::server::Worker;
use ::http::HeaderMap;
use call::Caller;
use outcome::Outcome;
use serde_json::Value;
use std::rc::Rc;
use std::sync::Arc;

/// Runs `tools/call` without a client: the result object as a client would get it, none for an unknown tool.
///
/// `arguments` is the text of a JSON object. `headers` are those of the request that would carry the call; the same few
/// of them are passed on. `app` is of `generation`; `arrival.tool` is not looked at.
pub async fn call(
    worker: &Rc<Worker>,
    generation: &Arc<Generation>,
    app: &Arc<McpApp>,
    tool: &str,
    arguments: &str,
    headers: HeaderMap,
    arrival: Arrival,
) -> Option<Value> {
    let found = app.tool(tool)?;
    let caller =
        Caller { worker, generation, headers: &headers, queries: [""; 2], arrival: &arrival, carrier: None };
    let outcome = match serde_json::from_str(arguments) {
        Ok(arguments) => call::call(&caller, app, found, tool, arguments).await,
        Err(error) => Outcome::error(format!("The arguments must be a JSON object: {error}.")),
    };
    serde_json::from_slice(&outcome.json().ok()?).ok()
}
