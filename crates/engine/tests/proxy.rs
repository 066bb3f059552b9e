//! The engine as a proxy, over real sockets: the bytes that go in on one side and come out on the other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use toolway_engine::Engine;
use toolway_testkit::{RawClient, ScriptedUpstream, Step, closed_address};

/// A snapshot with one upstream `up` at `nodes`, whose timeouts are `read_ms` and otherwise long.
fn snapshot(nodes: &[SocketAddr], routes: Value, read_ms: u64) -> String {
    let nodes: Vec<_> = nodes
        .iter()
        .map(|node| json!({"host": node.ip().to_string(), "port": node.port(), "weight": 1}))
        .collect();
    json!({
        "version": 1,
        "gateway": {"listen": ["127.0.0.1:0"], "workers": 1},
        "upstreams": [{
            "id": "up", "scheme": "http", "nodes": nodes, "pass_host": "pass", "retries": nodes.len().saturating_sub(1),
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": read_ms},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000}, "tls_verify": true,
        }],
        "routes": routes,
    })
    .to_string()
}

fn to_upstream(uris: Value) -> Value {
    json!([{"id": "r", "uris": uris, "target": {"upstream": {"id": "up"}}}])
}

fn start(snapshot: &str) -> (Engine, SocketAddr) {
    let engine = Engine::new(snapshot).unwrap();
    engine.start().unwrap();
    let address = *engine.listen_addresses().first().unwrap();
    (engine, address)
}

const GET: &str = "GET /a?b=c HTTP/1.1\r\nHost: gateway.test\r\n\r\n";

#[tokio::test]
async fn passes_a_request_and_its_answer_on() {
    let upstream = ScriptedUpstream::start([Step::Answer(
        b"HTTP/1.1 201 Created\r\nX-Made: here\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
    )])
    .await
    .unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/a"])), 5000));
    let request = "POST /a?b=c HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 3\r\nX-Own: 1\r\n\r\nabc";
    let response = RawClient::exchange(address, request).await.unwrap();
    assert_eq!(
        (response.status(), response.header("x-made"), response.text().as_str()),
        (201, Some("here"), "hello")
    );
    let received = upstream.received().remove(0);
    assert_eq!(received.line(), "POST /a?b=c HTTP/1.1");
    assert_eq!(received.body(), b"abc");
    for (name, value) in [
        ("host", Some("gateway.test")),
        ("x-own", Some("1")),
        ("content-length", Some("3")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-real-ip", Some("127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-host", Some("gateway.test")),
        ("connection", None),
    ] {
        assert_eq!(received.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn a_client_cannot_say_what_only_the_gateway_says() {
    let upstream = ScriptedUpstream::start([Step::ok("")]).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    let request = "GET / HTTP/1.1\r\nHost: gateway.test\r\nX-Consumer-Username: root\r\nX-Real-IP: 9.9.9.9\r\n\
        X-Forwarded-For: 9.9.9.9\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\n\r\n";
    RawClient::exchange(address, request).await.unwrap();
    let received = upstream.received().remove(0);
    for (name, value) in [
        ("x-consumer-username", None),
        ("x-hop", None),
        ("keep-alive", None),
        ("te", None),
        ("x-real-ip", Some("127.0.0.1")),
        ("x-forwarded-for", Some("127.0.0.1")),
    ] {
        assert_eq!(received.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn keeps_connections_alive_on_both_sides() {
    let upstream = ScriptedUpstream::start([Step::ok("one"), Step::ok("two")]).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    let mut client = RawClient::connect(address).await.unwrap();
    for text in ["one", "two"] {
        client.send(GET).await.unwrap();
        assert_eq!(client.response().await.unwrap().text(), text);
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_pooled_connection_that_the_upstream_closed_is_not_used() {
    let script = [Step::AnswerAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())];
    let upstream = ScriptedUpstream::start(script).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    for _ in 0..20 {
        assert_eq!(RawClient::exchange(address, GET).await.unwrap().status(), 200);
    }
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    upstream.wait_for_closed(20).await.unwrap();
    assert_eq!(RawClient::exchange(address, post).await.unwrap().status(), 200);
}

#[tokio::test]
async fn streams_a_chunked_body_as_it_comes() {
    let pieces = ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "1\r\nb\r\n0\r\n\r\n"];
    let script = [Step::AnswerSlowly(pieces.map(|piece| piece.as_bytes().to_vec()).into())];
    let upstream = ScriptedUpstream::start(script).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    let mut client = RawClient::connect(address).await.unwrap();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    upstream.wait_for_requests(1).await.unwrap();
    upstream.release();
    assert_eq!(client.response_to_head().await.unwrap().status(), 200);
    upstream.release();
    assert_eq!(client.until_close().await.unwrap(), b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
}

#[tokio::test]
async fn answers_404_where_no_route_matches() {
    let (_engine, address) = start(&snapshot(&[], json!([]), 5000));
    let response = RawClient::exchange(address, GET).await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.header("x-toolway-error"), Some("route_not_found"));
    assert_eq!(response.text(), r#"{"error_msg":"404 Route Not Found"}"#);
}

#[tokio::test]
async fn answers_502_where_the_upstream_cannot_be_reached() {
    let closed = closed_address().unwrap();
    let (_engine, address) = start(&snapshot(&[closed], to_upstream(json!(["/*"])), 5000));
    let response = RawClient::exchange(address, GET).await.unwrap();
    assert_eq!((response.status(), response.header("x-toolway-error")), (502, Some("upstream_unreachable")));
}

#[tokio::test]
async fn answers_502_where_the_upstream_closes_without_an_answer() {
    let upstream = ScriptedUpstream::start([Step::Close]).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    let response = RawClient::exchange(address, GET).await.unwrap();
    assert_eq!((response.status(), response.header("x-toolway-error")), (502, Some("upstream_closed")));
}

#[tokio::test]
async fn answers_502_where_the_upstream_does_not_speak_http() {
    let upstream =
        ScriptedUpstream::start([Step::AnswerAndClose(b"SSH-2.0-x\r\n\r\n".to_vec())]).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    let response = RawClient::exchange(address, GET).await.unwrap();
    assert_eq!((response.status(), response.header("x-toolway-error")), (502, Some("upstream_protocol")));
}

#[tokio::test]
async fn answers_504_where_the_upstream_is_silent() {
    let upstream = ScriptedUpstream::start([Step::Stall(Vec::new())]).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 50));
    let response = RawClient::exchange(address, GET).await.unwrap();
    assert_eq!((response.status(), response.header("x-toolway-error")), (504, Some("upstream_read_timeout")));
}

#[tokio::test]
async fn cuts_off_where_the_upstream_stops_in_the_middle_of_its_answer() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart".to_vec();
    let script = [Step::AnswerSlowly(vec![head, b"never".to_vec()])];
    let upstream = ScriptedUpstream::start(script).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 50));
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(GET).await.unwrap();
    upstream.wait_for_requests(1).await.unwrap();
    upstream.release();
    let bytes = client.until_close().await.unwrap();
    assert!(bytes.ends_with(b"\r\n\r\npart"), "{}", String::from_utf8_lossy(&bytes));
}

#[tokio::test]
async fn passes_on_what_came_before_the_upstream_broke_off() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart".to_vec();
    let upstream = ScriptedUpstream::start([Step::AnswerAndClose(answer)]).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(GET).await.unwrap();
    let bytes = client.until_close().await.unwrap();
    assert!(bytes.ends_with(b"\r\n\r\npart"), "{}", String::from_utf8_lossy(&bytes));
}

#[tokio::test]
async fn tries_the_next_node_where_one_cannot_be_reached() {
    let upstream = ScriptedUpstream::start([Step::ok("alive")]).await.unwrap();
    let nodes = [closed_address().unwrap(), upstream.address()];
    let (_engine, address) = start(&snapshot(&nodes, to_upstream(json!(["/*"])), 5000));
    for _ in 0..4 {
        assert_eq!(RawClient::exchange(address, GET).await.unwrap().text(), "alive");
    }
}

#[tokio::test]
async fn a_slow_client_costs_the_upstream_no_timeout() {
    let upstream = ScriptedUpstream::start([Step::ok("whole")]).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 50));
    let mut client = RawClient::connect(address).await.unwrap();
    client.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 2\r\n\r\na").await.unwrap();
    // Longer than the read timeout: an interval that must pass, not a wait for something to happen.
    tokio::time::sleep(Duration::from_millis(120)).await;
    client.send("b").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "whole");
}

#[tokio::test]
async fn exchanges_prefixes_on_the_way_up() {
    let upstream = ScriptedUpstream::start([Step::ok("")]).await.unwrap();
    let target = json!({"upstream": {"id": "up", "strip_prefix": "/shop", "add_prefix": "/v2"}});
    let routes = json!([{"id": "r", "uris": ["/shop/orders/{id}"], "target": target}]);
    let (_engine, address) = start(&snapshot(&[upstream.address()], routes, 5000));
    let request = "GET /shop/x/../orders/%37?q=1 HTTP/1.1\r\nHost: gateway.test\r\n\r\n";
    RawClient::exchange(address, request).await.unwrap();
    assert_eq!(upstream.received().remove(0).line(), "GET /v2/orders/7?q=1 HTTP/1.1");
}

#[tokio::test]
async fn refuses_bad_framing_with_its_code_and_closes() {
    let (_engine, address) = start(&snapshot(&[closed_address().unwrap()], to_upstream(json!(["/*"])), 5000));
    for (request, code) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host_repeated"),
        ("GET / HTTP/1.1\r\n\r\n", "host_missing"),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", "host_mismatch"),
    ] {
        let mut client = RawClient::connect(address).await.unwrap();
        client.send(request).await.unwrap();
        let answer = String::from_utf8(client.until_close().await.unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains(&format!("x-toolway-error: {code}\r\n")), "{answer}");
    }
    let request = "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n";
    let response = RawClient::exchange(address, request).await.unwrap();
    assert_eq!(response.header("x-toolway-error"), Some("path_invalid_percent_encoding"));
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_built_changes_nothing() {
    let upstream = ScriptedUpstream::start([Step::ok("as before")]).await.unwrap();
    let (engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    let routes = json!([
        {"id": "a", "uris": ["no-slash"], "target": {"upstream": {"id": "up"}}},
        {"id": "b", "uris": ["/b"], "target": {"upstream": {"id": "nowhere"}}},
        {"id": "c", "uris": ["/c"], "plugins": {"no-such": {}}, "target": {"upstream": {"id": "up"}}},
    ]);
    let error = engine.apply(&snapshot(&[upstream.address()], routes, 5000)).unwrap_err();
    let places: Vec<_> = error.problems.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(places, ["/routes/0/uris", "/routes/1/target/upstream/id", "/routes/2/plugins/no-such"]);
    assert_eq!(RawClient::exchange(address, GET).await.unwrap().text(), "as before");
}

#[tokio::test]
async fn a_new_snapshot_holds_for_the_next_request_of_an_open_connection() {
    let upstream = ScriptedUpstream::start([Step::ok("")]).await.unwrap();
    let (engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/a"])), 5000));
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(GET).await.unwrap();
    assert_eq!(client.response().await.unwrap().status(), 200);
    engine.apply(&snapshot(&[upstream.address()], to_upstream(json!(["/other"])), 5000)).unwrap();
    client.send(GET).await.unwrap();
    assert_eq!(client.response().await.unwrap().status(), 404);
}

#[tokio::test]
async fn draining_finishes_what_is_under_way_and_takes_nothing_new() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast".to_vec();
    let upstream = ScriptedUpstream::start([Step::AnswerSlowly(vec![answer])]).await.unwrap();
    let (engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(GET).await.unwrap();
    upstream.wait_for_requests(1).await.unwrap();
    let drain = tokio::task::spawn_blocking(move || engine.drain(Duration::from_secs(10)));
    while RawClient::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    upstream.release();
    let answer = String::from_utf8(client.until_close().await.unwrap()).unwrap();
    assert!(answer.ends_with("last"), "{answer}");
    assert!(drain.await.unwrap());
}

#[tokio::test]
async fn answers_static_routes_itself() {
    let answer = json!({"status": 200, "headers": {"content-type": "text/plain"}, "body": "hi"});
    let routes = json!([{"id": "s", "uris": ["/s"], "target": {"static": answer}}]);
    let (_engine, address) = start(&snapshot(&[closed_address().unwrap()], routes, 5000));
    let response = RawClient::exchange(address, "GET /s HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!((response.header("content-type"), response.text().as_str()), (Some("text/plain"), "hi"));
    let request = "HEAD /s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(request).await.unwrap();
    let head = String::from_utf8(client.until_close().await.unwrap()).unwrap();
    assert!(head.contains("content-length: 2\r\n") && head.ends_with("\r\n\r\n"), "{head}");
}

/// What the upstream got of `request`, with `answer` sent back.
async fn passed_on(request: &str) -> toolway_testkit::Received {
    let upstream = ScriptedUpstream::start([Step::ok("")]).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    RawClient::exchange(address, request).await.unwrap();
    upstream.received().remove(0)
}

/// The status and code that a client gets for what the upstream answers.
async fn answered(answer: &str) -> (u16, Option<String>) {
    let upstream = ScriptedUpstream::start([Step::AnswerAndClose(answer.as_bytes().to_vec())]).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    let response = RawClient::exchange(address, GET).await.unwrap();
    (response.status(), response.header("x-toolway-error").map(str::to_owned))
}

#[tokio::test]
async fn a_body_is_passed_on_whatever_the_method() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let received = passed_on(request).await;
    assert_eq!(
        (received.header("transfer-encoding"), &received.body()[..]),
        (Some("chunked"), &b"hello"[..])
    );
}

#[tokio::test]
async fn an_empty_post_says_that_it_is_empty() {
    let received = passed_on("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(received.header("content-length"), Some("0"));
    let received = passed_on("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(received.header("content-length"), None);
}

#[tokio::test]
async fn a_request_without_host_gets_the_nodes() {
    let received = passed_on("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(received.line(), "GET / HTTP/1.1");
    assert!(
        received.header("host").is_some_and(|host| host.starts_with("127.0.0.1:")),
        "{}",
        received.text()
    );
}

#[tokio::test]
async fn refuses_an_answer_that_could_be_read_in_two_ways() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ] {
        assert_eq!(answered(answer).await, (502, Some("upstream_protocol".to_owned())), "{answer}");
    }
}

#[tokio::test]
async fn an_upstream_cannot_speak_as_the_gateway() {
    let answer = "HTTP/1.1 200 OK\r\nX-Toolway-Error: bad_request\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answered(answer).await, (200, None));
}

#[tokio::test]
async fn reads_over_interim_answers() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(answered(answer).await, (204, None));
}

#[tokio::test]
async fn an_early_answer_ends_the_upload() {
    let script = [Step::AnswerEarly(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n".to_vec())];
    let upstream = ScriptedUpstream::start(script).await.unwrap();
    let (_engine, address) = start(&snapshot(&[upstream.address()], to_upstream(json!(["/*"])), 5000));
    let mut client = RawClient::connect(address).await.unwrap();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nstart").await.unwrap();
    assert_eq!(client.response().await.unwrap().status(), 413);
}

#[tokio::test]
async fn an_engine_lives_once() {
    let (engine, _) = start(&snapshot(&[closed_address().unwrap()], to_upstream(json!(["/*"])), 5000));
    assert!(engine.start().is_err());
    assert!(engine.drain(Duration::from_secs(5)));
    assert!(engine.start().is_err());
    assert!(engine.drain(Duration::MAX));
}
