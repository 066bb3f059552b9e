//! A panic on the way of a request costs its connection, or over HTTP/2 its stream, and nothing else.

use super::Engine;
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use toolway_testkit::{PATIENCE, RawClient};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PANIC: &str = "GET / HTTP/1.1\r\nHost: a\r\nX-Panic: 1\r\n\r\n";

/// An engine with one worker that panics at clients that wish it.
fn start() -> (Engine, SocketAddr) {
    let snapshot = json!({
        "version": 1,
        "gateway": {"listen": ["127.0.0.1:0"], "workers": 1},
        "routes": [{
            "id": "r", "uris": ["/*"],
            "plugins": {"panicking": {}, "prometheus": {}, "limit-count": {"count": 9, "time_window": 60}},
            "target": {"static": {"status": 200, "body": "here"}},
        }],
    });
    let engine = Engine::new(&snapshot.to_string()).unwrap();
    engine.start().unwrap();
    let address = engine.listen_addresses()[0];
    (engine, address)
}

#[tokio::test]
async fn a_panic_costs_one_connection() {
    let (engine, address) = start();
    let mut other = RawClient::connect(address).await.unwrap();
    for _ in 0..3 {
        let mut unlucky = RawClient::connect(address).await.unwrap();
        unlucky.send(PANIC).await.unwrap();
        assert_eq!(unlucky.until_close().await.unwrap(), b"");
        other.send(GET).await.unwrap();
        assert_eq!(other.response().await.unwrap().text(), "here");
    }
    assert_eq!(RawClient::exchange(address, GET).await.unwrap().text(), "here");
    drop(other);
    assert!(tokio::task::spawn_blocking(move || engine.drain(PATIENCE)).await.unwrap());
}

/// A HEADERS frame that ends its stream (RFC 9113 section 6.2).
fn headers(stream: u8, block: &[u8]) -> Vec<u8> {
    [&[0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, stream], block].concat()
}

#[tokio::test]
async fn a_panic_costs_one_stream_of_http2() {
    let (_engine, address) = start();
    // GET / for the authority `a` (RFC 7541 appendix A for the indexes), and `x-panic: 1` as a literal.
    let get = [0x82, 0x86, 0x84, 0x41, 1, b'a'];
    let panic = [&get[..], b"\0\x07x-panic\x011"].concat();
    let mut client = TcpStream::connect(address).await.unwrap();
    let start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    client.write_all(&[&start[..], &headers(1, &panic), &headers(3, &get)].concat()).await.unwrap();
    let mut came = Vec::new();
    // The end of DATA of stream 3, and the head of RST_STREAM of stream 1.
    let wanted = [&b"\0\0\0\x03here"[..], b"\0\0\x04\x03\0\0\0\0\x01"];
    while !wanted.iter().all(|part| came.windows(part.len()).any(|window| window == *part)) {
        let read = tokio::time::timeout(PATIENCE, client.read_buf(&mut came)).await;
        assert_ne!(read.unwrap().unwrap(), 0, "{came:?}");
    }
}
