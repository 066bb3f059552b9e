//! `tools/call`: arguments are checked, made into a request, and run as an exchange of its own through the operation's
//! route, so that every plugin of the route holds for tools as it does for other clients.

use super::advice::Called;
use super::app::{McpApp, Tool};
use super::outcome::{Form, Outcome};
use crate::exchange::{self, Arrival};
use crate::generation::{Generation, RouteEntry, Target};
use crate::http::{Request, Response};
use crate::server::Worker;
use ::http::{HeaderMap, HeaderName, header};
use serde_json::{Map, Value};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

/// What of the caller's own headers a call passes on, beside credentials that the route asks for: whose conversation it
/// is, so that limits and logs can tell, and the trace. Everything else stays outside.
const PASSED_ON: &[&str] = &[
    "accept-language",
    "openai-conversation-id",
    "openai-ephemeral-user-id",
    "openai-gpt-id",
    "openai-subdivision-1-iso-code",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-request-id",
];

/// Who calls, and where.
pub struct Caller<'a> {
    pub worker: &'a Rc<Worker>,
    pub generation: &'a Arc<Generation>,
    /// Of the request that carries the call.
    pub headers: &'a HeaderMap,
    pub arrival: &'a Arrival,
}

/// Calls `tool` by the name `called_as`. Whatever goes wrong is told in the result.
pub async fn call(
    caller: &Caller<'_>,
    app: &McpApp,
    tool: &Tool,
    called_as: &str,
    mut arguments: Map<String, Value>,
) -> Outcome {
    arguments.retain(|name, value| !(value.is_null() && tool.request.takes_no_null(name)));
    let arguments = Value::Object(arguments);
    let complaints = tool.schema.complaints(&arguments);
    let arguments = match arguments {
        Value::Object(arguments) if complaints.is_empty() => arguments,
        _ => return with_name(refused(&complaints), tool, called_as),
    };
    let outcome = match tool.request.request(&arguments) {
        Ok(request) => send(caller, app, tool, request).await,
        Err(complaints) => refused(&complaints),
    };
    with_name(outcome, tool, called_as)
}

fn refused(complaints: &[String]) -> Outcome {
    let mut text = String::from("The call was not made: its arguments are not as the tool takes them.");
    for complaint in complaints {
        text.push_str("\n- ");
        text.push_str(complaint);
    }
    Outcome::error(text)
}

/// Clients keep lists of tools for months; one that uses a former name is told the present one.
fn with_name(mut outcome: Outcome, tool: &Tool, called_as: &str) -> Outcome {
    if *tool.name != *called_as {
        outcome.remark(format!("Note: the tool `{called_as}` is now called `{}`.", tool.name));
    }
    outcome
}

async fn send(caller: &Caller<'_>, app: &McpApp, tool: &Tool, mut request: Request) -> Outcome {
    let Some(route) = caller.generation.routes.get(&tool.route) else {
        return Outcome::error("This tool is not served at present. Try again later.".into());
    };
    if matches!(route.target, Target::Mcp(_)) {
        // A tool that calls an MCP endpoint could call itself.
        return Outcome::error("This tool leads to an MCP endpoint, which a tool cannot call.".into());
    }
    let credentials = credential_headers(caller.generation, route);
    let had_credential = credentials.iter().any(|name| caller.headers.contains_key(name));
    pass_on(caller.headers, request.headers_mut(), &credentials);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let uri = format!("{}://{host}{}", caller.arrival.scheme, request.uri());
    let arrival = Arrival { tool: Some((route.clone(), tool.name.clone())), ..caller.arrival.clone() };
    // Boxed: an exchange may hold a call, which holds an exchange.
    let exchange: Pin<Box<dyn Future<Output = Response> + '_>> =
        Box::pin(exchange::run(caller.worker, request, arrival));
    let (head, body) = exchange.await.into_parts();
    let called = Called { method: tool.request.method(), credential_headers: &credentials, had_credential };
    let form = Form { max_characters: app.max_result_characters, structured: tool.structured, uri: &uri };
    Outcome::of(&head, body, &called, &form).await
}

/// Headers in which plugins of the route or of global rules take a credential, each once.
fn credential_headers(generation: &Generation, route: &RouteEntry) -> Vec<HeaderName> {
    let mut names: Vec<HeaderName> = Vec::new();
    for name in route.chain.credential_headers().chain(generation.global.credential_headers()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Copies the caller's headers that a call may have; they replace what an argument put in their place.
fn pass_on(from: &HeaderMap, to: &mut HeaderMap, credentials: &[HeaderName]) {
    let fixed = PASSED_ON.iter().map(|name| HeaderName::from_static(name));
    for name in fixed.chain(credentials.iter().cloned()) {
        let mut values = from.get_all(&name).iter();
        let Some(first) = values.next() else { continue };
        to.insert(&name, first.clone());
        for value in values {
            to.append(&name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;

    #[test]
    fn a_call_passes_on_listed_headers_and_the_route_s_credentials_alone() {
        let mut from = HeaderMap::new();
        for name in [
            "apikey",
            "authorization",
            "cookie",
            "x-request-id",
            "openai-gpt-id",
            "x-forwarded-for",
            "origin",
        ] {
            from.insert(name, HeaderValue::from_static("outer"));
        }
        let mut to = HeaderMap::new();
        to.insert("apikey", HeaderValue::from_static("argument"));
        to.insert("host", HeaderValue::from_static("api.example.com"));
        pass_on(&from, &mut to, &[HeaderName::from_static("apikey")]);
        let mut names: Vec<_> =
            to.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        names.sort_unstable();
        let expected = [
            ("apikey", "outer"),
            ("host", "api.example.com"),
            ("openai-gpt-id", "outer"),
            ("x-request-id", "outer"),
        ];
        assert_eq!(names, expected);
    }
}
