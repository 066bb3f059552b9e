//! Tools listed and called without a client, for the shell: through the same exchanges as a client's.

use super::app::McpApp;
use super::call::{self, Caller};
use super::outcome::Outcome;
use crate::exchange::{self, Arrival, ToolCall};
use crate::generation::{Generation, Target};
use crate::http::{Body, Request};
use crate::server::Worker;
use ::http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::Arc;

/// Runs `tools/call`: the result object as a client would get it, none for an unknown tool.
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

/// Runs `tools/list`, page by page: the entries, or how the request was refused; none for an app without an endpoint.
pub async fn list(
    worker: &Rc<Worker>,
    generation: &Arc<Generation>,
    app: &str,
    headers: HeaderMap,
    arrival: Arrival,
) -> Option<Result<Vec<Value>, String>> {
    let leads_there = |target: &Target| matches!(target, Target::Mcp { app: own } if **own == *app);
    let route = generation.routes.iter().find(|route| leads_there(&route.target))?;
    let asked = ToolCall {
        generation: generation.clone(),
        route: route.clone(),
        name: "tools/list".into(),
        rules: Arc::new([]),
        carrier: None,
    };
    let arrival = Arrival { tool: Some(asked), ..arrival };
    let mut tools = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let mut page = match page(worker, &headers, &cursor, arrival.clone()).await {
            Ok(page) => page,
            Err(refusal) => return Some(Err(refusal)),
        };
        if let Some(Value::Array(entries)) = page.get_mut("tools").map(Value::take) {
            tools.extend(entries);
        }
        cursor = page.get_mut("nextCursor").map(Value::take).unwrap_or_default();
        if cursor.is_null() {
            return Some(Ok(tools));
        }
    }
}

async fn page(
    worker: &Rc<Worker>,
    headers: &HeaderMap,
    cursor: &Value,
    arrival: Arrival,
) -> Result<Value, String> {
    let params = if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) };
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params});
    let mut request = Request::new(Body::from(message.to_string().into_bytes()));
    *request.method_mut() = Method::POST;
    *request.headers_mut() = headers.clone();
    for (name, value) in [(header::HOST, "localhost"), (header::CONTENT_TYPE, "application/json")] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let (head, body) = exchange::run(worker, request, arrival).await.into_parts();
    let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let mut answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    match answer.get_mut("result").map(Value::take) {
        Some(result) if head.status.is_success() => Ok(result),
        _ => Err(format!("HTTP {}: {}", head.status, String::from_utf8_lossy(&bytes).trim())),
    }
}
