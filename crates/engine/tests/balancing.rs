//! How nodes are chosen, over real sockets: which node gets which request, and what happens to one that goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::net::SocketAddr;
use toolway_engine::Engine;
use toolway_testkit::{RawClient, ScriptedUpstream, Step, closed_address};

const GET: &str = "GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n";

fn node(address: SocketAddr) -> Value {
    json!({"host": address.ip().to_string(), "port": address.port(), "weight": 1})
}

/// A snapshot with a route to one upstream of these nodes, with the members of `more` besides.
fn snapshot(nodes: &[Value], more: Value) -> String {
    let mut upstream = json!({
        "id": "up", "scheme": "http", "nodes": nodes, "pass_host": "pass",
        "retries": nodes.len().saturating_sub(1),
        "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
        "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000}, "tls_verify": true,
    });
    upstream.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "version": 1,
        "gateway": {"listen": ["127.0.0.1:0"], "workers": 2, "metrics": "127.0.0.1:0"},
        "upstreams": [upstream],
        "routes": [{"id": "r", "uris": ["/*"], "target": {"upstream": {"id": "up"}}}],
    })
    .to_string()
}

fn start(snapshot: &str) -> (Engine, SocketAddr) {
    let engine = Engine::new(snapshot).unwrap();
    engine.start().unwrap();
    let address = *engine.listen_addresses().first().unwrap();
    (engine, address)
}

/// Upstreams whose answers are their number.
async fn upstreams(count: usize) -> Vec<ScriptedUpstream> {
    let mut upstreams = Vec::new();
    for number in 0..count {
        upstreams.push(ScriptedUpstream::start([Step::ok(&number.to_string())]).await.unwrap());
    }
    upstreams
}

fn nodes(upstreams: &[ScriptedUpstream]) -> Vec<Value> {
    upstreams.iter().map(|upstream| node(upstream.address())).collect()
}

async fn ask(address: SocketAddr, request: &str) -> String {
    RawClient::exchange(address, request).await.unwrap().text()
}

#[tokio::test]
async fn a_key_stays_with_its_node_over_reloads_and_a_node_that_goes_moves_its_own_keys_only() {
    let upstreams = upstreams(3).await;
    let hashing = json!({"balance": {"chash": {"hash_on": "header", "key": "X-User"}}});
    let mut nodes = nodes(&upstreams);
    let (engine, address) = start(&snapshot(&nodes, hashing.clone()));
    let user = |number: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX-User: user-{number}\r\n\r\n");
    let mut homes = Vec::new();
    for number in 0..24 {
        homes.push(ask(address, &user(number)).await);
        assert_eq!(ask(address, &user(number)).await, homes[number]);
    }
    assert!(["0", "1", "2"].iter().all(|home| homes.iter().any(|one| one == home)), "{homes:?}");
    nodes.reverse();
    engine.apply(&snapshot(&nodes, hashing.clone())).unwrap();
    for (number, home) in homes.iter().enumerate() {
        assert_eq!(ask(address, &user(number)).await, *home);
    }
    nodes.remove(0);
    engine.apply(&snapshot(&nodes, hashing)).unwrap();
    for (number, home) in homes.iter().enumerate().filter(|(_, home)| *home != "2") {
        assert_eq!(ask(address, &user(number)).await, *home);
    }
}

#[tokio::test]
async fn least_conn_leaves_a_slow_node_alone_until_it_has_answered() {
    let answer = Step::ok("slow");
    let Step::Answer(bytes) = answer else { unreachable!() };
    let slow = ScriptedUpstream::start([Step::AnswerSlowly(vec![bytes])]).await.unwrap();
    let quick = ScriptedUpstream::start([Step::ok("quick")]).await.unwrap();
    let nodes = [node(slow.address()), node(quick.address())];
    let (engine, address) = start(&snapshot(&nodes, json!({"balance": "least_conn"})));
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(GET).await.unwrap();
    slow.wait_for_requests(1).await.unwrap();
    for _ in 0..6 {
        assert_eq!(ask(address, GET).await, "quick");
    }
    // What is under way is known to the next generation too.
    engine.apply(&snapshot(&nodes, json!({"balance": "least_conn", "retries": 0}))).unwrap();
    for _ in 0..6 {
        assert_eq!(ask(address, GET).await, "quick");
    }
    slow.release();
    assert_eq!(client.response().await.unwrap().text(), "slow");
}

#[tokio::test]
async fn ewma_leaves_a_node_alone_that_fails() {
    let upstreams = upstreams(1).await;
    let nodes = [node(closed_address().unwrap()), node(upstreams[0].address())];
    let (engine, address) = start(&snapshot(&nodes, json!({"balance": "ewma"})));
    for _ in 0..20 {
        assert_eq!(ask(address, GET).await, "0");
    }
    assert_eq!(errors(&engine).await, 1);
}

/// How many attempts could not connect.
async fn errors(engine: &Engine) -> u32 {
    let request = "GET /apisix/prometheus/metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    let text = ask(engine.metrics_address().unwrap(), request).await;
    let line = "toolway_errors_total{code=\"upstream_unreachable\"} ";
    text.lines().find_map(|one| one.strip_prefix(line)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn a_lower_priority_is_used_only_while_no_higher_one_is_available() {
    let upstreams = upstreams(2).await;
    let with_priority = |address, priority| {
        let mut node = node(address);
        node["priority"] = json!(priority);
        node
    };
    let spare = with_priority(upstreams[0].address(), -1);
    let closed = with_priority(closed_address().unwrap(), 0);
    let first = with_priority(upstreams[1].address(), 0);
    let (engine, address) = start(&snapshot(&[spare.clone(), closed.clone(), first], json!({})));
    for _ in 0..6 {
        assert_eq!(ask(address, GET).await, "1");
    }
    engine.apply(&snapshot(&[spare, closed], json!({}))).unwrap();
    assert_eq!(ask(address, GET).await, "0");
}

#[tokio::test]
async fn no_node_is_tried_twice_and_no_more_than_retries_allow() {
    let closed: Vec<_> = (0..4).map(|_| node(closed_address().unwrap())).collect();
    let (engine, address) = start(&snapshot(&closed, json!({"retries": 100})));
    assert_eq!(RawClient::exchange(address, GET).await.unwrap().status(), 502);
    assert_eq!(errors(&engine).await, 4);
    engine.apply(&snapshot(&closed, json!({"retries": 1}))).unwrap();
    assert_eq!(RawClient::exchange(address, GET).await.unwrap().status(), 502);
    assert_eq!(errors(&engine).await, 4 + 2);
}

#[tokio::test]
async fn no_further_node_is_tried_when_the_time_for_retries_is_up() {
    let upstreams = upstreams(1).await;
    let nodes = [node(closed_address().unwrap()), node(upstreams[0].address())];
    let (_engine, address) = start(&snapshot(&nodes, json!({"retry_timeout_ms": 0})));
    assert_eq!(RawClient::exchange(address, GET).await.unwrap().status(), 502);
    assert_eq!(RawClient::exchange(address, GET).await.unwrap().status(), 200);
}

#[tokio::test]
async fn passive_checks_take_a_node_out_and_a_reload_does_not_bring_it_back() {
    let bad = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad".to_vec();
    let failing = ScriptedUpstream::start([Step::Answer(bad)]).await.unwrap();
    let good = upstreams(1).await;
    let checks = json!({"checks": {"passive": {
        "kind": "http",
        "healthy": {"http_statuses": [200], "successes": 1},
        "unhealthy": {"http_statuses": [500], "http_failures": 2, "tcp_failures": 1, "timeouts": 1},
    }}});
    let nodes = [node(failing.address()), node(good[0].address())];
    let (engine, address) = start(&snapshot(&nodes, checks.clone()));
    let mut answers = Vec::new();
    for round in 0..8 {
        answers.push(ask(address, GET).await);
        engine.apply(&snapshot(&nodes, checks.clone())).unwrap();
        assert_eq!(failing.received().len(), (round / 2 + 1).min(2));
    }
    assert_eq!(answers, ["bad", "0", "bad", "0", "0", "0", "0", "0"]);
    // With nothing else left, a node that is down is tried all the same.
    let left = [node(failing.address())];
    engine.apply(&snapshot(&left, checks)).unwrap();
    assert_eq!(ask(address, GET).await, "bad");
}

#[tokio::test]
async fn one_of_three_nodes_is_stopped_and_started_again_and_no_request_fails() {
    for idle_connections in [0, 8] {
        stop_and_start_one_of_three_nodes(idle_connections).await;
    }
}

async fn stop_and_start_one_of_three_nodes(idle_connections: usize) {
    let mut upstreams = upstreams(3).await;
    let checks = json!({"checks": {
        "active": {
            "kind": "tcp", "timeout_ms": 1000, "concurrency": 10, "http_path": "/", "tls_verify": true,
            "healthy_interval_ms": 10, "unhealthy_interval_ms": 10,
            "healthy": {"http_statuses": [200], "successes": 1},
            "unhealthy": {"http_statuses": [500], "http_failures": 1, "tcp_failures": 1, "timeouts": 1},
        },
        "passive": {
            "kind": "tcp",
            "healthy": {"http_statuses": [200], "successes": 1},
            "unhealthy": {"http_statuses": [500], "http_failures": 1, "tcp_failures": 1, "timeouts": 1},
        },
    }, "keepalive": {"size": idle_connections, "idle_timeout_ms": 60000, "requests": 1000}});
    let (_engine, address) = start(&snapshot(&nodes(&upstreams), checks));
    let mut client = RawClient::connect(address).await.unwrap();
    for _ in 0..30 {
        client.send(GET).await.unwrap();
        assert_eq!(client.response().await.unwrap().status(), 200);
    }
    assert!(upstreams.iter().all(|upstream| upstream.received().len() == 10));
    let stopped = upstreams.remove(1).stop().await;
    for _ in 0..60 {
        client.send(GET).await.unwrap();
        assert_eq!(client.response().await.unwrap().status(), 200);
    }
    let restored = ScriptedUpstream::start_at(stopped, [Step::ok("1")]).await.unwrap();
    let mut requests = 0;
    while restored.received().is_empty() {
        client.send(GET).await.unwrap();
        assert_eq!(client.response().await.unwrap().status(), 200);
        requests += 1;
        assert!(requests < 100_000, "the node gets no requests again");
    }
}
