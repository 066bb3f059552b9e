//! gRPC through the gateway: calls of each kind pass with their trailers, and what the gateway itself refuses is told in
//! gRPC's own form.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use support::{snapshot, start};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use toolway_engine::Engine;
use toolway_testkit::closed_address;

/// A body that a test writes to while it is read; trailers where the sender says so.
struct Written(mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Body for Written {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}

/// A message as gRPC frames it: not compressed, its length, itself.
fn message(text: &str) -> Bytes {
    let length = u32::try_from(text.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), text.as_bytes()].concat().into()
}

fn call(path: &str, body: Written) -> Request<Written> {
    let request = Request::post(format!("http://a.test{path}")).header("content-type", "application/grpc");
    request.header("te", "trailers").header("grpc-timeout", "20S").body(body).unwrap()
}

fn whole(text: &str) -> Written {
    let (sender, receiver) = mpsc::unbounded_channel();
    sender.send(Frame::data(message(text))).unwrap();
    Written(receiver)
}

async fn client(address: SocketAddr) -> SendRequest<Written> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// An upstream that speaks HTTP/2 and answers each request by `answer`.
async fn upstream<F>(
    answer: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                tokio::spawn(answer(request, respond));
            }
        }
    });
    address
}

fn grpc(node: SocketAddr) -> Value {
    let mut snapshot = snapshot(json!([]), Some(node));
    snapshot["upstreams"][0]["scheme"] = json!("grpc");
    snapshot
}

fn gateway(node: SocketAddr) -> (Engine, SocketAddr) {
    let (engine, address, _) = start(&grpc(node));
    (engine, address)
}

fn status(code: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(code));
    trailers
}

fn ok() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

/// The next piece of a body that is data.
async fn piece(body: &mut Incoming) -> Bytes {
    body.frame().await.unwrap().unwrap().into_data().unwrap()
}

#[tokio::test]
async fn a_unary_call_passes_with_its_trailers() {
    let node = upstream(|mut request, mut respond| async move {
        let headers = request.headers();
        let expected = [("te", "trailers"), ("grpc-timeout", "20S"), ("content-type", "application/grpc")];
        let is_whole =
            expected.iter().all(|(name, value)| headers.get(*name).is_some_and(|found| found == value));
        let is_clean =
            ["host", "connection", "transfer-encoding"].iter().all(|name| !headers.contains_key(*name));
        let authority = request.uri().authority().unwrap().to_string();
        let sent = request.body_mut().data().await.unwrap().unwrap();
        let mut stream = respond.send_response(ok(), false).unwrap();
        let text = format!("{authority} {} {is_whole} {is_clean} {}", request.uri().path(), sent.len());
        stream.send_data(message(&text), false).unwrap();
        let mut trailers = status("0");
        trailers.insert("x-consumer-username", HeaderValue::from_static("root"));
        trailers.insert("grpc-message", HeaderValue::from_static("fine"));
        stream.send_trailers(trailers).unwrap();
    })
    .await;
    let (_engine, address) = gateway(node);
    let response = client(address).await.send_request(call("/s/Unary", whole("four"))).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().unwrap().clone();
    assert_eq!(body.to_bytes(), message("a.test /s/Unary true true 9"));
    assert_eq!(
        (&trailers["grpc-status"], &trailers["grpc-message"]),
        (&"0".parse().unwrap(), &"fine".parse().unwrap())
    );
    assert!(!trailers.contains_key("x-consumer-username"));
}

#[tokio::test]
async fn an_answer_of_trailers_only_stays_one() {
    let node = upstream(|_, mut respond| async move {
        let mut response = ok();
        response.headers_mut().extend(status("5"));
        respond.send_response(response, true).unwrap();
    })
    .await;
    let (_engine, address) = gateway(node);
    let response = client(address).await.send_request(call("/s/None", whole("x"))).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "5");
    assert!(response.body().is_end_stream());
}

#[tokio::test]
async fn both_sides_of_a_stream_talk_in_turns() {
    let node = upstream(|mut request, mut respond| async move {
        let mut stream = respond.send_response(ok(), false).unwrap();
        while let Some(data) = request.body_mut().data().await {
            let data = data.unwrap();
            request.body_mut().flow_control().release_capacity(data.len()).unwrap();
            stream.send_data(data, false).unwrap();
        }
        let trailers = request.body_mut().trailers().await.unwrap().unwrap();
        let mut last = status("0");
        last.insert("x-count", trailers["x-count"].clone());
        last.insert("x-names", HeaderValue::from(trailers.len()));
        stream.send_trailers(last).unwrap();
    })
    .await;
    let (_engine, address) = gateway(node);
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut response = client(address).await.send_request(call("/s/Chat", Written(receiver))).await.unwrap();
    for text in ["one", "two", "three"] {
        sender.send(Frame::data(message(text))).unwrap();
        assert_eq!(piece(response.body_mut()).await, message(text));
    }
    let mut trailers = HeaderMap::new();
    for name in ["x-count", "authorization", "x-real-ip", "grpc-timeout"] {
        trailers.insert(name, HeaderValue::from_static("3"));
    }
    sender.send(Frame::trailers(trailers)).unwrap();
    let last = response.body_mut().frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!((&last["x-count"], &last["x-names"]), (&"3".parse().unwrap(), &"1".parse().unwrap()));
}

#[tokio::test]
async fn neither_direction_waits_for_the_other() {
    const PIECES: usize = 200;
    let (done, mut all_came) = mpsc::unbounded_channel();
    // It answers more than the client takes, and then reads everything.
    let node = upstream(move |mut request, mut respond| {
        let done = done.clone();
        async move {
            let mut stream = respond.send_response(ok(), false).unwrap();
            for _ in 0..PIECES {
                stream.send_data(Bytes::from(vec![0; 16_384]), false).unwrap();
            }
            let mut length = 0;
            while let Some(data) = request.body_mut().data().await {
                length += data.as_ref().unwrap().len();
                request.body_mut().flow_control().release_capacity(data.unwrap().len()).unwrap();
            }
            done.send(length).unwrap();
            stream.send_trailers(status("0")).unwrap();
        }
    })
    .await;
    let (_engine, address) = gateway(node);
    let (sender, receiver) = mpsc::unbounded_channel();
    let response = client(address).await.send_request(call("/s/Flood", Written(receiver))).await.unwrap();
    for _ in 0..PIECES {
        sender.send(Frame::data(Bytes::from(vec![1; 16_384]))).unwrap();
    }
    drop(sender);
    // The client has not read anything yet.
    assert_eq!(all_came.recv().await, Some(PIECES * 16_384));
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(body.to_bytes().len(), PIECES * 16_384);
}

#[tokio::test]
async fn a_call_that_the_upstream_cancels_is_cancelled_for_the_client() {
    let node = upstream(|_, mut respond| async move {
        let mut stream = respond.send_response(ok(), false).unwrap();
        stream.send_data(message("half"), false).unwrap();
        tokio::task::yield_now().await;
        stream.send_reset(Reason::CANCEL);
    })
    .await;
    let (_engine, address) = gateway(node);
    let response = client(address).await.send_request(call("/s/Cancel", whole("x"))).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    let reason = std::error::Error::source(&error).and_then(|error| error.downcast_ref::<h2::Error>());
    assert_eq!(reason.and_then(h2::Error::reason), Some(Reason::CANCEL));
}

#[tokio::test]
async fn what_the_gateway_refuses_is_told_in_grpcs_form() {
    let mut snapshot = grpc(closed_address().unwrap());
    snapshot["routes"] = json!([
        {"id": "dead", "uris": ["/dead/*"], "target": {"upstream": {"id": "up"}}},
        {"id": "shut", "uris": ["/shut/*"], "plugins": {"key-auth": {}}, "target": {"upstream": {"id": "up"}}},
        {"id": "gone", "uris": ["/gone/*"], "target": {"static": {"status": 410, "body": "gone"}}},
        {"id": "here", "uris": ["/here/*"], "target": {"static": {"status": 200, "body": "here"}}},
    ]);
    let (_engine, address, _) = start(&snapshot);
    let mut client = client(address).await;
    for (path, code, error, said) in [
        ("/none/X", "12", Some("route_not_found"), "404 Route Not Found"),
        ("/dead/X", "14", Some("upstream_unreachable"), "The upstream could not be reached"),
        ("/shut/X", "16", None, "Missing API key in request"),
        ("/gone/X", "2", None, "410 Gone"),
    ] {
        let response = client.send_request(call(path, whole("x"))).await.unwrap();
        let text = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), response.body().is_end_stream()), (200, true), "{path}");
        assert_eq!(text("content-type"), Some("application/grpc"), "{path}");
        assert_eq!((text("grpc-status"), text("grpc-message")), (Some(code), Some(said)), "{path}");
        assert_eq!(text("x-toolway-error"), error, "{path}");
    }
    let response = client.send_request(call("/here/X", whole("x"))).await.unwrap();
    assert!(!response.headers().contains_key("grpc-status"));
}

#[tokio::test]
async fn a_client_may_be_silent_for_as_long_as_the_answer_goes_on() {
    let (go_on, told) = watch::channel(0);
    let node = upstream(move |mut request, mut respond| {
        let mut told = told.clone();
        async move {
            let mut stream = respond.send_response(ok(), false).unwrap();
            while let Ok(()) = told.changed().await {
                stream.send_data(message("tick"), false).unwrap();
                if *told.borrow() == 5 {
                    break;
                }
            }
            let last = request.body_mut().data().await.unwrap().unwrap();
            stream.send_data(last, false).unwrap();
            stream.send_trailers(status("0")).unwrap();
        }
    })
    .await;
    let mut snapshot = grpc(node);
    snapshot["gateway"]["limits"] = json!({"body_timeout_ms": 20});
    let (_engine, address, _) = start(&snapshot);
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut response = client(address).await.send_request(call("/s/Watch", Written(receiver))).await.unwrap();
    for tick in 1..=5 {
        // Longer than a body may pause: an interval that must pass, not a wait for something to happen.
        tokio::time::sleep(Duration::from_millis(30)).await;
        go_on.send(tick).unwrap();
        assert_eq!(piece(response.body_mut()).await, message("tick"));
    }
    sender.send(Frame::data(message("still here"))).unwrap();
    assert_eq!(piece(response.body_mut()).await, message("still here"));
}
