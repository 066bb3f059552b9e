//! `tools/call`: arguments are checked, made into a request, and run as an exchange of its own through the operation's
//! route, so that every plugin of the route holds for tools as it does for other clients.

use super::advice::Called;
use super::app::{McpApp, Tool};
use super::cut::cut_text;
use super::outcome::{Form, Outcome};
use crate::exchange::{self, Arrival, Carrier, ToolCall};
use crate::generation::{Generation, RouteEntry, Target};
use crate::http::{Request, Response};
use crate::server::Worker;
use crate::variable::{arguments, decodes_to};
use ::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use serde_json::{Map, Value};
use std::fmt::{self, Display};
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
    /// Its query, and what plugins withheld of that.
    pub queries: [&'a str; 2],
    pub arrival: &'a Arrival,
    /// The exchange that carries the call, where one does.
    pub carrier: Option<Carrier>,
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
        _ => return with_name(refused(&complaints, app.max_result_characters), tool, called_as),
    };
    let outcome = match tool.request.request(&arguments) {
        Ok(request) => send(caller, app, tool, request).await,
        Err(complaints) => refused(&complaints, app.max_result_characters),
    };
    with_name(outcome, tool, called_as)
}

fn refused(complaints: &[String], max_characters: usize) -> Outcome {
    let mut text = String::from("The call was not made: its arguments are not as the tool takes them.");
    for complaint in complaints {
        text.push_str("\n- ");
        text.push_str(complaint);
    }
    Outcome::error(cut_text(text, max_characters))
}

/// Clients keep lists of tools for months; one that uses a former name is told the present one.
fn with_name(mut outcome: Outcome, tool: &Tool, called_as: &str) -> Outcome {
    if *tool.name != *called_as {
        outcome.remark(format!("Note: the tool `{called_as}` is now called `{}`.", tool.name));
    }
    outcome
}

async fn send(caller: &Caller<'_>, app: &McpApp, tool: &Tool, mut request: Request) -> Outcome {
    let Some(route) = caller.generation.routes.get(tool.route.as_bytes()) else {
        return Outcome::error("This tool is not served at present. Try again later.".into());
    };
    if matches!(route.target, Target::Mcp { .. }) {
        // A tool that calls an MCP endpoint could call itself.
        return Outcome::error("This tool leads to an MCP endpoint, which a tool cannot call.".into());
    }
    let credentials = credential_headers(caller.generation, route);
    // Taken before a key may stand in it, for models are shown it.
    let address = Address {
        scheme: caller.arrival.scheme,
        host: request.headers().get(header::HOST).cloned(),
        uri: request.uri().clone(),
    };
    let in_header = credentials.iter().any(|name| caller.headers.contains_key(name));
    pass_on(caller.headers, request.headers_mut(), &credentials);
    let arguments = credential_arguments(caller.generation, route);
    let in_query = pass_on_query(&caller.queries, request.uri_mut(), &arguments);
    let had_credential = in_header || in_query;
    let called = ToolCall {
        generation: caller.generation.clone(),
        route: route.clone(),
        name: tool.name.clone(),
        rules: tool.rules.clone(),
        carrier: caller.carrier.clone(),
    };
    let arrival = Arrival { tool: Some(called), activity: None, upgrade: None, ..caller.arrival.clone() };
    // Boxed: an exchange may hold a call, which holds an exchange.
    let exchange: Pin<Box<dyn Future<Output = Response> + '_>> =
        Box::pin(exchange::run(caller.worker, request, arrival));
    let (head, body) = exchange.await.into_parts();
    let called = Called { method: tool.request.method(), credential_headers: &credentials, had_credential };
    let form =
        Form { max_characters: app.max_result_characters, output: tool.output.as_ref(), address: &address };
    Outcome::of(&head, body, &called, &form).await
}

/// Where a call went, written only for results that name it.
struct Address {
    scheme: &'static str,
    host: Option<HeaderValue>,
    uri: Uri,
}

impl Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
        write!(formatter, "{}://{host}{}", self.scheme, self.uri)
    }
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

/// Query arguments in which they take one.
fn credential_arguments<'a>(generation: &'a Generation, route: &'a RouteEntry) -> Vec<&'a str> {
    let all = route.chain.credential_arguments().chain(generation.global.credential_arguments());
    all.map(String::as_str).collect()
}

/// Copies the caller's credentials from `queries` to `uri`, where they replace what an argument put in their place.
/// Whether there are any.
fn pass_on_query(queries: &[&str], uri: &mut Uri, credentials: &[&str]) -> bool {
    let is_one_of = |names: &[&str], part: &str| {
        arguments(part).any(|(name, _)| names.iter().any(|credential| decodes_to(name, credential)))
    };
    let parts = queries.iter().flat_map(|query| query.split('&'));
    let passed: Vec<&str> = parts.filter(|part| is_one_of(credentials, part)).collect();
    if passed.is_empty() {
        return false;
    }
    let replaced: Vec<&str> = credentials
        .iter()
        .copied()
        .filter(|credential| passed.iter().any(|part| is_one_of(&[credential], part)))
        .collect();
    let own = uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty());
    let own = own.filter(|part| !is_one_of(&replaced, part));
    let query: Vec<&str> = own.chain(passed.iter().copied()).collect();
    let with_query = format!("{}?{}", uri.path(), query.join("&"));
    // What is too long stays as it is, and is refused for want of the credential.
    if let Ok(with_query) = with_query.parse() {
        *uri = with_query;
    }
    true
}

/// Copies the caller's headers that a call may have; they replace what an argument put in their place.
fn pass_on(from: &HeaderMap, to: &mut HeaderMap, credentials: &[HeaderName]) {
    let passes = |name: &HeaderName| PASSED_ON.contains(&name.as_str()) || credentials.contains(name);
    for name in from.keys().filter(|name| passes(name)) {
        to.remove(name);
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::testing::{Bench, get};
    use serde_json::json;

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

    #[test]
    fn a_key_in_the_query_goes_along_in_place_of_an_argument_s_and_nothing_else_does() {
        let passed = |uri: &'static str, queries: [&str; 2]| {
            let mut uri = Uri::from_static(uri);
            let any = pass_on_query(&queries, &mut uri, &["apikey", "key"]);
            (uri.to_string(), any)
        };
        let expected = |uri: &str, any| (uri.to_owned(), any);
        assert_eq!(passed("/a?b=1", ["x=1&apikey=K%20", ""]), expected("/a?b=1&apikey=K%20", true));
        assert_eq!(passed("/a", ["x=1", "%61pikey=K"]), expected("/a?%61pikey=K", true));
        assert_eq!(passed("/a?apikey=own&key=1", ["apikey=K", ""]), expected("/a?key=1&apikey=K", true));
        assert_eq!(passed("/a?apikey=own", ["x=1", ""]), expected("/a?apikey=own", false));
    }

    #[test]
    fn a_refusal_is_never_longer_than_a_result_may_be() {
        let complaints = vec!["x".repeat(1000); 10];
        let outcome = serde_json::from_slice::<Value>(&refused(&complaints, 1000).json().unwrap()).unwrap();
        assert!(outcome["content"][0]["text"].as_str().unwrap().chars().count() <= 1000);
    }

    #[test]
    fn a_call_stays_with_the_generation_of_its_route_though_another_is_live() {
        let old = Bench::new(json!({}));
        let (old, new) = (old.exchange(get("/")), old.swapped("route", json!({})).exchange(get("/")));
        let route = old.route.clone().unwrap();
        let generation = old.generation.clone();
        let tool =
            Some(ToolCall { generation, route, name: "tool".into(), rules: Arc::new([]), carrier: None });
        let arrival = Arrival { tool, ..new.arrival.clone() };
        let request = get("/").body(crate::http::Body::Empty).unwrap();
        let exchange = exchange::Exchange::for_test(&new.worker, request, arrival);
        assert!(Arc::ptr_eq(&exchange.generation, &old.generation));
        assert!(!Arc::ptr_eq(&exchange.generation, &new.generation));
    }
}
