//! HTTP/2 from clients over real sockets: the same exchange for each stream, and an end to those who abuse it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use support::{Authority, connect, snapshot, ssl, start};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
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
async fn trailers_of_an_answer_pass_and_those_of_a_request_do_not() {
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
    assert!(sent.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n") && !sent.contains("x-count"), "{sent}");
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
