//! A worker without listeners whose clients are in memory, with an upstream on loopback that reads strictly.

use super::strict;
use crate::exchange::{self, Arrival};
use crate::generation::Generation;
use crate::http::Body;
use crate::server::{Activity, Connections, Shared, Worker, converse};
use crate::state::State;
use ::http::{HeaderValue, Method, Request};
use arc_swap::ArcSwap;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::LocalSet;

const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 4711);
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Turns of the runtime after which a connection without a request has none to come, and after which one that has a
/// request waits for bytes that do not come.
const QUIET: usize = 200;
const LONG_ENOUGH: usize = 5000;

struct Rig {
    runtime: Runtime,
    tasks: LocalSet,
    worker: Rc<Worker>,
    upstream: Rc<Upstream>,
}

/// What the upstream has seen.
#[derive(Default)]
struct Upstream {
    requests: Cell<usize>,
    finding: RefCell<Option<String>>,
}

thread_local! {
    static RIG: Rig = Rig::new();
}

impl Rig {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (tasks, upstream) = (LocalSet::new(), Rc::new(Upstream::default()));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let node = listener.local_addr().expect("an address");
        tasks.spawn_local(accept(listener, upstream.clone()));
        let state = Arc::<State>::default();
        let (_, generation) = Generation::from_json(&settings(node).to_string(), &state).expect("a snapshot");
        let shared = Shared {
            generation: ArcSwap::from_pointee(generation),
            state,
            access_log: None,
            connections: Connections::new(1, usize::MAX).0,
            ready: AtomicBool::new(true),
        };
        Self { runtime, tasks, worker: Worker::new(Arc::new(shared)), upstream }
    }

    fn run<F: Future>(&self, future: F) -> F::Output {
        let within = async { tokio::time::timeout(PATIENCE, future).await.expect("an end") };
        self.tasks.block_on(&self.runtime, within)
    }
}

fn settings(node: SocketAddr) -> Value {
    let schema = json!({
        "type": "object", "required": ["id"], "additionalProperties": false,
        "properties": {"id": {"type": "integer"}, "names": {"type": "array", "items": {"type": "string"}}},
    });
    let tool = json!({
        "name": "find", "route": "find", "definition": {"name": "find", "inputSchema": schema},
        "request": {"method": "GET", "host": "gateway.test", "path": "/find?page=2", "accept": "*/*"},
    });
    json!({
        "version": 1,
        "gateway": {"listen": [], "workers": 1, "limits": {"body_bytes": 100_000}},
        "upstreams": [{
            "id": "up", "scheme": "http", "pass_host": "pass", "retries": 1, "tls_verify": true,
            "nodes": [{"host": node.ip().to_string(), "port": node.port(), "weight": 1}],
            "timeout": {"connect_ms": 60_000, "send_ms": 60_000, "read_ms": 60_000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60_000, "requests": 1000},
        }],
        "apps": [{
            "id": "app", "name": "app", "title": "App", "version": "1", "max_result_characters": 1000,
            "tools": [tool],
        }],
        "routes": [
            {"id": "mcp", "uris": ["/mcp"], "target": {"mcp": {"app": "app"}}},
            {"id": "find", "uris": ["/find"], "target": {"static": {"status": 200, "body": "{}"}}},
            {"id": "all", "uris": ["/*", "/a/:b"], "target": {"upstream": {"id": "up"}}},
        ],
    })
}

async fn accept(listener: TcpListener, upstream: Rc<Upstream>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::task::spawn_local(answer(stream, upstream.clone()));
    }
}

/// Answers each whole request; a broken connection is the end of it.
async fn answer(mut stream: TcpStream, upstream: Rc<Upstream>) {
    let mut bytes = Vec::new();
    while matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
        loop {
            match strict::read(&bytes) {
                Ok(None) => break,
                Ok(Some(request)) => {
                    bytes.drain(..request.length);
                    upstream.requests.set(upstream.requests.get() + 1);
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
                Err(finding) => {
                    let sent = String::from_utf8_lossy(&bytes).into_owned();
                    upstream.finding.replace(Some(format!("{finding}: the upstream got {sent:?}")));
                    return;
                }
            }
        }
    }
}

/// The bytes of a client, up to its end: what reaches the upstream can be read in one way, and the client gets an answer
/// where it sent HTTP/1. How many requests reached the upstream.
pub fn proxy(data: &[u8]) -> usize {
    RIG.with(|rig| {
        rig.upstream.requests.set(0);
        let answer = rig.run(converse_with(&rig.worker, data));
        if let Some(finding) = rig.upstream.finding.take() {
            panic!("{finding}; the client sent {:?}", String::from_utf8_lossy(data));
        }
        let is_http2 = data.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert!(is_http2 || answer.is_empty() || answer.starts_with(b"HTTP/1."), "{answer:?}");
        rig.upstream.requests.get()
    })
}

async fn converse_with(worker: &Rc<Worker>, data: &[u8]) -> Vec<u8> {
    let (mut client, server) = duplex(64 << 10);
    let activity = Activity::begin(None);
    let arrival = Arrival { activity: Some(activity.clone()), ..Arrival::new(CLIENT, "http", 80) };
    let (_stop, stopped) = watch::channel(false);
    let talk = converse(worker.clone(), server, arrival, activity.clone(), stopped);
    let serving = tokio::task::spawn_local(talk);
    let mut answer = Vec::new();
    // A server that refuses what it reads takes no more of it.
    let (mut from_server, mut to_server) = tokio::io::split(&mut client);
    let send = async {
        let _ = to_server.write_all(data).await;
        // A client that closes its side has given up what is not answered yet.
        settle(&activity).await;
        let _ = to_server.shutdown().await;
    };
    let receive = from_server.read_to_end(&mut answer);
    let (_, _) = tokio::join!(send, receive);
    serving.await.expect("no panic");
    answer
}

/// Returns when every request that can be answered has been, or after long enough.
async fn settle(activity: &Activity) {
    let mut quiet = 0;
    for _ in 0..LONG_ENOUGH {
        quiet = if activity.idle_since().is_some() { quiet + 1 } else { 0 };
        if quiet == QUIET {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// A message to the MCP endpoint; the first byte says by which version of the protocol. What is answered is JSON.
pub fn mcp(data: &[u8]) {
    let Some((version, message)) = data.split_first() else { return };
    let mut request = Request::new(Body::from(message.to_vec()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = "/mcp".parse().expect("a path");
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("gateway.test"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("accept", HeaderValue::from_static("application/json, text/event-stream"));
    if version & 1 == 1 {
        headers.insert("mcp-protocol-version", HeaderValue::from_static("2026-07-28"));
        headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
        headers.insert("mcp-name", HeaderValue::from_static("find"));
    }
    let arrival = Arrival::new(CLIENT, "http", 80);
    let body = RIG.with(|rig| {
        rig.run(async {
            let response = exchange::run(&rig.worker, request, arrival).await;
            assert!(!response.status().is_server_error(), "{}", response.status());
            response.into_body().collect().await.expect("a whole body").to_bytes()
        })
    });
    if !body.is_empty() {
        let answer: Value = serde_json::from_slice(&body).expect("an answer in JSON");
        assert!(answer.is_object());
    }
}
