//! Roles on the wire: who may call an operation, on its route and as a tool, and what each caller is shown of an app.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use toolway_engine::Engine;
use toolway_testkit::{RawClient, Response, ScriptedUpstream, Step};

struct Gateway {
    engine: Engine,
    upstream: ScriptedUpstream,
}

fn sha256(key: &str) -> String {
    digest(&SHA256, key.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn consumer(name: &str, roles: &[&str]) -> Value {
    let config = json!({"key_sha256": sha256(&format!("{name}-key"))});
    json!({"username": name, "roles": roles,
        "credentials": [{"id": "one", "plugin": "key-auth", "config": config}]})
}

fn tool(name: &str, roles: Value) -> Value {
    json!({
        "name": name, "route": name, "roles": roles,
        "definition": {"name": name, "inputSchema": {"type": "object"}},
        "request": {"method": "GET", "host": "gateway.test", "path": format!("/{name}"), "accept": "*/*"},
    })
}

fn route(name: &str, roles: Value, plugins: Value) -> Value {
    json!({"id": name, "uris": [format!("/{name}")], "operation": name, "roles": roles, "plugins": plugins,
        "target": {"upstream": {"id": "up"}}})
}

impl Gateway {
    /// `look` is for anybody, `order` for buyers and admins, `cancel` for admins of whom the app asks to be buyers too,
    /// `never` for nobody, `odd` for buyers though nothing finds out who calls.
    async fn start() -> Self {
        let upstream = ScriptedUpstream::start([Step::ok("fine")]).await.unwrap();
        let engine = Engine::new(&snapshot(&upstream).to_string()).unwrap();
        engine.start().unwrap();
        Self { engine, upstream }
    }

    async fn send(&self, method: &str, target: &str, key: &str, body: &str) -> Response {
        let key = if key.is_empty() { String::new() } else { format!("apikey: {key}\r\n") };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: gateway.test\r\nContent-Type: application/json\r\n{key}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        RawClient::exchange(self.engine.listen_addresses()[0], request).await.unwrap()
    }

    async fn rpc(&self, key: &str, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let response = self.send("POST", "/mcp", key, &body).await;
        serde_json::from_slice(&response.body()).unwrap()
    }

    async fn tools(&self, key: &str) -> Vec<String> {
        let answer = self.rpc(key, "tools/list", json!({})).await;
        let tools = answer["result"]["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn snapshot(upstream: &ScriptedUpstream) -> Value {
    let key_auth = json!({"key-auth": {}});
    let document = |path: &str| {
        json!({"id": path, "uris": [path], "plugins": {}, "target": {"document": {
            "app": "app", "headers": {"cache-control": "private", "vary": "apikey"},
            "variants": [
                {"tools": ["order", "cancel"], "body": "look order cancel"},
                {"tools": ["order"], "body": "look order"},
                {"tools": [], "body": "look"},
            ],
        }}})
    };
    json!({
        "version": 1,
        "gateway": {"listen": ["127.0.0.1:0"], "workers": 1},
        "upstreams": [{
            "id": "up", "scheme": "http", "pass_host": "pass", "retries": 0,
            "nodes": [{"host": "127.0.0.1", "port": upstream.address().port(), "weight": 1}],
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000}, "tls_verify": true,
        }],
        "consumers": [
            consumer("guest", &[]), consumer("bob", &["reader", "buyer"]),
            consumer("ann", &["admin"]), consumer("both", &["admin", "buyer"]),
        ],
        "apps": [{"id": "app", "name": "app", "title": "App", "version": "1", "max_result_characters": 1000,
            "tools": [
                tool("look", json!([])), tool("order", json!([["buyer", "admin"]])),
                tool("cancel", json!([["admin"], ["buyer"]])), tool("never", json!([[]])),
            ]}],
        "routes": [
            {"id": "mcp", "uris": ["/mcp"], "plugins": {}, "target": {"mcp": {"app": "app"}}},
            document("/openapi.yaml"),
            route("look", json!(null), json!({})),
            route("order", json!(["buyer", "admin"]), key_auth.clone()),
            route("cancel", json!(["admin"]), key_auth.clone()),
            route("never", json!([]), key_auth),
            route("odd", json!(["buyer"]), json!({})),
        ],
    })
}

#[tokio::test]
async fn a_route_is_for_callers_with_one_of_its_roles() {
    let gateway = Gateway::start().await;
    for (target, key, status) in [
        ("/look", "", 200),
        ("/order", "bob-key", 200),
        ("/order", "ann-key", 200),
        ("/cancel", "ann-key", 200),
        ("/order", "guest-key", 403),
        ("/cancel", "bob-key", 403),
        ("/never", "both-key", 403),
        ("/order", "", 401),
        ("/order", "nobodys-key", 401),
        ("/odd", "bob-key", 401),
    ] {
        let response = gateway.send("GET", target, key, "").await;
        assert_eq!(response.status(), status, "{target} {key}");
    }
    assert_eq!(gateway.upstream.received().len(), 4);
}

#[tokio::test]
async fn a_refusal_has_a_code_and_names_the_roles_that_are_needed() {
    let gateway = Gateway::start().await;
    let response = gateway.send("GET", "/order", "guest-key", "").await;
    assert_eq!(response.header("x-toolway-error"), Some("role_missing"));
    let said: Value = serde_json::from_slice(&response.body()).unwrap();
    let expected = "This caller may not make this call: it needs one of the roles buyer, admin";
    assert_eq!(said, json!({"error_msg": expected}));
    let response = gateway.send("GET", "/odd", "", "").await;
    assert_eq!(response.header("x-toolway-error"), Some("caller_unknown"));
    assert_eq!(response.header("www-authenticate"), Some("role realm=\"toolway\""));
}

#[tokio::test]
async fn a_tool_call_is_held_against_the_rules_of_route_and_app() {
    let gateway = Gateway::start().await;
    for (key, tool, said) in [
        ("both-key", "cancel", None),
        ("bob-key", "order", None),
        ("ann-key", "cancel", Some("it needs the role buyer")),
        ("bob-key", "cancel", Some("it needs the role admin")),
        ("guest-key", "order", Some("it needs one of the roles buyer, admin")),
        ("", "order", Some("HTTP 401")),
        ("both-key", "never", Some("nobody may make this call")),
    ] {
        let answer = gateway.rpc(key, "tools/call", json!({"name": tool})).await;
        let text = answer["result"]["content"][0]["text"].as_str().unwrap().to_owned();
        assert_eq!(answer["result"]["isError"] == json!(true), said.is_some(), "{tool} {key}: {text}");
        assert!(text.contains(said.unwrap_or("fine")), "{tool} {key}: {text}");
    }
    assert_eq!(gateway.upstream.received().len(), 2);
}

#[tokio::test]
async fn a_list_shows_a_caller_what_it_may_call_and_is_private() {
    let gateway = Gateway::start().await;
    for key in ["", "nobodys-key", "guest-key"] {
        assert_eq!(gateway.tools(key).await, ["look"], "{key}");
    }
    assert_eq!(gateway.tools("bob-key").await, ["look", "order"]);
    assert_eq!(gateway.tools("ann-key").await, ["look", "order"]);
    assert_eq!(gateway.tools("both-key").await, ["look", "order", "cancel"]);
    let meta = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": meta}).to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: gateway.test\r\nContent-Type: application/json\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let response = RawClient::exchange(gateway.engine.listen_addresses()[0], request).await.unwrap();
    let answer: Value = serde_json::from_slice(&response.body()).unwrap();
    assert_eq!(answer["result"]["cacheScope"], "private", "{answer}");
}

#[tokio::test]
async fn a_name_near_to_that_of_a_tool_with_roles_does_not_betray_it() {
    let gateway = Gateway::start().await;
    let answer = gateway.rpc("", "tools/call", json!({"name": "ordr"})).await;
    assert_eq!(answer["error"]["message"], "Unknown tool: ordr");
    let answer = gateway.rpc("", "tools/call", json!({"name": "lok"})).await;
    assert_eq!(answer["error"]["message"], "Unknown tool: lok. Did you mean look?");
}

#[tokio::test]
async fn a_document_shows_a_caller_what_it_may_call() {
    let gateway = Gateway::start().await;
    for (target, key, body) in [
        ("/openapi.yaml", "", "look"),
        ("/openapi.yaml", "guest-key", "look"),
        ("/openapi.yaml", "bob-key", "look order"),
        ("/openapi.yaml", "both-key", "look order cancel"),
        ("/openapi.yaml?apikey=bob-key", "", "look order"),
    ] {
        let response = gateway.send("GET", target, key, "").await;
        assert_eq!((response.status(), response.body()), (200, body.into()), "{target} {key}");
        assert_eq!(response.header("cache-control"), Some("private"));
        assert_eq!(response.header("vary"), Some("apikey"));
    }
}

#[tokio::test]
async fn a_role_is_gained_and_lost_by_the_next_request() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.send("GET", "/order", "guest-key", "").await.status(), 403);
    let change = |roles: &[&str]| {
        let delta = json!({"version": 1, "put": {"consumers": [consumer("guest", roles)]}, "remove": {}});
        gateway.engine.commit(&gateway.engine.prepare(&delta.to_string()).unwrap()).unwrap();
    };
    change(&["buyer"]);
    assert_eq!(gateway.send("GET", "/order", "guest-key", "").await.status(), 200);
    assert_eq!(gateway.tools("guest-key").await, ["look", "order"]);
    change(&["reader"]);
    assert_eq!(gateway.send("GET", "/order", "guest-key", "").await.status(), 403);
    assert_eq!(gateway.tools("guest-key").await, ["look"]);
}

#[tokio::test]
async fn the_last_use_of_a_credential_is_known_and_outlives_swaps() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.engine.last_use("bob", "one"), None);
    gateway.send("GET", "/order", "nobodys-key", "").await;
    assert_eq!(gateway.engine.last_use("bob", "one"), None);
    assert_eq!(gateway.send("GET", "/order", "bob-key", "").await.status(), 200);
    let used = gateway.engine.last_use("bob", "one").unwrap();
    assert_eq!(gateway.engine.last_use("ann", "one"), None);
    assert_eq!(gateway.engine.last_use("bob", "two"), None);
    gateway.engine.apply(&snapshot(&gateway.upstream).to_string()).unwrap();
    assert_eq!(gateway.engine.last_use("bob", "one"), Some(used));
    let delta = json!({"version": 1, "put": {"consumers": [consumer("bob", &[])]}, "remove": {}});
    gateway.engine.commit(&gateway.engine.prepare(&delta.to_string()).unwrap()).unwrap();
    assert_eq!(gateway.engine.last_use("bob", "one"), Some(used));
}

#[tokio::test]
async fn a_wrong_password_is_no_use_of_the_credential() {
    let gateway = Gateway::start().await;
    let password = json!({"id": "two", "plugin": "basic-auth", "config":
        {"username": "dora", "password_hash": bcrypt::hash("sesame", 4).unwrap()}});
    let dora = json!({"username": "dora", "credentials": [password]});
    let basic = route("basic", json!(null), json!({"basic-auth": {}}));
    let delta = json!({"version": 1, "put": {"consumers": [dora], "routes": [basic]}, "remove": {}});
    gateway.engine.commit(&gateway.engine.prepare(&delta.to_string()).unwrap()).unwrap();
    for (password, status, is_used) in [("sesam", 401, false), ("sesame", 200, true)] {
        let encoded = BASE64_STANDARD.encode(format!("dora:{password}"));
        let request =
            format!("GET /basic HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Basic {encoded}\r\n\r\n");
        let response = RawClient::exchange(gateway.engine.listen_addresses()[0], request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(gateway.engine.last_use("dora", "two").is_some(), is_used);
    }
}

#[test]
fn a_document_without_a_variant_for_everybody_is_refused() {
    let route = json!({"id": "a", "uris": ["/a"], "target": {"document": {"app": "app", "variants": [
        {"tools": ["order"], "body": ""}]}}});
    let snapshot = json!({"version": 1, "gateway": {"listen": [], "workers": 1}, "routes": [route]});
    let error = Engine::new(&snapshot.to_string()).err().unwrap();
    let places: Vec<_> = error.problems.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(places, ["/routes/0/target/document/variants", "/routes/0/target/document/app"]);
}

#[tokio::test]
async fn only_the_gateway_tells_the_upstream_a_claim_whichever_plugin_lets_the_caller_in() {
    let upstream = ScriptedUpstream::start([Step::ok("fine")]).await.unwrap();
    let mut snapshot = snapshot(&upstream);
    let jwt = json!({"jwt-auth": {"upstream_headers": {"X-User-Roles": "roles"}}});
    let multi = json!({"multi-auth": {"auth_plugins": [{"key-auth": {}}, jwt]}});
    snapshot["routes"].as_array_mut().unwrap().push(route("told", json!(null), multi));
    let engine = Engine::new(&snapshot.to_string()).unwrap();
    engine.start().unwrap();
    let request = "GET /told HTTP/1.1\r\nHost: gateway.test\r\napikey: bob-key\r\nX-User-Roles: admin\r\n\
                   X_User_Roles: admin\r\nx-user-role: kept\r\n\r\n";
    let response = RawClient::exchange(engine.listen_addresses()[0], request).await.unwrap();
    assert_eq!(response.status(), 200);
    let received = &upstream.received()[0];
    assert_eq!(received.header("x-user-roles"), None);
    assert_eq!(received.header("x_user_roles"), None);
    assert_eq!(received.header("x-user-role"), Some("kept"));
    assert_eq!(received.header("x-consumer-username"), Some("bob"));
}
