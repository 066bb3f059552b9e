//! Changes of protocol on the wire: WebSocket and the like.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use toolway_engine::Engine;

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";

fn start(node: SocketAddr, websocket: bool, read_ms: u64) -> (Engine, SocketAddr) {
    let snapshot = json!({
        "version": 1,
        "gateway": {"listen": ["127.0.0.1:0"], "workers": 1},
        "upstreams": [{
            "id": "up", "scheme": "http", "pass_host": "pass", "retries": 0,
            "nodes": [{"host": "127.0.0.1", "port": node.port(), "weight": 1}],
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": read_ms},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000}, "tls_verify": true,
        }],
        "routes": [{"id": "r", "uris": ["/*"], "websocket": websocket, "target": {"upstream": {"id": "up"}}}],
    });
    let engine = Engine::new(&snapshot.to_string()).unwrap();
    engine.start().unwrap();
    let address = *engine.listen_addresses().first().unwrap();
    (engine, address)
}

/// Reads until what was read ends with `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_buf(&mut bytes)).await;
        assert_ne!(read.unwrap().unwrap(), 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn bytes_pass_both_ways_once_both_sides_have_agreed() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_engine, address) = start(upstream.local_addr().unwrap(), true, 5000);
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    let request = read_until(&mut server, "\r\n\r\n").await.to_lowercase();
    for line in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-key: k\r\n"] {
        assert!(request.contains(line), "{request}");
    }
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst";
    server.write_all(answer.as_bytes()).await.unwrap();
    let head = read_until(&mut client, "first").await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 switching protocols\r\n"), "{head}");
    assert!(head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade\r\n"), "{head}");
    client.write_all(b"ping").await.unwrap();
    assert_eq!(read_until(&mut server, "ping").await, "ping");
    server.write_all(b"pong").await.unwrap();
    assert_eq!(read_until(&mut client, "pong").await, "pong");
    drop(server);
    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_route_that_does_not_allow_it_passes_an_ordinary_request() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_engine, address) = start(upstream.local_addr().unwrap(), false, 5000);
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    let request = read_until(&mut server, "\r\n\r\n").await.to_lowercase();
    assert!(!request.contains("upgrade"), "{request}");
    server.write_all(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert!(read_until(&mut client, "\r\n\r\n").await.starts_with("HTTP/1.1 426 "));
}

#[tokio::test]
async fn an_upstream_that_does_not_agree_answers_as_usual() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_engine, address) = start(upstream.local_addr().unwrap(), true, 5000);
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
    assert!(read_until(&mut client, "no").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn a_tunnel_that_is_silent_for_too_long_is_closed() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (engine, address) = start(upstream.local_addr().unwrap(), true, 100);
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    server.write_all(answer.as_bytes()).await.unwrap();
    read_until(&mut client, "\r\n\r\n").await;
    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    let drained = tokio::task::spawn_blocking(move || engine.drain(Duration::from_secs(10)));
    assert!(drained.await.unwrap());
}
