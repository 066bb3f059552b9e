//! Tool calls on the wire: what of the request that carries a call holds for it, and what counts once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::net::SocketAddr;
use toolway_engine::Engine;
use toolway_testkit::{RawClient, Response, ScriptedUpstream, Step};

/// The SHA-256 of `alice-key`.
const KEY: &str = "72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20";

struct Gateway {
    engine: Engine,
    upstream: ScriptedUpstream,
}

impl Gateway {
    /// A gateway with the tool `find` at `/mcp`, whose route `/find` has `plugins`.
    async fn start(plugins: Value, global: Value, own: Value, answers: Vec<Step>) -> Self {
        let upstream = ScriptedUpstream::start(answers).await.unwrap();
        let engine = Engine::new(&snapshot(upstream.address(), plugins, global, own)).unwrap();
        engine.start().unwrap();
        Self { engine, upstream }
    }

    /// The HTTP response of a call, and its result where it has one.
    async fn call(&self, target: &str, headers: &str) -> (Response, Value) {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "find"}})
            .to_string();
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: gateway.test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             {headers}\r\n{body}",
            body.len()
        );
        let response = RawClient::exchange(self.engine.listen_addresses()[0], request).await.unwrap();
        let message: Value = serde_json::from_slice(&response.body()).unwrap_or_default();
        (response, message["result"].clone())
    }
}

fn snapshot(node: SocketAddr, plugins: Value, global: Value, own: Value) -> String {
    let tool = json!({
        "name": "find", "route": "find",
        "definition": {"name": "find", "inputSchema": {"type": "object"}},
        "request": {"method": "GET", "host": "gateway.test", "path": "/find?page=2", "accept": "*/*"},
    });
    let snapshot = json!({
        "version": 1,
        "gateway": {"listen": ["127.0.0.1:0"], "workers": 1},
        "upstreams": [{
            "id": "up", "scheme": "http", "pass_host": "pass", "retries": 0,
            "nodes": [{"host": "127.0.0.1", "port": node.port(), "weight": 1}],
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000}, "tls_verify": true,
        }],
        "consumers": [{
            "username": "alice", "plugins": own,
            "credentials": [{"id": "one", "plugin": "key-auth", "config": {"key_sha256": KEY}}],
        }],
        "global_rules": [{"id": "all", "plugins": global}],
        "apps": [{"id": "app", "name": "app", "title": "App", "version": "1", "max_result_characters": 1000,
            "tools": [tool]}],
        "routes": [
            {"id": "mcp", "uris": ["/mcp"], "plugins": {}, "target": {"mcp": {"app": "app"}}},
            {"id": "find", "uris": ["/find"], "plugins": plugins, "target": {"upstream": {"id": "up"}}},
        ],
    });
    snapshot.to_string()
}

fn fine(count: usize) -> Vec<Step> {
    (0..count).map(|_| Step::ok("fine")).collect()
}

fn limit(count: u64) -> Value {
    json!({"count": count, "time_window": 600, "rejected_code": 429})
}

#[tokio::test]
async fn a_key_in_the_query_of_the_endpoint_opens_the_tool_s_route_and_reaches_no_upstream() {
    for global in [json!({}), json!({"key-auth": {}})] {
        let gateway = Gateway::start(json!({"key-auth": {}}), global, json!({}), fine(1)).await;
        let (_, result) = gateway.call("/mcp?x=1&apikey=alice-key", "").await;
        assert_eq!(result["isError"], false, "{result}");
        assert_eq!(gateway.upstream.received().remove(0).line(), "GET /find?page=2 HTTP/1.1");
    }
}

#[tokio::test]
async fn a_global_limit_counts_a_tool_call_once() {
    let global = json!({"limit-count": limit(4)});
    let gateway = Gateway::start(json!({}), global, json!({}), fine(4)).await;
    for _ in 0..4 {
        let (response, result) = gateway.call("/mcp", "").await;
        assert_eq!((response.status(), &result["isError"]), (200, &json!(false)));
    }
    assert_eq!(gateway.call("/mcp", "").await.0.status(), 429);
}

#[tokio::test]
async fn a_consumer_s_limit_counts_a_tool_call_once_and_holds_where_only_the_route_knows_the_caller() {
    let own = json!({"limit-count": limit(2)});
    for (plugins, global) in [(json!({}), json!({"key-auth": {}})), (json!({"key-auth": {}}), json!({}))] {
        let gateway = Gateway::start(plugins, global, own.clone(), fine(2)).await;
        for _ in 0..2 {
            let (_, result) = gateway.call("/mcp", "apikey: alice-key\r\n").await;
            assert_eq!(result["isError"], false, "{result}");
        }
        let (response, result) = gateway.call("/mcp", "apikey: alice-key\r\n").await;
        assert!(response.status() == 429 || result["isError"] == true, "{result}");
        assert_eq!(gateway.upstream.received().len(), 2);
    }
}

#[tokio::test]
async fn a_route_s_own_limit_and_global_access_rules_hold_for_the_call() {
    let global = json!({"key-auth": {}, "limit-count": limit(100)});
    let gateway = Gateway::start(json!({"limit-count": limit(1)}), global, json!({}), fine(1)).await;
    assert_eq!(gateway.call("/mcp", "").await.0.status(), 401);
    assert_eq!(gateway.call("/mcp", "apikey: alice-key\r\n").await.1["isError"], false);
    let (_, result) = gateway.call("/mcp", "apikey: alice-key\r\n").await;
    assert!(result["content"][0]["text"].as_str().unwrap().starts_with("HTTP 429"), "{result}");
}

#[tokio::test]
async fn a_bearer_challenge_is_told_to_the_client_and_that_of_a_key_is_not() {
    let refusal =
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer scope=\"a\"\r\nContent-Length: 0\r\n\r\n";
    let gateway = Gateway::start(json!({}), json!({}), json!({}), vec![Step::Answer(refusal.into())]).await;
    let (_, result) = gateway.call("/mcp", "").await;
    assert_eq!(result["_meta"], json!({"mcp/www_authenticate": ["Bearer scope=\"a\""]}));
    let gateway = Gateway::start(json!({"key-auth": {}}), json!({}), json!({}), fine(1)).await;
    let (_, result) = gateway.call("/mcp", "").await;
    assert_eq!((&result["isError"], result.get("_meta")), (&json!(true), None));
}
