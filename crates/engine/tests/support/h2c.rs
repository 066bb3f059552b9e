//! What the tests of HTTP/2 to upstreams share: a gateway with one worker in front of an upstream of frames.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{snapshot, start};
use serde_json::{Value, json};
use std::net::SocketAddr;
use toolway_engine::Engine;
use toolway_testkit::frames::FrameListener;
use toolway_testkit::{RawClient, Response};

pub const GET: &str = "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n";
pub const POST: &str = "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";

/// A snapshot whose upstream speaks HTTP/2 by prior knowledge, with one worker.
pub fn h2c(node: SocketAddr) -> Value {
    let mut snapshot = snapshot(json!([]), Some(node));
    snapshot["upstreams"][0]["scheme"] = json!("h2c");
    snapshot["gateway"]["workers"] = json!(1);
    snapshot
}

/// An upstream of frames, and a gateway in front of it.
pub async fn gateway() -> (FrameListener, Engine, SocketAddr) {
    let upstream = FrameListener::start().await.unwrap();
    let (engine, address, _) = start(&h2c(upstream.address().unwrap()));
    (upstream, engine, address)
}

/// A client that has sent `request`.
pub async fn ask(address: SocketAddr, request: &str) -> RawClient {
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(request).await.unwrap();
    client
}

/// Status and error code of an answer.
pub fn told(response: &Response) -> (u16, Option<&str>) {
    (response.status(), response.header("x-toolway-error"))
}
