//! The client and the upstream talk to each other: each step of a script does what it says.

use std::io::ErrorKind;
use toolway_testkit::{RawClient, ScriptedUpstream, Step, closed_address};

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz";
const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

#[tokio::test]
async fn a_connection_carries_several_requests_and_their_bytes_are_kept() {
    let upstream = ScriptedUpstream::start([Step::ok("hello"), Step::ok("again")]).await.unwrap();
    let mut client = RawClient::connect(upstream.address()).await.unwrap();
    client.send(format!("{GET}{POST}")).await.unwrap();
    assert_eq!(client.response().await.unwrap().bytes, HELLO.as_bytes());
    let second = client.response().await.unwrap();
    assert_eq!(
        (second.status(), second.text().as_str(), second.header("content-length")),
        (200, "again", Some("5"))
    );
    let received = upstream.wait_for_requests(2).await.unwrap();
    assert_eq!(received.iter().map(|request| request.text()).collect::<Vec<_>>(), [GET, POST]);
    assert_eq!(
        (received[1].line().as_str(), received[1].body().as_slice()),
        ("POST /b HTTP/1.1", &b"xyz"[..])
    );
    assert_eq!((received[1].connection, upstream.connections()), (0, 1));
}

#[tokio::test]
async fn a_chunked_request_is_read_to_its_end_before_the_answer() {
    let upstream = ScriptedUpstream::start([Step::ok("hello")]).await.unwrap();
    let mut client = RawClient::connect(upstream.address()).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(head).await.unwrap();
    client.send("2\r\nab\r\n").await.unwrap();
    assert_eq!(upstream.received(), []);
    client.send("1\r\nc\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(client.response().await.unwrap().status(), 200);
    assert_eq!(upstream.received()[0].body(), b"abc");
}

#[tokio::test]
async fn steps_close_the_connection_when_they_say_so() {
    let script = [Step::Close, Step::AnswerAndClose(b"HTTP/1.1 200 OK\r\n\r\nto the end".to_vec())];
    let upstream = ScriptedUpstream::start(script).await.unwrap();
    let error = RawClient::exchange(upstream.address(), GET).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(RawClient::exchange(upstream.address(), GET).await.unwrap().text(), "to the end");
    upstream.wait_for_closed(2).await.unwrap();
    assert_eq!(upstream.received()[1].connection, 1);
}

#[tokio::test]
async fn an_early_answer_does_not_wait_for_the_body() {
    let upstream = ScriptedUpstream::start([Step::AnswerEarly(HELLO.into())]).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(RawClient::exchange(upstream.address(), head).await.unwrap().text(), "hello");
    assert_eq!(upstream.received()[0].text(), head);
}

#[tokio::test]
async fn a_slow_answer_goes_piece_by_piece_when_released() {
    let (head, tail) = HELLO.split_at(HELLO.len() - 2);
    let upstream =
        ScriptedUpstream::start([Step::AnswerSlowly(vec![head.into(), tail.into()])]).await.unwrap();
    let mut client = RawClient::connect(upstream.address()).await.unwrap();
    client.send(GET).await.unwrap();
    upstream.wait_for_requests(1).await.unwrap();
    upstream.release();
    upstream.release();
    assert_eq!(client.response().await.unwrap().text(), "hello");
}

#[tokio::test]
async fn a_stalled_answer_ends_with_the_upstream() {
    let upstream = ScriptedUpstream::start([Step::Stall(b"HTTP/1.1 200 OK\r\n".to_vec())]).await.unwrap();
    let mut client = RawClient::connect(upstream.address()).await.unwrap();
    client.send(GET).await.unwrap();
    upstream.wait_for_requests(1).await.unwrap();
    drop(upstream);
    assert_eq!(client.until_close().await.unwrap(), b"HTTP/1.1 200 OK\r\n");
}

#[tokio::test]
async fn interim_and_head_responses_have_no_body() {
    let bytes = format!("HTTP/1.1 100 Continue\r\n\r\n{HELLO}");
    let head = HELLO.trim_end_matches("hello");
    let upstream =
        ScriptedUpstream::start([Step::Answer(bytes.into()), Step::Answer(head.into())]).await.unwrap();
    let mut client = RawClient::connect(upstream.address()).await.unwrap();
    client.send(GET).await.unwrap();
    assert_eq!(client.response().await.unwrap().status(), 100);
    assert_eq!(client.response().await.unwrap().text(), "hello");
    client.send(GET.replace("GET", "HEAD")).await.unwrap();
    assert_eq!(client.response_to_head().await.unwrap().text(), "");
    client.finish_sending().await.unwrap();
    assert_eq!(client.until_close().await.unwrap(), b"");
}

#[tokio::test]
async fn a_closed_address_refuses_connections() {
    let error = RawClient::connect(closed_address().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
