//! What single steps on a request's way cost, and building a snapshot: `make bench-micro`.
//!
//! It shows a step that has become dearer, which the comparison with other proxies (`make bench`) shows as a whole only.
#![allow(clippy::unwrap_used)]

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::BytesMut;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{Method, Request};
use serde_json::{Value, json};
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use toolway_engine::Engine;
use toolway_engine::exchange::{self, Arrival};
use toolway_engine::generation::Generation;
use toolway_engine::http::{Body, framing, path};
use toolway_engine::router::{Router, Turn};
use toolway_engine::server::{Connections, Shared, Worker};
use toolway_engine::state::State;
use toolway_engine::upstream::fuzzing::ResponseReader;

const RESPONSE: &str = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 09:00:00 GMT\r\n\
    Content-Type: application/json\r\nContent-Length: 700\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\n\
    Vary: Accept-Encoding\r\nX-Request-Id: 0b0f2d0e-8c3f-4a4b-9d7e-2f1a6c5b4d3e\r\n\r\n";

fn request() -> Request<Body> {
    let request = Request::get("/shop/products/17?page=2&sort=name").header("host", "api.example.com");
    let request = request.header("accept", "application/json").header("accept-encoding", "gzip, br");
    let request = request.header("user-agent", "Mozilla/5.0 (compatible; ChatGPT-User/1.0)");
    request.header("apikey", "the-key").body(Body::Empty).unwrap()
}

fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("router");
    for count in [1, 10_000, 100_000] {
        let mut router = Router::default();
        for number in 0..count {
            let turn = Turn { sequence: number, ..Turn::default() };
            router.insert(&[], &[format!("/routes/{number}/:item")], turn, &number).unwrap();
        }
        let path = format!("/routes/{}/item", count / 2);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| router.find("api.example.com", black_box(&path), |_| true).unwrap());
        });
    }
    group.finish();
}

fn hygiene(criterion: &mut Criterion) {
    let (parts, _) = request().into_parts();
    criterion
        .bench_function("framing", |bencher| bencher.iter(|| framing::check(black_box(&parts)).unwrap()));
    let mut group = criterion.benchmark_group("path");
    for (name, text) in [("plain", "/shop/products/17"), ("encoded", "/shop/%70roducts/./a%20b/../17%2Fx")] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(path::normalise(black_box(text)).unwrap()));
        });
    }
    group.finish();
}

fn response_head(criterion: &mut Criterion) {
    let reader = ResponseReader::new(&Method::GET);
    criterion.bench_function("response head", |bencher| {
        let fill = || BytesMut::from(RESPONSE);
        bencher.iter_batched_ref(fill, |buffer| assert!(reader.is_good(buffer)), BatchSize::SmallInput);
    });
}

fn key_sha256() -> String {
    digest(&SHA256, b"the-key").as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A worker whose one route has these plugins and answers by itself.
fn worker(plugins: &Value) -> Rc<Worker> {
    let credential = json!({"id": "c", "plugin": "key-auth", "config": {"key_sha256": key_sha256()}});
    let snapshot = json!({
        "version": 1,
        "gateway": {"listen": [], "workers": 1},
        "consumers": [{"username": "jack", "credentials": [credential]}],
        "routes": [{
            "id": "r", "uris": ["/shop/*"], "plugins": plugins, "target": {"static": {"status": 200}},
        }],
    });
    let state = Arc::<State>::default();
    let (_, generation) = Generation::from_json(&snapshot.to_string(), &state).unwrap();
    let shared = Shared {
        generation: ArcSwap::from_pointee(generation),
        state,
        access_log: None,
        connections: Connections::new(1, usize::MAX).0,
        ready: AtomicBool::new(true),
    };
    Worker::new(Arc::new(shared))
}

fn exchanges(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exchange");
    let limit = json!({"count": 1_000_000_000_000_u64, "time_window": 3600, "key": "consumer_name"});
    for (name, plugins) in [
        ("no plugins", json!({})),
        ("key-auth", json!({"key-auth": {}})),
        ("key-auth limit-count", json!({"key-auth": {}, "limit-count": limit})),
    ] {
        let worker = worker(&plugins);
        let client = "192.0.2.7:4711".parse().unwrap();
        let arrival = Arrival::new(client, "http", 80);
        group.bench_function(name, |bencher| {
            let exchange = |request| {
                let exchange = pin!(exchange::run(&worker, request, arrival.clone()));
                // Nothing here waits for anything.
                match exchange.poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(response) => assert_eq!(response.status(), 200),
                    Poll::Pending => unreachable!(),
                }
            };
            bencher.iter_batched(request, exchange, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn building(criterion: &mut Criterion) {
    let route = |number: usize| {
        json!({
            "id": format!("r{number}"), "uris": [format!("/routes/{number}/items")],
            "plugins": {"key-auth": {}, "limit-count": {"count": 100, "time_window": 60}},
            "target": {"upstream": {"id": "up"}},
        })
    };
    let snapshot = json!({
        "version": 1,
        "gateway": {"listen": [], "workers": 1},
        "upstreams": [{
            "id": "up", "scheme": "http", "pass_host": "pass", "retries": 1, "tls_verify": true,
            "nodes": [{"host": "127.0.0.1", "port": 80, "weight": 1}],
            "timeout": {"connect_ms": 1000, "send_ms": 1000, "read_ms": 1000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60_000, "requests": 1000},
        }],
        "routes": (0..10_000).map(route).collect::<Vec<_>>(),
    });
    let text = snapshot.to_string();
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("10000 routes", |bencher| bencher.iter(|| Engine::check(&text).unwrap()));
    group.finish();
}

criterion_group!(benches, routing, hygiene, response_head, exchanges, building);
criterion_main!(benches);
