//! Health checks and the control listener, over real sockets: probes as nodes see them, and what comes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use toolway_engine::Engine;
use toolway_testkit::{PATIENCE, RawClient, ScriptedUpstream, Step, closed_address};

const GET: &str = "GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n";

fn node(address: SocketAddr) -> Value {
    json!({"host": address.ip().to_string(), "port": address.port(), "weight": 1})
}

/// Probes every few milliseconds whose first outcome decides.
fn probing(more: Value) -> Value {
    let mut active = json!({
        "kind": "http", "timeout_ms": 5000, "concurrency": 10, "http_path": "/status", "tls_verify": true,
        "healthy_interval_ms": 5, "unhealthy_interval_ms": 5,
        "healthy": {"http_statuses": [200], "successes": 1},
        "unhealthy": {"http_statuses": [500], "http_failures": 1, "tcp_failures": 1, "timeouts": 1},
    });
    active.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"active": active})
}

fn snapshot(id: &str, nodes: &[Value], checks: Value) -> String {
    json!({
        "version": 1,
        "gateway": {
            "listen": ["127.0.0.1:0"], "workers": 1, "metrics": "127.0.0.1:0", "control": "127.0.0.1:0",
        },
        "upstreams": [{
            "id": id, "scheme": "http", "nodes": nodes, "pass_host": "pass", "retries": 0,
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
            "keepalive": {"size": 0, "idle_timeout_ms": 0, "requests": 1}, "tls_verify": true,
            "checks": checks,
        }],
        "routes": [{"id": "r", "uris": ["/*"], "target": {"upstream": {"id": id}}}],
    })
    .to_string()
}

fn start(snapshot: &str) -> Engine {
    let engine = Engine::new(snapshot).unwrap();
    engine.start().unwrap();
    engine
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = RawClient::exchange(address, request).await.unwrap();
    (response.status(), response.text())
}

async fn control(engine: &Engine, path: &str) -> (u16, Value) {
    let (status, text) = get(engine.control_address().unwrap(), path).await;
    (status, serde_json::from_str(&text).unwrap())
}

/// Asks until the nodes of the one checked upstream have these statuses.
async fn wait_for(engine: &Engine, statuses: &[&str]) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, upstreams) = control(engine, "/v1/healthcheck").await;
        let nodes = upstreams[0]["nodes"].as_array().unwrap();
        if nodes.iter().map(|node| node["status"].as_str().unwrap()).eq(statuses.iter().copied()) {
            return upstreams;
        }
        assert!(Instant::now() < deadline, "not {statuses:?} but {upstreams}");
    }
}

fn on(ip: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from(ip), port)
}

#[tokio::test]
async fn probes_take_a_node_out_and_bring_it_back() {
    let bad = || [Step::AnswerAndClose(b"HTTP/1.1 500 Sick\r\nContent-Length: 0\r\n\r\n".to_vec())];
    let well = || [Step::AnswerAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())];
    // The same two ports on two addresses of loopback: one for requests, one for probes.
    let first = ScriptedUpstream::start([Step::ok("first")]).await.unwrap();
    let port = first.address().port();
    let second = ScriptedUpstream::start_at(on([127, 0, 0, 2], port), [Step::ok("second")]).await.unwrap();
    let sick = ScriptedUpstream::start(bad()).await.unwrap();
    let probed = sick.address().port();
    let healthy = ScriptedUpstream::start_at(on([127, 0, 0, 2], probed), well()).await.unwrap();
    let nodes = [node(first.address()), node(second.address())];
    let checks = probing(json!({"port": probed, "host": "probe.test", "req_headers": ["X-Probe: 1"]}));
    let engine = start(&snapshot("route:r", &nodes, checks.clone()));
    let address = engine.listen_addresses()[0];

    let shown = wait_for(&engine, &["unhealthy", "healthy"]).await;
    assert_eq!((&shown[0]["name"], &shown[0]["type"]), (&json!("/apisix/routes/r"), &json!("http")));
    let expected = json!({
        "ip": "127.0.0.1", "hostname": "127.0.0.1", "port": port, "status": "unhealthy",
        "counter": {"success": 0, "http_failure": 1, "tcp_failure": 0, "timeout_failure": 0},
    });
    assert_eq!(shown[0]["nodes"][0], expected);
    assert_eq!(
        sick.received()[0].text(),
        "GET /status HTTP/1.1\r\nHost: probe.test\r\nConnection: close\r\n\
         User-Agent: toolway/0.1.0\r\nX-Probe: 1\r\n\r\n"
    );
    // A new snapshot changes nothing of it.
    engine.apply(&snapshot("route:r", &nodes, checks)).unwrap();
    for _ in 0..4 {
        assert_eq!(get(address, "/").await.1, "second");
    }
    let (_, metrics) = get(engine.metrics_address().unwrap(), "/apisix/prometheus/metrics").await;
    for (ip, value) in [("127.0.0.1", 0), ("127.0.0.2", 1)] {
        let line = format!(
            "apisix_upstream_status{{name=\"/apisix/routes/r\",ip=\"{ip}\",port=\"{port}\"}} {value}\n"
        );
        assert!(metrics.contains(&line), "{metrics}");
    }
    let cured = sick.stop().await;
    let _cured = ScriptedUpstream::start_at(cured, well()).await.unwrap();
    wait_for(&engine, &["healthy", "healthy"]).await;
    let answers = [get(address, "/").await.1, get(address, "/").await.1];
    assert!(answers.contains(&"first".to_owned()) && answers.contains(&"second".to_owned()), "{answers:?}");
    drop(healthy);
}

#[tokio::test]
async fn where_all_nodes_are_down_one_is_tried_all_the_same() {
    let upstream = ScriptedUpstream::start([Step::ok("alive")]).await.unwrap();
    let closed = closed_address().unwrap().port();
    let checks = probing(json!({"kind": "tcp", "port": closed}));
    let engine = start(&snapshot("up", &[node(upstream.address())], checks));
    wait_for(&engine, &["unhealthy"]).await;
    assert_eq!(get(engine.listen_addresses()[0], "/").await.1, "alive");
}

#[tokio::test]
async fn a_node_that_does_not_answer_a_probe_in_time_or_at_all_is_down() {
    for (step, timeout, counter) in [
        (Step::Stall(Vec::new()), 20, "timeout_failure"),
        (Step::Stall(b"HTTP/1.1 200".to_vec()), 20, "timeout_failure"),
        (Step::Close, 5000, "tcp_failure"),
        (Step::AnswerAndClose(b"SSH-2.0-x\r\n".to_vec()), 5000, "tcp_failure"),
        (Step::AnswerAndClose(vec![b'x'; 100_000]), 5000, "tcp_failure"),
    ] {
        let upstream = ScriptedUpstream::start([step]).await.unwrap();
        let checks = probing(json!({"timeout_ms": timeout}));
        let engine = start(&snapshot("up", &[node(upstream.address())], checks));
        let shown = wait_for(&engine, &["unhealthy"]).await;
        assert_eq!(shown[0]["nodes"][0]["counter"][counter], 1, "{shown}");
    }
}

#[tokio::test]
async fn the_health_of_one_resource_is_found_by_its_kind_and_id() {
    let upstream = ScriptedUpstream::start([Step::ok("")]).await.unwrap();
    let engine = start(&snapshot("web", &[node(upstream.address())], probing(json!({}))));
    wait_for(&engine, &["healthy"]).await;
    let (status, found) = control(&engine, "/v1/healthcheck/upstreams/web").await;
    assert_eq!((status, &found["name"]), (200, &json!("/apisix/upstreams/web")));
    let (status, found) = control(&engine, "/v1/healthcheck/routes/web").await;
    assert_eq!((status, found), (404, json!({"error_msg": "routes[web] has no upstream of its own"})));
    assert_eq!(control(&engine, "/v1/other").await.0, 404);
    engine.apply(&snapshot("web", &[node(upstream.address())], Value::Null)).unwrap();
    assert_eq!(control(&engine, "/v1/healthcheck").await, (200, json!([])));
    let (status, found) = control(&engine, "/v1/healthcheck/upstreams/web").await;
    assert_eq!((status, found), (404, json!({"error_msg": "no checker for upstreams[web]"})));
    let request = "POST /status HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let refused = RawClient::exchange(engine.control_address().unwrap(), request).await.unwrap();
    assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn readiness_ends_when_draining_begins_and_liveness_with_the_last_exchange() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast".to_vec();
    let upstream = ScriptedUpstream::start([Step::AnswerSlowly(vec![answer])]).await.unwrap();
    let engine = start(&snapshot("up", &[node(upstream.address())], Value::Null));
    let control_address = engine.control_address().unwrap();
    assert_eq!(control(&engine, "/status").await, (200, json!({"status": "ok"})));
    assert_eq!(control(&engine, "/status/ready").await, (200, json!({"status": "ok"})));
    let mut client = RawClient::connect(engine.listen_addresses()[0]).await.unwrap();
    client.send(GET).await.unwrap();
    upstream.wait_for_requests(1).await.unwrap();
    let drain = tokio::task::spawn_blocking(move || engine.drain(Duration::from_secs(10)));
    while get(control_address, "/status/ready").await.0 != 503 {}
    let (_, ready) = get(control_address, "/status/ready").await;
    assert_eq!(ready, r#"{"status":"error","error":"the gateway takes no new requests"}"#);
    assert_eq!(get(control_address, "/status").await.0, 200);
    upstream.release();
    assert!(String::from_utf8(client.until_close().await.unwrap()).unwrap().ends_with("last"));
    assert!(drain.await.unwrap());
    assert!(RawClient::connect(control_address).await.is_err());
}

#[tokio::test]
async fn a_check_that_cannot_be_sent_is_refused() {
    for (more, why) in [
        (json!({"http_path": "status"}), "is not a path"),
        (json!({"host": "a\nb"}), "not a valid host"),
        (json!({"req_headers": ["no header"]}), "expected \"Name: value\""),
        (json!({"req_headers": ["X-A: 1\r\nX-B: 2"]}), "expected \"Name: value\""),
    ] {
        let text = snapshot("up", &[node(closed_address().unwrap())], probing(more));
        let error = Engine::check(&text).unwrap_err().to_string();
        assert!(error.starts_with("/upstreams/0: ") && error.contains(why), "{error}");
    }
}
