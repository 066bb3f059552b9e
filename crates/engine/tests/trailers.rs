//! Trailers of HTTP/1.1 on the wire: those that nobody could mistake for anything pass, both ways.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::json;
use support::{snapshot, start};
use toolway_testkit::{RawClient, Received, ScriptedUpstream, Step};

/// What the upstream got of `request`.
async fn passed_on(request: &str) -> Received {
    let upstream = ScriptedUpstream::start([Step::ok("")]).await.unwrap();
    let (_engine, address, _) = start(&snapshot(json!([]), Some(upstream.address())));
    RawClient::exchange(address, request).await.unwrap();
    upstream.received().remove(0)
}

#[tokio::test]
async fn of_a_requests_trailers_only_those_go_on_that_nobody_could_mistake() {
    let sent = |announced: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nX-Own: 1\r\nTransfer-Encoding: chunked\r\n{announced}\r\n1\r\nx\r\n0\r\n\
             X-Sum: 7\r\nX-Own: 2\r\nX-Consumer-Username: root\r\nX_Real_IP: 9.9.9.9\r\nContent-Length: 3\r\n\
             Authorization: root\r\nConnection: x-sum\r\nHost: b\r\n\r\n"
        )
    };
    let received = passed_on(&sent("Trailer: X-Sum\r\n").replace("Connection: x-sum\r\n", "")).await;
    assert!(received.bytes.ends_with(b"\r\n1\r\nx\r\n0\r\nx-sum: 7\r\n\r\n"), "{}", received.text());
    assert_eq!(received.header("trailer"), Some("X-Sum"));
    let received = passed_on(&sent("Trailer: X-Sum\r\n")).await;
    assert!(received.bytes.ends_with(b"\r\n1\r\nx\r\n0\r\n\r\n"), "{}", received.text());
    let received = passed_on(&sent("")).await;
    assert!(received.bytes.ends_with(b"\r\n1\r\nx\r\n0\r\n\r\n"), "{}", received.text());
}

#[tokio::test]
async fn of_an_answers_trailers_only_those_go_on_that_nobody_could_mistake() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Set-Cookie, X-Toolway-Error\r\n\r\n\
        1\r\nx\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\nX-Toolway-Error: root\r\nX-Consumer-Username: root\r\n\r\n";
    let upstream = ScriptedUpstream::start([Step::Answer(answer.into())]).await.unwrap();
    let (_engine, address, _) = start(&snapshot(json!([]), Some(upstream.address())));
    let request = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n";
    let response = RawClient::exchange(address, request).await.unwrap();
    assert!(response.bytes.ends_with(b"\r\n1\r\nx\r\n0\r\nx-sum: 7\r\n\r\n"), "{response:?}");
}
