//! HTTP/2 to upstreams, frame by frame: how many streams a connection carries, how bodies flow, and what a slow client or
//! a stream that breaks does to the others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use serde_json::json;
use support::h2c::{GET, POST, ask, gateway, h2c, told};
use support::start;
use toolway_testkit::frames::{
    ACK, CANCEL, DATA, END_HEADERS, END_STREAM, FrameListener, HEADERS, INTERNAL_ERROR,
    MAX_CONCURRENT_STREAMS, PING, RST_STREAM, STATUS_200, WINDOW_UPDATE,
};

#[tokio::test]
async fn one_connection_carries_requests_side_by_side() {
    let (upstream, _engine, address) = gateway().await;
    let mut one = ask(address, POST).await;
    let mut node = upstream.accept(&[]).await.unwrap();
    assert_eq!(node.request().await.unwrap(), (1, b"hello".to_vec()));
    let mut other = ask(address, GET).await;
    assert_eq!(node.request().await.unwrap(), (3, vec![]));
    node.answer(3, b"three").await.unwrap();
    assert_eq!(other.response().await.unwrap().text(), "three");
    node.answer(1, b"one").await.unwrap();
    assert_eq!(one.response().await.unwrap().text(), "one");
}

#[tokio::test]
async fn those_who_wait_for_a_new_connection_share_it() {
    let (upstream, _engine, address) = gateway().await;
    let mut clients = vec![];
    for _ in 0..4 {
        clients.push(ask(address, GET).await);
    }
    let mut node = upstream.accept(&[]).await.unwrap();
    let mut streams = vec![];
    for _ in 0..4 {
        streams.push(node.request().await.unwrap().0);
    }
    assert_eq!(streams, [1, 3, 5, 7]);
    for stream in streams {
        node.answer(stream, b"x").await.unwrap();
    }
    for mut client in clients {
        assert_eq!(client.response().await.unwrap().text(), "x");
    }
}

#[tokio::test]
async fn a_further_connection_is_opened_where_the_peer_takes_no_more_streams() {
    let (upstream, _engine, address) = gateway().await;
    let limit = [(MAX_CONCURRENT_STREAMS, 1)];
    let mut one = ask(address, GET).await;
    let mut first = upstream.accept(&limit).await.unwrap();
    assert_eq!(first.request().await.unwrap().0, 1);
    let mut other = ask(address, GET).await;
    let mut second = upstream.accept(&limit).await.unwrap();
    assert_eq!(second.request().await.unwrap().0, 1);
    second.answer(1, b"second").await.unwrap();
    assert_eq!(other.response().await.unwrap().text(), "second");
    first.answer(1, b"first").await.unwrap();
    assert_eq!(one.response().await.unwrap().text(), "first");
    // With both free again, the older one is used.
    other.send(GET).await.unwrap();
    assert_eq!(first.request().await.unwrap().0, 3);
    first.answer(3, b"again").await.unwrap();
    assert_eq!(other.response().await.unwrap().text(), "again");
}

#[tokio::test]
async fn a_connection_serves_as_many_requests_as_it_may() {
    let upstream = FrameListener::start().await.unwrap();
    let mut snapshot = h2c(upstream.address().unwrap());
    snapshot["upstreams"][0]["keepalive"]["requests"] = json!(1);
    let (_engine, address, _) = start(&snapshot);
    for _ in 0..2 {
        let mut client = ask(address, GET).await;
        let mut node = upstream.accept(&[]).await.unwrap();
        assert_eq!(node.request().await.unwrap().0, 1);
        node.answer(1, b"x").await.unwrap();
        assert_eq!(client.response().await.unwrap().text(), "x");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_time() {
    let upstream = FrameListener::start().await.unwrap();
    let mut snapshot = h2c(upstream.address().unwrap());
    snapshot["upstreams"][0]["keepalive"]["idle_timeout_ms"] = json!(1);
    let (_engine, address, _) = start(&snapshot);
    let mut client = ask(address, GET).await;
    let mut node = upstream.accept(&[]).await.unwrap();
    node.request().await.unwrap();
    node.answer(1, b"x").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "x");
    while node.next().await.is_ok() {}
}

#[tokio::test]
async fn a_stream_that_is_reset_costs_nobody_else_anything() {
    let (upstream, _engine, address) = gateway().await;
    let mut client = ask(address, POST).await;
    let mut node = upstream.accept(&[]).await.unwrap();
    node.request().await.unwrap();
    node.reset(1, INTERNAL_ERROR).await.unwrap();
    assert_eq!(told(&client.response().await.unwrap()), (502, Some("upstream_reset")));
    client.send(POST).await.unwrap();
    node.request().await.unwrap();
    node.send(HEADERS, END_HEADERS, 3, STATUS_200).await.unwrap();
    node.send(DATA, 0, 3, b"half").await.unwrap();
    node.reset(3, INTERNAL_ERROR).await.unwrap();
    let answer = String::from_utf8(client.until_close().await.unwrap()).unwrap();
    assert!(answer.ends_with("\r\n4\r\nhalf\r\n"), "{answer}");
    let mut client = ask(address, GET).await;
    node.request().await.unwrap();
    node.answer(5, b"whole").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "whole");
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_stream_with_it() {
    let (upstream, _engine, address) = gateway().await;
    let client = ask(address, GET).await;
    let mut node = upstream.accept(&[]).await.unwrap();
    assert_eq!(node.request().await.unwrap().0, 1);
    drop(client);
    let reset = node.next_of(RST_STREAM).await.unwrap();
    assert_eq!((reset.stream, reset.payload), (1, CANCEL.to_be_bytes().to_vec()));
    let mut client = ask(address, GET).await;
    assert_eq!(node.request().await.unwrap().0, 3);
    node.answer(3, b"next").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "next");
}

#[tokio::test]
async fn reads_over_interim_answers() {
    let (upstream, _engine, address) = gateway().await;
    let mut client = ask(address, GET).await;
    let mut node = upstream.accept(&[]).await.unwrap();
    node.request().await.unwrap();
    // `:status: 103`, a literal with an indexed name (RFC 7541, section 6.2.2).
    node.send(HEADERS, END_HEADERS, 1, b"\x08\x03103").await.unwrap();
    node.answer(1, b"final").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "final");
}

#[tokio::test]
async fn an_answer_that_breaks_the_rules_of_http2_is_none() {
    let (upstream, _engine, address) = gateway().await;
    let mut client = ask(address, POST).await;
    let mut node = upstream.accept(&[]).await.unwrap();
    node.request().await.unwrap();
    // `connection: x` belongs to HTTP/1.1 (RFC 9113, section 8.2.2).
    node.send(HEADERS, END_HEADERS | END_STREAM, 1, b"\x88\x00\x0aconnection\x01x").await.unwrap();
    assert_eq!(told(&client.response().await.unwrap()), (502, Some("upstream_protocol")));
}

#[tokio::test]
async fn a_body_that_is_shorter_than_announced_is_not_taken_for_whole() {
    let (upstream, _engine, address) = gateway().await;
    let mut client = ask(address, POST).await;
    let mut node = upstream.accept(&[]).await.unwrap();
    node.request().await.unwrap();
    // `content-length: 9`.
    node.send(HEADERS, END_HEADERS, 1, b"\x88\x0f\x0d\x019").await.unwrap();
    node.send(DATA, END_STREAM, 1, b"four").await.unwrap();
    assert_eq!(client.response().await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn an_early_answer_ends_the_upload() {
    let (upstream, _engine, address) = gateway().await;
    let mut client = ask(address, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nstart").await;
    let mut node = upstream.accept(&[]).await.unwrap();
    assert_eq!(node.next_of(DATA).await.unwrap().payload, b"start");
    node.send(HEADERS, END_HEADERS | END_STREAM, 1, &[0x8d]).await.unwrap();
    assert_eq!(client.response().await.unwrap().status(), 404);
    assert_eq!(node.next_of(RST_STREAM).await.unwrap().stream, 1);
}

#[tokio::test]
async fn a_body_goes_out_no_faster_than_the_node_takes_it() {
    let (upstream, _engine, address) = gateway().await;
    let body = "x".repeat(100_000);
    let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut client = ask(address, &request).await;
    let mut node = upstream.accept(&[]).await.unwrap();
    let mut came = 0;
    // The window of a stream is 65,535 bytes where the settings say nothing (RFC 9113, section 6.9.2).
    while came < 65_535 {
        came += node.next_of(DATA).await.unwrap().payload.len();
    }
    assert_eq!(came, 65_535);
    node.send(PING, 0, 0, &[0; 8]).await.unwrap();
    while let frame = node.next().await.unwrap()
        && frame.kind != PING
    {
        assert_ne!(frame.kind, DATA);
    }
    for stream in [0, 1] {
        node.send(WINDOW_UPDATE, 0, stream, &100_000_u32.to_be_bytes()).await.unwrap();
    }
    while came < body.len() {
        came += node.next_of(DATA).await.unwrap().payload.len();
    }
    node.answer(1, b"all").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "all");
}

#[tokio::test]
async fn a_client_that_reads_nothing_stops_its_stream_and_no_other() {
    const FAR_TOO_MUCH: usize = 256 << 20;
    let (upstream, _engine, address) = gateway().await;
    let slow = ask(address, GET).await;
    let mut node = upstream.accept(&[]).await.unwrap();
    node.request().await.unwrap();
    node.send(HEADERS, END_HEADERS, 1, STATUS_200).await.unwrap();
    let (mut sent, mut window) = (0, 256_usize << 10);
    // The window is used up, and stays so over several answers to PING.
    let mut silent_rounds = 0;
    while silent_rounds < 20 {
        while window > 0 {
            let piece = vec![0; window.min(16_384)];
            node.send(DATA, 0, 1, &piece).await.unwrap();
            (sent, window) = (sent + piece.len(), window - piece.len());
            assert!(sent < FAR_TOO_MUCH);
        }
        node.send(PING, 0, 0, &[0; 8]).await.unwrap();
        loop {
            let frame = node.next().await.unwrap();
            if frame.kind == WINDOW_UPDATE && frame.stream == 1 {
                window += u32::from_be_bytes(frame.payload.try_into().unwrap()) as usize;
            } else if frame.kind == PING && frame.flags == ACK {
                break;
            }
        }
        silent_rounds = if window == 0 { silent_rounds + 1 } else { 0 };
    }
    let mut other = ask(address, GET).await;
    let stream = node.request().await.unwrap().0;
    node.answer(stream, b"at once").await.unwrap();
    assert_eq!(other.response().await.unwrap().text(), "at once");
    drop(slow);
    assert_eq!(node.next_of(RST_STREAM).await.unwrap().stream, 1);
}

#[tokio::test]
async fn a_stream_without_an_answer_in_time_fails_alone_and_its_connection_is_left() {
    let upstream = FrameListener::start().await.unwrap();
    let mut snapshot = h2c(upstream.address().unwrap());
    snapshot["upstreams"][0]["timeout"]["read_ms"] = json!(50);
    let (_engine, address, _) = start(&snapshot);
    let mut client = ask(address, POST).await;
    let mut first = upstream.accept(&[]).await.unwrap();
    first.request().await.unwrap();
    assert_eq!(told(&client.response().await.unwrap()), (504, Some("upstream_read_timeout")));
    assert_eq!(first.next_of(RST_STREAM).await.unwrap().stream, 1);
    client.send(POST).await.unwrap();
    let mut second = upstream.accept(&[]).await.unwrap();
    second.request().await.unwrap();
    second.answer(1, b"well").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "well");
}
