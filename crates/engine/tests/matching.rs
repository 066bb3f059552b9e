//! Routes by predicates, over real sockets: which upstream gets a request, and that it gets all of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use std::net::SocketAddr;
use toolway_engine::Engine;
use toolway_testkit::{RawClient, ScriptedUpstream, Step};

/// A gateway with these settings where routes `special`, with these predicates, and `plain` share a path.
async fn start(gateway: Value, predicates: Value) -> (Engine, SocketAddr, ScriptedUpstream) {
    let upstream = ScriptedUpstream::start([Step::ok("")]).await.unwrap();
    let route = |id: &str, priority: i64| {
        json!({"id": id, "uris": ["/*"], "priority": priority,
            "plugins": {"proxy-rewrite": {"headers": {"set": {"X-Route": id}}}},
            "target": {"upstream": {"id": "up"}}})
    };
    let mut special = route("special", 1);
    special.as_object_mut().unwrap().extend(predicates.as_object().unwrap().clone());
    let mut settings = json!({"listen": ["127.0.0.1:0"], "workers": 1});
    settings.as_object_mut().unwrap().extend(gateway.as_object().unwrap().clone());
    let snapshot = json!({
        "version": 1,
        "gateway": settings,
        "upstreams": [{
            "id": "up", "scheme": "http", "pass_host": "pass", "retries": 0, "tls_verify": true,
            "nodes": [{"host": "127.0.0.1", "port": upstream.address().port(), "weight": 1}],
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000},
        }],
        "routes": [special, route("plain", 0)],
    });
    let engine = Engine::new(&snapshot.to_string()).unwrap();
    engine.start().unwrap();
    let address = *engine.listen_addresses().first().unwrap();
    (engine, address, upstream)
}

fn post(media_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /p HTTP/1.1\r\nHost: a\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_form_chooses_the_route_and_reaches_the_upstream_whole() {
    let vars = json!({"vars": [["post_arg_plan", "==", "gold"]]});
    let (_engine, address, upstream) = start(json!({}), vars).await;
    let form = "application/x-www-form-urlencoded";
    let chunked = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
        Transfer-Encoding: chunked\r\n\r\n5\r\nplan=\r\n4\r\ngold\r\n0\r\n\r\n";
    let long = format!("plan=gold&rest={}", "x".repeat(100_000));
    for (request, route, body) in [
        (post(form, "plan=gold"), "special", "plan=gold"),
        (post(form, "plan=silver"), "plain", "plan=silver"),
        (chunked.to_owned(), "special", "plan=gold"),
        (post(form, &long), "plain", &long),
        ("GET /p HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "plain", ""),
    ] {
        let status = RawClient::exchange(address, request).await.unwrap().status();
        let received = upstream.received().pop().unwrap();
        assert_eq!((status, received.header("x-route")), (200, Some(route)), "{body:.30}");
        assert_eq!(received.body(), body.as_bytes(), "{body:.30}");
    }
}

#[tokio::test]
async fn a_long_chunked_body_reaches_the_upstream_whole() {
    let vars = json!({"vars": [["post_arg_plan", "==", "gold"]]});
    let limits = json!({"limits": {"match_body_bytes": 10}});
    let (_engine, address, upstream) = start(limits, vars).await;
    let request = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nplan=\r\n8\r\ngold&a=b\r\n3\r\n&cd\r\n0\r\n\r\n";
    RawClient::exchange(address, request).await.unwrap();
    let received = upstream.received().pop().unwrap();
    assert_eq!(
        (received.header("x-route"), received.header("transfer-encoding")),
        (Some("plain"), Some("chunked"))
    );
    assert_eq!(received.body(), b"plan=gold&a=b&cd");
}

#[tokio::test]
async fn a_graphql_mutation_takes_its_own_route() {
    let vars =
        json!({"vars": [["graphql_operation", "==", "mutation"], ["graphql_root_fields", "has", "pay"]]});
    let (_engine, address, upstream) = start(json!({}), vars).await;
    for (document, route) in [
        ("mutation { pay }", "special"),
        ("mutation { ... { pay } }", "special"),
        ("mutation { note }", "plain"),
        ("{ pay }", "plain"),
    ] {
        let body = json!({"query": document}).to_string();
        RawClient::exchange(address, post("application/json", &body)).await.unwrap();
        assert_eq!(upstream.received().pop().unwrap().header("x-route"), Some(route), "{document}");
    }
}

#[tokio::test]
async fn a_route_takes_clients_by_address_and_requests_by_vars() {
    for (predicates, route) in [
        (json!({"remote_addrs": ["127.0.0.0/8"]}), "special"),
        (json!({"remote_addrs": ["192.0.2.0/24"]}), "plain"),
        (json!({"vars": [["arg_v", ">=", 2], ["http_x_a", "~~", "^b"]]}), "special"),
        (json!({"vars": [["OR", ["arg_v", "==", 2], ["uri", "==", "/p"]]]}), "plain"),
    ] {
        let (_engine, address, upstream) = start(json!({}), predicates.clone()).await;
        let request = "GET /%71?v=10 HTTP/1.1\r\nHost: a\r\nX-A: bc\r\n\r\n";
        RawClient::exchange(address, request).await.unwrap();
        assert_eq!(upstream.received().pop().unwrap().header("x-route"), Some(route), "{predicates}");
    }
}

#[test]
fn a_predicate_that_cannot_hold_is_told_with_its_place() {
    let route = json!({"id": "r", "uris": ["/"], "target": {"static": {"status": 200}},
        "remote_addrs": ["127.0.0.1", "here"], "vars": [["arg_a", "==", "b"], ["nothing", "==", "b"]]});
    let snapshot = json!({"version": 1, "gateway": {"listen": [], "workers": 1}, "routes": [route]});
    let problems = Engine::check(&snapshot.to_string()).unwrap_err().problems;
    let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(places, ["/routes/0/remote_addrs/1", "/routes/0/vars/1/0"]);
}
