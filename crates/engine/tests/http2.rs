//! HTTP/2 from clients over real sockets: the same exchange for each stream, and an end to those who abuse it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use support::{Authority, connect, snapshot, ssl, start};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use toolway_testkit::{ScriptedUpstream, Step};

/// A body of ready frames.
#[derive(Default)]
struct Frames(VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

type Client = SendRequest<Frames>;

async fn speak<S>(stream: S) -> (Client, JoinHandle<hyper::Result<()>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

async fn plain(address: SocketAddr) -> (Client, JoinHandle<hyper::Result<()>>) {
    speak(TcpStream::connect(address).await.unwrap()).await
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

fn get(uri: &str) -> Request<Frames> {
    Request::get(uri).body(Frames::default()).unwrap()
}

#[tokio::test]
async fn a_stream_is_an_exchange_like_any_other() {
    let upstream = ScriptedUpstream::start([Step::ok("hello")]).await.unwrap();
    let (_engine, address, _) = start(&snapshot(json!([]), Some(upstream.address())));
    let (mut client, _connection) = plain(address).await;
    let mut request = get("http://a.test:81/b?c=d");
    for crumb in ["e=1", "f=2"] {
        request.headers_mut().append("cookie", crumb.parse().unwrap());
    }
    let response = client.send_request(request).await.unwrap();
    assert_eq!((response.status().as_u16(), text(response).await.as_str()), (200, "hello"));
    let received = upstream.received().remove(0);
    assert_eq!(received.line(), "GET /b?c=d HTTP/1.1");
    for (name, value) in [
        ("host", "a.test:81"),
        ("cookie", "e=1; f=2"),
        ("x-forwarded-host", "a.test:81"),
        ("x-forwarded-proto", "http"),
    ] {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn http2_is_agreed_on_over_tls() {
    let ca = Authority::new("ca");
    let (_engine, _, address) =
        start(&snapshot(json!([ssl("s", &["a.test"], &ca.server(&["a.test"]))]), None));
    let mut config = ca.trusted().with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = connect(address, "a.test", &Arc::new(config)).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut client, _connection) = speak(stream).await;
    assert_eq!(text(client.send_request(get("https://a.test/")).await.unwrap()).await, "here");
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n";
    let upstream = ScriptedUpstream::start([Step::Answer(answer.into())]).await.unwrap();
    let (_engine, address, _) = start(&snapshot(json!([]), Some(upstream.address())));
    let (mut client, _connection) = plain(address).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-count", "3".parse().unwrap());
    let frames = Frames([Frame::data(Bytes::from("abc")), Frame::trailers(trailers)].into());
    let request = Request::post("http://a.test/").header("trailer", "x-count");
    let response = client.send_request(request.body(frames).unwrap()).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap().get("x-sum").unwrap(), "7");
    let sent = upstream.received().remove(0).text();
    assert!(sent.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nx-count: 3\r\n\r\n"), "{sent}");
}

#[tokio::test]
async fn a_host_that_is_not_the_authority_is_refused() {
    let (_engine, address, _) = start(&snapshot(json!([]), None));
    let (mut client, _connection) = plain(address).await;
    let mut request = get("http://a.test/");
    request.headers_mut().insert("host", "b.test".parse().unwrap());
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["x-toolway-error"], "host_mismatch");
    assert_eq!(client.send_request(get("http://a.test/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let (_engine, address, _) = start(&snapshot(json!([]), None));
    let (mut client, _connection) = plain(address).await;
    let mut request = get("http://a.test/");
    for _ in 0..101 {
        request.headers_mut().append("x", "1".parse().unwrap());
    }
    assert_eq!(client.send_request(request).await.unwrap().status(), 431);
}

#[tokio::test]
async fn a_drain_ends_the_connection_after_what_is_under_way() {
    let pieces = [&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"[..], b"k"];
    let script = [Step::AnswerSlowly(pieces.map(<[u8]>::to_vec).into())];
    let upstream = ScriptedUpstream::start(script).await.unwrap();
    let (engine, address, _) = start(&snapshot(json!([]), Some(upstream.address())));
    let (mut client, connection) = plain(address).await;
    upstream.release();
    let response = client.send_request(get("http://a.test/")).await.unwrap();
    let drained = tokio::task::spawn_blocking(move || engine.drain(Duration::from_secs(10)));
    // Nobody listens any more once the drain has begun.
    while TcpStream::connect(address).await.is_ok() {}
    upstream.release();
    assert_eq!(text(response).await, "ok");
    connection.await.unwrap().unwrap();
    assert!(drained.await.unwrap());
}

#[tokio::test]
async fn a_connection_whose_answer_is_still_on_its_way_is_not() {
    let pieces = [&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"[..], b"k"];
    let script = [Step::AnswerSlowly(pieces.map(<[u8]>::to_vec).into()), Step::ok("next")];
    let upstream = ScriptedUpstream::start(script).await.unwrap();
    let mut snapshot = snapshot(json!([]), Some(upstream.address()));
    snapshot["gateway"]["limits"] = json!({"idle_timeout_ms": 20});
    let (_engine, address, _) = start(&snapshot);
    let (mut client, connection) = plain(address).await;
    upstream.release();
    let response = client.send_request(get("http://a.test/")).await.unwrap();
    // One that is idle from now on is ended meanwhile.
    let (_other, idle) = plain(address).await;
    idle.await.unwrap().unwrap();
    assert_eq!(text(client.send_request(get("http://a.test/")).await.unwrap()).await, "next");
    upstream.release();
    assert_eq!(text(response).await, "ok");
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_without_streams_is_ended() {
    let mut snapshot = snapshot(json!([]), None);
    snapshot["gateway"]["limits"] = json!({"idle_timeout_ms": 20});
    let (_engine, address, _) = start(&snapshot);
    let (_client, connection) = plain(address).await;
    connection.await.unwrap().unwrap();
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// GET / for the authority `a`, complete (RFC 7541 appendix A for the indexes).
fn headers(stream: u32) -> Vec<u8> {
    frame(1, 5, stream, &[0x82, 0x86, 0x84, 0x41, 1, b'a'])
}

fn reset(stream: u32) -> Vec<u8> {
    frame(3, 0, stream, &[0, 0, 0, 8])
}

#[tokio::test]
async fn a_client_that_resets_streams_as_they_are_taken_up_is_cut_off() {
    let upstream = ScriptedUpstream::start([Step::Stall(Vec::new())]).await.unwrap();
    let (_engine, address, _) = start(&snapshot(json!([]), Some(upstream.address())));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(&[PREFACE, &SETTINGS].concat()).await.unwrap();
    for count in 0..=100 {
        let stream = u32::try_from(2 * count + 1).unwrap();
        client.write_all(&headers(stream)).await.unwrap();
        upstream.wait_for_requests(count + 1).await.unwrap();
        client.write_all(&reset(stream)).await.unwrap();
        upstream.wait_for_closed(count + 1).await.unwrap();
    }
    // A connection that is cut with bytes unread is reset, which ends it as well.
    let _ = client.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_flood_of_resets_is_answered_by_goaway() {
    let (_engine, address, _) = start(&snapshot(json!([]), None));
    let mut client = TcpStream::connect(address).await.unwrap();
    let flood = (0..200).flat_map(|nth| [headers(2 * nth + 1), reset(2 * nth + 1)].concat());
    let bytes = [PREFACE, &SETTINGS].concat().into_iter().chain(flood).collect::<Vec<u8>>();
    client.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    let goaway = answer.windows(9).any(|head| head[3] == 7 && head[4..9] == [0; 5]);
    assert!(goaway, "{answer:?}");
}

#[tokio::test]
async fn says_its_limits_at_once() {
    let (_engine, address, _) = start(&snapshot(json!([]), None));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(&[PREFACE, &SETTINGS].concat()).await.unwrap();
    let mut head = [0; 9];
    client.read_exact(&mut head).await.unwrap();
    let mut settings = vec![0; usize::from(head[2])];
    client.read_exact(&mut settings).await.unwrap();
    // SETTINGS_MAX_CONCURRENT_STREAMS is 3, SETTINGS_MAX_HEADER_LIST_SIZE is 6 (RFC 9113 section 6.5.2).
    for (name, value) in [(3, 100_u32), (6, 65_536)] {
        let expected = [&[0, name][..], &value.to_be_bytes()].concat();
        assert!(settings.chunks(6).any(|entry| entry == expected), "{name}: {settings:?}");
    }
}

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";

/// A snapshot whose route lets WebSocket through to `node`.
fn with_websocket(node: SocketAddr, is_allowed: bool) -> Value {
    let mut snapshot = snapshot(json!([]), Some(node));
    snapshot["routes"][0]["websocket"] = json!(is_allowed);
    snapshot
}

/// An extended CONNECT (RFC 8441).
fn websocket() -> Request<Frames> {
    let request = Request::connect("http://a.test/chat").header("sec-websocket-version", "13");
    request.extension(Protocol::from_static("websocket")).body(Frames::default()).unwrap()
}

/// A client that knows already that the gateway takes extended CONNECT.
async fn aware(address: SocketAddr) -> Client {
    let (mut client, _) = plain(address).await;
    // The settings have come with whatever answer.
    client.send_request(get("http://a.test/settings")).await.unwrap();
    client
}

/// Reads a request's head, and answers.
async fn answer_with(listener: &TcpListener, answer: impl Fn(&str) -> String) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_buf(&mut head).await.unwrap();
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap_or_default();
    stream.write_all(answer(key).as_bytes()).await.unwrap();
    (stream, head)
}

/// What proves to have understood the key (RFC 6455, section 4.2.2).
fn proof(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

const PLAIN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_websocket_on_a_stream_becomes_an_upgrade() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_engine, address, _) = start(&with_websocket(upstream.local_addr().unwrap(), true));
    let (mut client, _) = tokio::join!(aware(address), answer_with(&upstream, |_| PLAIN.into()));
    let switching = |key: &str| format!("{SWITCHING}Sec-WebSocket-Accept: {}\r\n\r\nearly", proof(key));
    let (response, (mut server, head)) =
        tokio::join!(client.send_request(websocket()), answer_with(&upstream, switching));
    assert!(head.starts_with("GET /chat HTTP/1.1\r\n"), "{head}");
    for line in ["connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", "host: a.test"] {
        assert!(head.lines().any(|known| known == line), "{line}: {head}");
    }
    let response = response.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("sec-websocket-accept"));
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"early");
    stream.write_all(b"hello").await.unwrap();
    server.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"hello");
    drop(server);
    assert_eq!(stream.read(&mut bytes).await.unwrap(), 0);
}

#[tokio::test]
async fn a_websocket_is_not_opened_where_the_upstream_or_the_route_does_not_agree() {
    let wrong = format!("{SWITCHING}Sec-WebSocket-Accept: wrong\r\n\r\n");
    for (is_allowed, answer, status) in [
        (true, wrong.as_str(), 502),
        (true, PLAIN, 502),
        (true, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403),
        (false, PLAIN, 502),
    ] {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_engine, address, _) = start(&with_websocket(upstream.local_addr().unwrap(), is_allowed));
        let (mut client, _) = tokio::join!(aware(address), answer_with(&upstream, |_| PLAIN.into()));
        let (response, _) =
            tokio::join!(client.send_request(websocket()), answer_with(&upstream, |_| answer.to_owned()));
        assert_eq!(response.unwrap().status(), status, "{answer}");
    }
}
