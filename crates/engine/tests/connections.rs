//! Client connections over real sockets: how they are spread over the workers, how many there may be, and how long one
//! may be without a request.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use support::{Authority, Pair, connect, snapshot, ssl, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use toolway_engine::Engine;
use toolway_testkit::{RawClient, ScriptedUpstream, Step};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
/// The preface of HTTP/2 with empty SETTINGS, and GET / for the authority `a` (RFC 7541 appendix A for the indexes).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const HTTP2_GET: &[u8] = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a";

fn with(ssls: Value, node: Option<SocketAddr>, gateway: Value) -> Value {
    let mut snapshot = snapshot(ssls, node);
    let settings = snapshot["gateway"].as_object_mut().unwrap();
    settings.insert("metrics".into(), json!("127.0.0.1:0"));
    settings.extend(gateway.as_object().unwrap().clone());
    snapshot
}

/// A connection on which a request was answered.
async fn used(address: SocketAddr) -> RawClient {
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(GET).await.unwrap();
    assert_eq!(client.response().await.unwrap().status(), 200);
    client
}

async fn used_by(address: SocketAddr, count: usize) -> Vec<RawClient> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(used(address).await);
    }
    clients
}

/// The value of the metric's line that begins so.
async fn metric(engine: &Engine, name: &str) -> f64 {
    let request = "GET /apisix/prometheus/metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let text = RawClient::exchange(engine.metrics_address().unwrap(), request).await.unwrap().text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    line.unwrap_or(0.0)
}

async fn by_worker(engine: &Engine, workers: usize) -> Vec<f64> {
    let mut counts = Vec::new();
    for worker in 0..workers {
        counts.push(metric(engine, &format!("toolway_worker_connections{{worker=\"{worker}\"}}")).await);
    }
    counts
}

/// Waits until no connection is open any more.
async fn all_are_gone(engine: &Engine) {
    while engine.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn each_worker_has_as_many_connections_as_the_others() {
    for (workers, count, expected) in [(2, 8, 4.0), (2, 64, 32.0), (4, 64, 16.0)] {
        let (engine, address, _) = start(&with(json!([]), None, json!({"workers": workers})));
        let clients = used_by(address, count).await;
        assert_eq!(by_worker(&engine, workers).await, vec![expected; workers]);
        drop(clients);
        all_are_gone(&engine).await;
        assert_eq!(by_worker(&engine, workers).await, vec![0.0; workers]);
    }
}

#[tokio::test]
async fn connections_of_all_listeners_are_spread_together() {
    let ca = Authority::new("ca");
    let ssls = json!([ssl("s", &["a.test"], &ca.server(&["a.test"]))]);
    let (engine, plain, tls) = start(&with(ssls, None, json!({})));
    let config = Arc::new(ca.trusted().with_no_client_auth());
    let (mut clients, mut secured) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        clients.push(used(plain).await);
        let mut stream = connect(tls, "a.test", &config).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        assert_ne!(stream.read(&mut [0; 512]).await.unwrap(), 0);
        secured.push(stream);
    }
    assert_eq!(by_worker(&engine, 2).await, [8.0, 8.0]);
}

#[tokio::test]
async fn connections_that_were_passed_on_are_drained_like_others() {
    let (engine, address, _) = start(&with(json!([]), None, json!({"workers": 4})));
    let mut clients = used_by(address, 16).await;
    let drained = tokio::task::spawn_blocking(move || engine.drain(toolway_testkit::PATIENCE));
    while TcpStream::connect(address).await.is_ok() {}
    for client in &mut clients {
        client.send(GET).await.unwrap();
        assert_eq!(client.response().await.unwrap().header("connection"), Some("close"));
        assert_eq!(client.until_close().await.unwrap(), b"");
    }
    assert!(drained.await.unwrap());
}

#[tokio::test]
async fn a_connection_too_many_is_closed_and_counted() {
    let limits = json!({"limits": {"connections": 3}});
    let (engine, address, _) = start(&with(json!([]), None, limits));
    let clients = used_by(address, 3).await;
    let mut refused = RawClient::connect(address).await.unwrap();
    assert_eq!(refused.until_close().await.unwrap(), b"");
    assert_eq!(metric(&engine, "toolway_connections_refused_total").await, 1.0);
    let states = ["active", "accepted", "handled"];
    let states = states.map(|state| format!("apisix_nginx_http_current_connections{{state=\"{state}\"}}"));
    for (state, expected) in states.iter().zip([3.0, 4.0, 3.0]) {
        assert_eq!(metric(&engine, state).await, expected, "{state}");
    }
    drop(clients);
    all_are_gone(&engine).await;
    used(address).await;
}

#[tokio::test]
async fn the_bound_follows_a_swap() {
    let bound = |most: usize| with(json!([]), None, json!({"limits": {"connections": most}}));
    let (engine, address, _) = start(&bound(1));
    let _first = used(address).await;
    engine.apply(&bound(2).to_string()).unwrap();
    let _second = used(address).await;
    assert_eq!(RawClient::connect(address).await.unwrap().until_close().await.unwrap(), b"");
}

#[tokio::test]
async fn a_connection_that_has_changed_its_protocol_still_counts() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let upstream = ScriptedUpstream::start([Step::Answer(answer.into())]).await.unwrap();
    let limits = json!({"limits": {"connections": 1}});
    let mut snapshot = with(json!([]), Some(upstream.address()), limits);
    snapshot["routes"][0]["websocket"] = json!(true);
    let (engine, address, _) = start(&snapshot);
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(UPGRADE).await.unwrap();
    assert_eq!(client.response().await.unwrap().status(), 101);
    assert_eq!(RawClient::connect(address).await.unwrap().until_close().await.unwrap(), b"");
    assert_eq!(engine.connections(), 1);
    drop(client);
    all_are_gone(&engine).await;
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_in_its_time() {
    let (_engine, address, _) = start(&with(json!([]), None, json!({"limits": {"idle_timeout_ms": 50}})));
    let mut client = used(address).await;
    assert_eq!(client.until_close().await.unwrap(), b"");
}

#[tokio::test]
async fn a_connection_may_be_idle_for_longer_than_a_head_may_take() {
    let limits = json!({"limits": {"head_timeout_ms": 30, "idle_timeout_ms": 60_000}});
    let (_engine, address, _) = start(&with(json!([]), None, limits));
    let mut idle = used(address).await;
    for begun in ["", "G", "GET / HTTP/1.1\r\nHost:"] {
        let mut slow = used(address).await;
        // One that has said nothing yet has no more time than for a head either.
        let mut silent = RawClient::connect(address).await.unwrap();
        slow.send(if begun.is_empty() { "\r" } else { begun }).await.unwrap();
        assert_eq!(
            (slow.until_close().await.unwrap(), silent.until_close().await.unwrap()),
            (vec![], vec![])
        );
    }
    idle.send(GET).await.unwrap();
    assert_eq!(idle.response().await.unwrap().status(), 200);
}

/// An upstream that sends what follows "o" when it is released.
async fn slow_upstream() -> ScriptedUpstream {
    let pieces = [&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"[..], b"k"];
    ScriptedUpstream::start([Step::AnswerSlowly(pieces.map(<[u8]>::to_vec).into())]).await.unwrap()
}

/// Returns when a connection that began now has been closed for being idle, also one that takes no notice of GOAWAY.
async fn idle_ones_are_closed(address: SocketAddr) {
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(HTTP2).await.unwrap();
    client.until_close().await.unwrap();
}

#[tokio::test]
async fn a_connection_is_not_idle_while_an_answer_is_on_its_way() {
    let upstream = slow_upstream().await;
    let limits = json!({"limits": {"idle_timeout_ms": 30, "head_timeout_ms": 30}});
    let (_engine, address, _) = start(&with(json!([]), Some(upstream.address()), limits));
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(GET).await.unwrap();
    upstream.wait_for_requests(1).await.unwrap();
    upstream.release();
    idle_ones_are_closed(address).await;
    upstream.release();
    assert_eq!(client.response().await.unwrap().text(), "ok");
}

#[tokio::test]
async fn an_http2_connection_is_not_idle_while_an_answer_is_on_its_way() {
    let upstream = slow_upstream().await;
    let limits = json!({"limits": {"idle_timeout_ms": 30}});
    let (_engine, address, _) = start(&with(json!([]), Some(upstream.address()), limits));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(&[HTTP2, HTTP2_GET].concat()).await.unwrap();
    upstream.wait_for_requests(1).await.unwrap();
    upstream.release();
    idle_ones_are_closed(address).await;
    upstream.release();
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    // DATA frames of stream 1 (RFC 9113 section 6.1) with the two halves of the body.
    let data = |flags: u8, letter: u8| [0, 0, 1, 0, flags, 0, 0, 0, 1, letter];
    for frame in [data(0, b'o'), data(1, b'k')] {
        assert!(all.windows(10).any(|window| window == frame), "{all:?}");
    }
}

#[tokio::test]
async fn handshakes_that_fail_are_counted_by_reason() {
    let (ca, people) = (Authority::new("ca"), Authority::new("people"));
    let mut entry = ssl("s", &["a.test"], &ca.server(&["a.test"]));
    entry["client"] = json!({"ca": people.pem, "depth": 1});
    let free = ssl("f", &["free.test"], &ca.server(&["free.test"]));
    let limits = json!({"limits": {"handshake_timeout_ms": 200}});
    let (engine, _, address) = start(&with(json!([entry, free]), None, limits));
    let nobody = Arc::new(ca.trusted().with_no_client_auth());
    let shown = |pair: &Pair| Arc::new(pair.shown_by(ca.trusted()));
    let stranger = shown(&Authority::new("others").client("eve"));
    let distrustful = Arc::new(people.trusted().with_no_client_auth());
    RawClient::connect(address).await.unwrap().until_close().await.unwrap();
    drop(RawClient::connect(address).await.unwrap());
    let mut plain = RawClient::connect(address).await.unwrap();
    plain.send(GET).await.unwrap();
    plain.until_close().await.unwrap();
    assert!(connect(address, "b.test", &nobody).await.is_err());
    assert!(connect(address, "free.test", &distrustful).await.is_err());
    for config in [&nobody, &stranger] {
        let mut stream = connect(address, "a.test", config).await.unwrap();
        assert!(support::ask(&mut stream, "a.test").await.is_err());
    }
    all_are_gone(&engine).await;
    for (reason, count) in [
        ("timeout", 1.0),
        ("closed", 1.0),
        ("not_tls", 1.0),
        ("unknown_name", 1.0),
        ("refused_by_client", 1.0),
        ("client_certificate", 2.0),
    ] {
        let name = format!("toolway_tls_handshake_errors_total{{reason=\"{reason}\"}}");
        assert_eq!(metric(&engine, &name).await, count, "{reason}");
    }
}
