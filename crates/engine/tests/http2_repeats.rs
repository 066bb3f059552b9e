//! HTTP/2 to upstreams, frame by frame: which requests go out again after a refusal, a GOAWAY or a broken connection, and
//! which do not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use h2::Reason;
use serde_json::json;
use std::net::SocketAddr;
use support::h2c::{GET, POST, ask, gateway, h2c, told};
use support::start;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use toolway_testkit::frames::{DATA, FrameListener, HEADERS, NO_ERROR, REFUSED_STREAM, WINDOW_UPDATE};
use toolway_testkit::{RawClient, ScriptedUpstream, Step, closed_address};

#[tokio::test]
async fn a_refused_request_goes_out_again_on_another_connection() {
    let (upstream, _engine, address) = gateway().await;
    let mut first_client = ask(address, GET).await;
    let mut first = upstream.accept(&[]).await.unwrap();
    assert_eq!(first.request().await.unwrap().0, 1);
    let mut client = ask(address, POST).await;
    assert_eq!(first.request().await.unwrap(), (3, b"hello".to_vec()));
    first.reset(3, REFUSED_STREAM).await.unwrap();
    let mut second = upstream.accept(&[]).await.unwrap();
    assert_eq!(second.request().await.unwrap(), (1, b"hello".to_vec()));
    second.answer(1, b"done").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "done");
    first.answer(1, b"first").await.unwrap();
    assert_eq!(first_client.response().await.unwrap().text(), "first");
}

#[tokio::test]
async fn a_refused_request_whose_body_was_too_long_to_keep_is_not_sent_again() {
    let (upstream, _engine, address) = gateway().await;
    let body = "x".repeat(100_000);
    let mut client =
        ask(address, &format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
            .await;
    let mut node = upstream.accept(&[]).await.unwrap();
    node.send(WINDOW_UPDATE, 0, 0, &100_000_u32.to_be_bytes()).await.unwrap();
    node.next_of(HEADERS).await.unwrap();
    node.send(WINDOW_UPDATE, 0, 1, &100_000_u32.to_be_bytes()).await.unwrap();
    let mut came = 0;
    while came < body.len() {
        came += node.next_of(DATA).await.unwrap().payload.len();
    }
    node.reset(1, REFUSED_STREAM).await.unwrap();
    assert_eq!(told(&client.response().await.unwrap()), (502, Some("upstream_reset")));
}

#[tokio::test]
async fn a_node_that_refuses_everything_is_left_in_the_end() {
    let (upstream, _engine, address) = gateway().await;
    let mut client = ask(address, POST).await;
    let mut nodes = vec![];
    for _ in 0..4 {
        let mut node = upstream.accept(&[]).await.unwrap();
        assert_eq!(node.request().await.unwrap().0, 1);
        node.reset(1, REFUSED_STREAM).await.unwrap();
        nodes.push(node);
    }
    assert_eq!(told(&client.response().await.unwrap()), (502, Some("upstream_reset")));
}

#[tokio::test]
async fn a_request_that_goaway_excludes_goes_out_again_and_the_others_go_on() {
    let (upstream, _engine, address) = gateway().await;
    let mut included = ask(address, POST).await;
    let mut first = upstream.accept(&[]).await.unwrap();
    assert_eq!(first.request().await.unwrap().0, 1);
    let mut excluded = ask(address, POST).await;
    assert_eq!(first.request().await.unwrap().0, 3);
    first.go_away(1, NO_ERROR).await.unwrap();
    let mut second = upstream.accept(&[]).await.unwrap();
    assert_eq!(second.request().await.unwrap(), (1, b"hello".to_vec()));
    second.answer(1, b"second").await.unwrap();
    assert_eq!(excluded.response().await.unwrap().text(), "second");
    first.answer(1, b"first").await.unwrap();
    assert_eq!(included.response().await.unwrap().text(), "first");
    included.send(GET).await.unwrap();
    assert_eq!(second.request().await.unwrap().0, 3);
    second.answer(3, b"third").await.unwrap();
    assert_eq!(included.response().await.unwrap().text(), "third");
}

#[tokio::test]
async fn a_post_that_may_have_been_seen_is_not_sent_again() {
    let (upstream, _engine, address) = gateway().await;
    let mut client = ask(address, POST).await;
    let mut node = upstream.accept(&[]).await.unwrap();
    node.request().await.unwrap();
    // It includes the stream, and then the connection breaks.
    node.go_away(1, NO_ERROR).await.unwrap();
    drop(node);
    assert_eq!(told(&client.response().await.unwrap()), (502, Some("upstream_closed")));
}

#[tokio::test]
async fn a_get_on_a_connection_that_breaks_goes_out_again_where_the_connection_was_used_before() {
    let (upstream, _engine, address) = gateway().await;
    let mut client = ask(address, GET).await;
    let mut first = upstream.accept(&[]).await.unwrap();
    first.request().await.unwrap();
    first.answer(1, b"one").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "one");
    client.send(GET).await.unwrap();
    first.request().await.unwrap();
    drop(first);
    let mut second = upstream.accept(&[]).await.unwrap();
    second.request().await.unwrap();
    second.answer(1, b"two").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "two");
}

#[tokio::test]
async fn what_does_not_speak_http2_is_told_from_what_is_not_there() {
    let (_engine, address, _) = start(&h2c(closed_address().unwrap()));
    assert_eq!(told(&RawClient::exchange(address, POST).await.unwrap()), (502, Some("upstream_unreachable")));

    let refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec();
    let http1 = ScriptedUpstream::start([Step::AnswerAndClose(refusal)]).await.unwrap();
    let (_engine, address, _) = start(&h2c(http1.address()));
    assert_eq!(told(&RawClient::exchange(address, POST).await.unwrap()), (502, Some("upstream_protocol")));

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut snapshot = h2c(silent.local_addr().unwrap());
    snapshot["upstreams"][0]["timeout"]["connect_ms"] = json!(50);
    let (_engine, address, _) = start(&snapshot);
    assert_eq!(
        told(&RawClient::exchange(address, POST).await.unwrap()),
        (504, Some("upstream_connect_timeout"))
    );
    let (mut stream, _) = silent.accept().await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn another_node_is_tried_where_one_refuses_or_is_dead() {
    let (refusing, willing) = (FrameListener::start().await.unwrap(), FrameListener::start().await.unwrap());
    let mut snapshot = h2c(closed_address().unwrap());
    for node in [refusing.address().unwrap(), willing.address().unwrap()] {
        let node = json!({"host": "127.0.0.1", "port": node.port(), "weight": 1});
        snapshot["upstreams"][0]["nodes"].as_array_mut().unwrap().push(node);
    }
    snapshot["upstreams"][0]["retries"] = json!(2);
    let (_engine, address, _) = start(&snapshot);
    let mut client = ask(address, POST).await;
    let mut nodes = vec![];
    for _ in 0..4 {
        let mut node = refusing.accept(&[]).await.unwrap();
        node.request().await.unwrap();
        node.reset(1, REFUSED_STREAM).await.unwrap();
        nodes.push(node);
    }
    let mut node = willing.accept(&[]).await.unwrap();
    assert_eq!(node.request().await.unwrap(), (1, b"hello".to_vec()));
    node.answer(1, b"third").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "third");
}

/// A node that refuses each seventh request, and takes leave of each connection after twenty.
async fn restless() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection =
                    h2::server::Builder::new().max_concurrent_streams(8).handshake(stream).await.unwrap();
                let mut count = 0;
                while let Some(Ok((mut request, mut respond))) = connection.accept().await {
                    count += 1;
                    if count == 20 {
                        connection.graceful_shutdown();
                    }
                    if count % 7 == 0 {
                        respond.send_reset(Reason::REFUSED_STREAM);
                        continue;
                    }
                    tokio::spawn(async move {
                        let body = request.body_mut().data().await.unwrap().unwrap();
                        let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
                        stream.send_data(body, true).unwrap();
                    });
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_restless_node_costs_no_request() {
    let (_engine, address, _) = start(&h2c(restless().await));
    let mut clients = JoinSet::new();
    for _ in 0..16 {
        clients.spawn(async move {
            let mut client = RawClient::connect(address).await.unwrap();
            for _ in 0..60 {
                client.send(POST).await.unwrap();
                let response = client.response().await.unwrap();
                assert_eq!((response.status(), response.text().as_str()), (200, "hello"), "{response:?}");
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}
