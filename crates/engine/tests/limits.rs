//! What a client may send and how slowly, and whom the gateway believes, with exact bytes over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use std::net::SocketAddr;
use toolway_engine::Engine;
use toolway_testkit::{RawClient, Response, ScriptedUpstream, Step};

/// A gateway with these settings and one route to an upstream that always answers 200.
async fn start(gateway: Value, route: Value) -> (Engine, SocketAddr, ScriptedUpstream) {
    let upstream = ScriptedUpstream::start([Step::ok("")]).await.unwrap();
    let mut settings = json!({"listen": ["127.0.0.1:0"], "workers": 1});
    settings.as_object_mut().unwrap().extend(gateway.as_object().unwrap().clone());
    let mut to_upstream = json!({"id": "r", "uris": ["/*"], "target": {"upstream": {"id": "up"}}});
    to_upstream.as_object_mut().unwrap().extend(route.as_object().unwrap().clone());
    let snapshot = json!({
        "version": 1,
        "gateway": settings,
        "upstreams": [{
            "id": "up", "scheme": "http", "pass_host": "pass", "retries": 0, "tls_verify": true,
            "nodes": [{"host": "127.0.0.1", "port": upstream.address().port(), "weight": 1}],
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000},
        }],
        "routes": [to_upstream],
    });
    let engine = Engine::new(&snapshot.to_string()).unwrap();
    engine.start().unwrap();
    let address = *engine.listen_addresses().first().unwrap();
    (engine, address, upstream)
}

fn told(response: &Response) -> (u16, Option<&str>, Option<&str>) {
    (response.status(), response.header("x-toolway-error"), response.header("connection"))
}

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_anything_is_sent() {
    let (_engine, address, upstream) = start(json!({"limits": {"body_bytes": 4}}), json!({})).await;
    let response =
        RawClient::exchange(address, format!("{POST}Content-Length: 5\r\n\r\nabcde")).await.unwrap();
    assert_eq!(told(&response), (413, Some("body_too_large"), Some("close")));
    assert_eq!(upstream.connections(), 0);
    let response =
        RawClient::exchange(address, format!("{POST}Content-Length: 4\r\n\r\nabcd")).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_body_that_becomes_too_large_is_refused_on_the_way() {
    let (_engine, address, _upstream) = start(json!({"limits": {"body_bytes": 4}}), json!({})).await;
    let request = format!("{POST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    let response = RawClient::exchange(address, request).await.unwrap();
    assert_eq!(told(&response), (413, Some("body_too_large"), Some("close")));
}

#[tokio::test]
async fn the_smaller_of_the_gateways_limit_and_a_routes_counts() {
    for (gateway, route) in [(4, 100), (100, 4)] {
        let plugins = json!({"plugins": {"client-control": {"max_body_size": route}}});
        let (_engine, address, upstream) = start(json!({"limits": {"body_bytes": gateway}}), plugins).await;
        let announced = format!("{POST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
        let response = RawClient::exchange(address, announced).await.unwrap();
        assert_eq!(told(&response), (413, Some("body_too_large"), Some("close")));
        assert_eq!(upstream.connections(), 0);
        let chunked = format!("{POST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        let response = RawClient::exchange(address, chunked).await.unwrap();
        assert_eq!(told(&response), (413, Some("body_too_large"), Some("close")));
        let fits = format!("{POST}Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n");
        assert_eq!(RawClient::exchange(address, fits).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_client_that_stalls_in_its_body_gets_408() {
    let (_engine, address, _upstream) = start(json!({"limits": {"body_timeout_ms": 50}}), json!({})).await;
    let response = RawClient::exchange(address, format!("{POST}Content-Length: 5\r\n\r\nabc")).await.unwrap();
    assert_eq!(told(&response), (408, Some("body_timeout"), Some("close")));
}

#[tokio::test]
async fn a_client_that_stalls_while_its_route_is_sought_gets_408() {
    let vars = json!({"vars": [["post_arg_a", "==", "b"]]});
    let (_engine, address, upstream) = start(json!({"limits": {"body_timeout_ms": 50}}), vars).await;
    let response = RawClient::exchange(address, format!("{POST}Content-Length: 5\r\n\r\nabc")).await.unwrap();
    assert_eq!(told(&response), (408, Some("body_timeout"), Some("close")));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_uri_that_is_too_long_gets_414() {
    let (_engine, address, _upstream) = start(json!({"limits": {"uri_bytes": 20}}), json!({})).await;
    for (query, status) in [("a".repeat(18), 200), ("a".repeat(19), 414)] {
        let request = format!("GET /?{query} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(RawClient::exchange(address, request).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_gets_an_empty_431() {
    let limits = json!({"limits": {"head_bytes": 8192, "headers": 10}});
    let (_engine, address, _upstream) = start(limits, json!({})).await;
    let long = format!("X-Long: {}\r\n", "a".repeat(9000));
    let many = "X-A: b\r\n".repeat(10);
    for headers in [long, many] {
        let response = RawClient::exchange(address, format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"))
            .await
            .unwrap();
        assert_eq!((response.status(), response.text().as_str()), (431, ""), "{headers:.10}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_disconnected() {
    let (_engine, address, _upstream) = start(json!({"limits": {"head_timeout_ms": 50}}), json!({})).await;
    let mut client = RawClient::connect(address).await.unwrap();
    client.send("GET / HTTP/1.1\r\nHost:").await.unwrap();
    assert_eq!(client.until_close().await.unwrap(), b"");
}

const FORWARDED: &str = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\
    X-Forwarded-Host: shop.test\r\nX-Forwarded-Port: 443\r\n\r\n";

#[tokio::test]
async fn a_trusted_peer_speaks_for_its_client() {
    let trusted = json!({"trusted_addresses": ["127.0.0.1"]});
    let only = json!({"remote_addrs": ["192.0.2.0/24"], "vars": [["scheme", "==", "https"]]});
    let (_engine, address, upstream) = start(trusted, only).await;
    assert_eq!(RawClient::exchange(address, FORWARDED).await.unwrap().status(), 200);
    let received = upstream.received().remove(0);
    for (name, value) in [
        ("x-real-ip", "192.0.2.1"),
        ("x-forwarded-for", "192.0.2.1, 127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.test"),
        ("x-forwarded-port", "443"),
    ] {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_peer_that_is_not_trusted_speaks_for_itself() {
    let trusted = json!({"trusted_addresses": ["10.0.0.0/8"]});
    let (_engine, address, upstream) = start(trusted, json!({"remote_addrs": ["127.0.0.1"]})).await;
    assert_eq!(RawClient::exchange(address, FORWARDED).await.unwrap().status(), 200);
    let received = upstream.received().remove(0);
    for (name, value) in
        [("x-real-ip", "127.0.0.1"), ("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "http")]
    {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn the_real_ip_plugin_tells_the_upstream_the_address_it_found() {
    let settings = json!({"source": "http_x_client", "trusted_addresses": ["127.0.0.0/8"]});
    let (_engine, address, upstream) = start(json!({}), json!({"plugins": {"real-ip": settings}})).await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Client: 192.0.2.9\r\n\r\n";
    RawClient::exchange(address, request).await.unwrap();
    let received = upstream.received().remove(0);
    assert_eq!(received.header("x-real-ip"), Some("192.0.2.9"));
    assert_eq!(received.header("x-forwarded-for"), Some("192.0.2.9"));
}

#[tokio::test]
async fn paths_are_spelled_as_the_configuration_chooses() {
    let rules = json!({"path": {"doubled_slashes": "merge", "encoded_slashes": "refuse"}});
    let (_engine, address, upstream) = start(rules, json!({})).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    RawClient::exchange(address, get("/a//b?c=//d")).await.unwrap();
    assert_eq!(upstream.received().remove(0).line(), "GET /a/b?c=//d HTTP/1.1");
    let response = RawClient::exchange(address, get("/a%2Fb")).await.unwrap();
    assert_eq!((response.status(), response.header("x-toolway-error")), (400, Some("path_encoded_slash")));
}
