//! HTTP/1.1 with clients on the wire: connections that stay and end, bodies that come in pieces or not at all, and clients
//! that go away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use serde_json::json;
use std::net::SocketAddr;
use support::{snapshot, start};
use toolway_engine::Engine;
use toolway_testkit::{RawClient, Response, ScriptedUpstream, Step};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async fn gateway(steps: Vec<Step>) -> (Engine, SocketAddr, ScriptedUpstream) {
    let upstream = ScriptedUpstream::start(steps).await.unwrap();
    let (engine, address, _) = start(&snapshot(json!([]), Some(upstream.address())));
    (engine, address, upstream)
}

fn answer(head: &str, body: &str) -> Step {
    Step::Answer(format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes())
}

/// The answer as it came, without the date.
fn undated(response: &Response) -> String {
    let text = String::from_utf8_lossy(&response.bytes).into_owned();
    text.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_their_order() {
    let (_engine, address, upstream) =
        gateway(vec![Step::ok("one"), Step::ok("two"), Step::ok("three")]).await;
    let mut client = RawClient::connect(address).await.unwrap();
    let post = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let chunked = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n";
    client.send(format!("{GET}{post}\r\n{chunked}")).await.unwrap();
    for text in ["one", "two", "three"] {
        assert_eq!(client.response().await.unwrap().text(), text);
    }
    let received: Vec<_> =
        upstream.received().iter().map(|one| (one.line().to_owned(), one.body())).collect();
    let expected = [("GET / HTTP/1.1", ""), ("POST /b HTTP/1.1", "abc"), ("POST /c HTTP/1.1", "de")];
    assert_eq!(received, expected.map(|(line, body)| (line.to_owned(), body.as_bytes().to_vec())));
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let (_engine, address, upstream) = gateway(vec![Step::ok("fine")]).await;
    let requests = [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ];
    let mut client = RawClient::connect(address).await.unwrap();
    for request in requests {
        for byte in request.bytes() {
            client.send([byte]).await.unwrap();
        }
        assert_eq!(client.response().await.unwrap().text(), "fine");
    }
    assert!(upstream.received().iter().all(|received| received.body() == b"hello"));
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_go_on_once_somebody_reads() {
    let (_engine, address, upstream) = gateway(vec![Step::ok("fine")]).await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n";
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(head).await.unwrap();
    assert_eq!(client.response().await.unwrap().bytes, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc").await.unwrap();
    assert_eq!(client.response().await.unwrap().text(), "fine");
    // Who has not waited is told nothing.
    client.send(format!("{head}abc")).await.unwrap();
    assert_eq!(client.response().await.unwrap().status(), 200);
    assert!(upstream.received().iter().all(|received| received.header("expect").is_none()));
}

#[tokio::test]
async fn a_client_that_waits_is_refused_without_being_told_to_go_on() {
    let mut settings = snapshot(json!([]), None);
    settings["gateway"]["limits"] = json!({"body_bytes": 2});
    let (_engine, address, _) = start(&settings);
    let mut client = RawClient::connect(address).await.unwrap();
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .await
        .unwrap();
    let told = String::from_utf8(client.until_close().await.unwrap()).unwrap();
    assert!(told.starts_with("HTTP/1.1 413 ") && !told.contains("100 Continue"), "{told}");
}

#[tokio::test]
async fn a_body_that_nobody_reads_ends_the_connection_unless_it_has_come_whole() {
    let (_engine, address, _) = start(&snapshot(json!([]), None));
    let mut client = RawClient::connect(address).await.unwrap();
    for body in ["Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"] {
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}")).await.unwrap();
        assert_eq!(
            undated(&client.response().await.unwrap()),
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhere"
        );
    }
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabc").await.unwrap();
    let answer = client.response().await.unwrap();
    assert_eq!(undated(&answer), "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nhere");
    assert_eq!(client.until_close().await.unwrap(), b"");
}

#[tokio::test]
async fn a_connection_ends_where_the_client_says_so() {
    let (_engine, address, _) = start(&snapshot(json!([]), None));
    for (head, stays) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", true),
    ] {
        let mut client = RawClient::connect(address).await.unwrap();
        client.send(head).await.unwrap();
        let answer = undated(&client.response().await.unwrap());
        let is_http10 = head.contains("HTTP/1.0");
        let version = if is_http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let connection = match (is_http10, stays) {
            (true, true) => "connection: keep-alive\r\n",
            (false, false) => "connection: close\r\n",
            _ => "",
        };
        assert_eq!(
            answer,
            format!("{version} 200 OK\r\n{connection}content-length: 4\r\n\r\nhere"),
            "{head}"
        );
        if stays {
            client.send(GET).await.unwrap();
            assert_eq!(client.response().await.unwrap().status(), 200);
        } else {
            assert_eq!(client.until_close().await.unwrap(), b"");
        }
    }
}

#[tokio::test]
async fn an_answer_without_length_comes_in_chunks_or_ends_with_the_connection() {
    let chunked = || answer("200 OK\r\nTransfer-Encoding: chunked", "2\r\nab\r\n0\r\n\r\n");
    let (_engine, address, _upstream) = gateway(vec![chunked(), chunked()]).await;
    let response = RawClient::exchange(address, GET).await.unwrap();
    assert_eq!(
        undated(&response),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    );
    let mut client = RawClient::connect(address).await.unwrap();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await.unwrap();
    assert_eq!(undated(&client.response().await.unwrap()), "HTTP/1.0 200 OK\r\n\r\nab");
}

#[tokio::test]
async fn an_answer_without_content_says_nothing_that_could_be_taken_for_one() {
    let steps = vec![
        answer("204 No Content", ""),
        answer("304 Not Modified\r\nContent-Length: 5", ""),
        answer("200 OK\r\nContent-Length: 5", ""),
        answer("200 OK\r\nContent-Length: 0", ""),
    ];
    let (_engine, address, _upstream) = gateway(steps).await;
    let mut client = RawClient::connect(address).await.unwrap();
    for (method, expected) in [
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ] {
        client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")).await.unwrap();
        let response = match method {
            "HEAD" => client.response_to_head().await.unwrap(),
            _ => client.response().await.unwrap(),
        };
        assert_eq!(undated(&response), expected);
    }
}

#[tokio::test]
async fn a_large_answer_waits_for_a_client_that_reads_late() {
    let body = "0123456789abcdef".repeat(1 << 18);
    let (_engine, address, upstream) = gateway(vec![Step::ok(&body)]).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = RawClient::connect(address).await.unwrap();
        client.send(GET).await.unwrap();
        clients.push(client);
    }
    upstream.wait_for_requests(2).await.unwrap();
    for client in &mut clients {
        assert!(client.response().await.unwrap().text() == body);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_gives_its_request_up() {
    let (engine, address, upstream) = gateway(vec![Step::Stall(Vec::new())]).await;
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(GET).await.unwrap();
    upstream.wait_for_requests(1).await.unwrap();
    drop(client);
    upstream.wait_for_closed(1).await.unwrap();
    while engine.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_of_an_answer_frees_the_upstream() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart".to_vec();
    let (_engine, address, upstream) = gateway(vec![Step::AnswerSlowly(vec![head, Vec::new()])]).await;
    let mut client = RawClient::connect(address).await.unwrap();
    client.send(GET).await.unwrap();
    upstream.wait_for_requests(1).await.unwrap();
    upstream.release();
    assert_eq!(client.response_to_head().await.unwrap().status(), 200);
    drop(client);
    upstream.release();
    upstream.wait_for_closed(1).await.unwrap();
}

#[tokio::test]
async fn a_client_that_breaks_off_its_body_is_gone() {
    let (engine, address, upstream) = gateway(vec![Step::ok("")]).await;
    for head in ["Content-Length: 9\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n9\r\nabc"] {
        let mut client = RawClient::connect(address).await.unwrap();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{head}")).await.unwrap();
        client.finish_sending().await.unwrap();
        client.until_close().await.unwrap();
    }
    while engine.connections() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(upstream.received(), []);
}
