//! Hygiene on the wire: what of a request's framing is refused, and what is resolved, with exact bytes on both sides.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use std::net::SocketAddr;
use support::{snapshot, start};
use toolway_engine::Engine;
use toolway_testkit::{RawClient, ScriptedUpstream, Step};

async fn gateway() -> (Engine, SocketAddr, ScriptedUpstream) {
    let upstream = ScriptedUpstream::start([Step::ok("fine")]).await.unwrap();
    let (engine, address, _) = start(&snapshot(json!([]), Some(upstream.address())));
    (engine, address, upstream)
}

/// All that comes for `request` until the connection is closed, without the date.
async fn until_close(address: SocketAddr, request: &str) -> String {
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(request).await.unwrap();
    let bytes = String::from_utf8(client.until_close().await.unwrap()).unwrap();
    let lines: Vec<_> = bytes.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect();
    lines.concat()
}

#[tokio::test]
async fn a_head_that_others_could_read_differently_is_refused_with_its_code() {
    let (_engine, address, upstream) = gateway().await;
    for (request, status, code) in [
        ("GET / HTTP/1.1\r\n\r\n", 400, "host_missing"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "host_repeated"),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "host_invalid"),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "host_invalid"),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "host_mismatch"),
        ("GET b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target_invalid"),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target_invalid"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501, "method_not_served"),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "method_not_served"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            501,
            "transfer_encoding_unsupported",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            501,
            "transfer_encoding_unsupported",
        ),
    ] {
        let answer = until_close(address, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
        assert!(answer.contains(&format!("x-toolway-error: {code}\r\nconnection: close\r\n")), "{answer}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn what_is_no_request_gets_an_empty_answer() {
    let (_engine, address, upstream) = gateway().await;
    for request in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/3.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let expected = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(until_close(address, request).await, expected, "{request:?}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn of_two_kinds_of_length_chunks_win_and_nothing_after_the_message_is_read() {
    let (_engine, address, upstream) = gateway().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for headers in [
        "Content-Length: 99\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 99",
        "Content-Length: 99\r\nTransfer-Encoding: chunked\r\nContent-Length: 98",
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
        let answer = until_close(address, &format!("{head}1\r\nx\r\n0\r\n\r\n{smuggled}")).await;
        let expected = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfine";
        assert_eq!(answer, expected, "{headers}");
    }
    for received in upstream.received() {
        assert_eq!(received.line(), "POST / HTTP/1.1");
        assert_eq!(
            (received.header("content-length"), received.header("transfer-encoding")),
            (None, Some("chunked"))
        );
        assert!(received.bytes.ends_with(b"\r\n\r\n1\r\nx\r\n0\r\n\r\n"), "{}", received.text());
    }
    assert_eq!(upstream.received().len(), 3);
}

#[tokio::test]
async fn equal_lengths_become_one() {
    let (_engine, address, upstream) = gateway().await;
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 03\r\n\r\nabc";
    assert_eq!(RawClient::exchange(address, request).await.unwrap().status(), 200);
    let received = upstream.received().remove(0);
    assert_eq!(received.text().matches("content-length").count(), 1);
    assert_eq!((received.header("content-length"), &received.body()[..]), (Some("3"), &b"abc"[..]));
}

#[tokio::test]
async fn lines_may_end_in_a_bare_line_feed_and_do_not_go_on_so() {
    let (_engine, address, upstream) = gateway().await;
    let request = "\r\nGET / HTTP/1.1\nHost: a\nX-Own: 1\n\n";
    assert_eq!(RawClient::exchange(address, request).await.unwrap().status(), 200);
    let received = upstream.received().remove(0);
    assert!(received.text().starts_with("GET / HTTP/1.1\r\nhost: a\r\nx-own: 1\r\n"), "{}", received.text());
}

#[tokio::test]
async fn malformed_chunks_end_the_request_and_the_connection() {
    let (_engine, address, upstream) = gateway().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "x\r\n",
        "1\nx\r\n0\r\n\r\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nx",
        "1\r\nx\r\n0\r\nbad trailer\r\n\r\n",
    ] {
        let answer = until_close(address, &format!("{head}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{body:?}: {answer}");
        assert!(
            answer.contains("x-toolway-error: client_closed\r\nconnection: close\r\n"),
            "{body:?}: {answer}"
        );
    }
    assert_eq!(upstream.received(), []);
}
