//! Deltas over real sockets: what is prepared is served when it is committed, and traffic does not notice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use support::{snapshot, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use toolway_engine::Engine;
use toolway_testkit::{ScriptedUpstream, Step};

fn text(id: &str, uri: &str, body: &str) -> Value {
    json!({"id": id, "uris": [uri], "target": {"static": {"status": 200, "body": body}}})
}

fn delta(changes: Value) -> String {
    let mut delta = json!({"version": 1});
    delta.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    delta.to_string()
}

fn change(engine: &Engine, changes: Value) {
    engine.commit(&engine.prepare(&delta(changes)).unwrap()).unwrap();
}

/// One request on a connection that stays open: the status and the body.
async fn get(stream: &mut TcpStream, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn what_is_prepared_is_served_when_it_is_committed() {
    let (engine, address, _) = start(&snapshot(json!([]), None));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let prepared = engine.prepare(&delta(json!({"put": {"routes": [text("new", "/new", "new")]}}))).unwrap();
    assert_eq!(get(&mut stream, "/new").await, (200, "here".to_owned()));
    engine.commit(&prepared).unwrap();
    assert_eq!(get(&mut stream, "/new").await, (200, "new".to_owned()));
    assert_eq!(get(&mut stream, "/other").await, (200, "here".to_owned()));
    change(&engine, json!({"remove": {"routes": ["new", "r"]}}));
    assert_eq!(get(&mut stream, "/new").await.0, 404);
}

#[tokio::test]
async fn what_was_prepared_before_another_change_is_stale() {
    let (engine, address, _) = start(&snapshot(json!([]), None));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let first = engine.prepare(&delta(json!({"put": {"routes": [text("one", "/one", "one")]}}))).unwrap();
    let second = engine.prepare(&delta(json!({"put": {"routes": [text("two", "/two", "two")]}}))).unwrap();
    engine.commit(&first).unwrap();
    assert!(engine.commit(&second).is_err());
    assert!(engine.commit(&first).is_err());
    assert_eq!(get(&mut stream, "/one").await.1, "one");
    assert_eq!(get(&mut stream, "/two").await.1, "here");
    let third = engine.prepare(&delta(json!({}))).unwrap();
    engine.apply(&snapshot(json!([]), None).to_string()).unwrap();
    assert!(engine.commit(&third).is_err());
    let (other, ..) = start(&snapshot(json!([]), None));
    assert!(other.commit(&engine.prepare(&delta(json!({}))).unwrap()).is_err());
}

#[tokio::test]
async fn a_limit_goes_on_counting_while_its_route_is_replaced() {
    let (engine, address, _) = start(&snapshot(json!([]), None));
    let mut stream = TcpStream::connect(address).await.unwrap();
    for (at, status) in [200, 200, 503].into_iter().enumerate() {
        let mut limited = text("limited", "/limited", "x");
        limited["plugins"] =
            json!({"limit-count": {"count": 2, "time_window": 600, "rejected_msg": at.to_string()}});
        change(&engine, json!({"put": {"routes": [limited]}}));
        assert_eq!(get(&mut stream, "/limited").await.0, status);
    }
}

#[tokio::test]
async fn a_rule_that_stays_counts_a_replaced_route_by_what_it_is_now() {
    let mut whole = snapshot(json!([]), None);
    whole["gateway"]["metrics"] = json!("127.0.0.1:0");
    whole["global_rules"] = json!([{"id": "g", "plugins": {"prometheus": {}}}]);
    let (engine, address, _) = start(&whole);
    let mut stream = TcpStream::connect(address).await.unwrap();
    for service in ["one", "two"] {
        let mut route = text("r", "/*", "here");
        route["service"] = json!(service);
        change(&engine, json!({"put": {"routes": [route]}}));
        get(&mut stream, "/").await;
    }
    let mut metrics = TcpStream::connect(engine.metrics_address().unwrap()).await.unwrap();
    metrics
        .write_all(b"GET /apisix/prometheus/metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    metrics.read_to_string(&mut answer).await.unwrap();
    for service in ["one", "two"] {
        let counted = answer.lines().find(|line| {
            line.starts_with("apisix_http_status") && line.contains(&format!("service=\"{service}\""))
        });
        assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{service}: {counted:?}");
    }
}

/// A client that asks for `path` again and again on one connection.
async fn client(address: SocketAddr, path: String, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    while !stop.load(Ordering::Relaxed) {
        let (status, body) = get(&mut stream, &path).await;
        assert_eq!((status, body.as_str()), (200, "ok"), "{path}");
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// The upstream with its node at `port`, and everything's route to it, which tells the upstream the turn.
fn turn(name: &str, port: u16) -> (Value, Value) {
    let whole = snapshot(json!([]), Some(SocketAddr::from(([127, 0, 0, 1], port))));
    let (upstream, mut route) = (whole["upstreams"][0].clone(), whole["routes"][0].clone());
    route["plugins"] = json!({"proxy-rewrite": {"headers": {"set": {"X-Turn": name}}}});
    (upstream, route)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_or_sees_two_generations_while_everything_changes() {
    let even = ScriptedUpstream::start([Step::ok("ok")]).await.unwrap();
    let odd = ScriptedUpstream::start([Step::ok("ok")]).await.unwrap();
    let (engine, address, _) = start(&snapshot(json!([]), Some(even.address())));
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|number| tokio::spawn(client(address, format!("/{number}"), stop.clone(), answered.clone())))
        .collect();
    for number in 0..200 {
        let (name, port) =
            if number % 2 == 0 { ("even", even.address().port()) } else { ("odd", odd.address().port()) };
        let (upstream, route) = turn(name, port);
        let mut routes = vec![route];
        routes.extend((10..40).map(|at| text(&format!("t{at}"), &format!("/{at}"), name)));
        let consumers: Vec<Value> = (0..40).map(|at| json!({"username": format!("c{at}")})).collect();
        change(&engine, json!({"put": {"upstreams": [upstream], "routes": routes, "consumers": consumers}}));
        let gone: Vec<String> = (10..40).map(|at| format!("t{at}")).collect();
        change(&engine, json!({"remove": {"routes": gone}}));
        let before = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) == before && !clients.iter().any(|client| client.is_finished())
        {
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    for (upstream, name) in [(even, "even"), (odd, "odd")] {
        let turns: Vec<_> = upstream
            .received()
            .iter()
            .filter_map(|request| request.header("x-turn").map(str::to_owned))
            .collect();
        assert!(!turns.is_empty() && turns.iter().all(|turn| turn == name), "{name}");
    }
}
