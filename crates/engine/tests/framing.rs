//! Hygiene on the wire: what hyper refuses or resolves, and what is left for `framing`, with exact bytes.
//!
//! A change of hyper that moves this border fails here.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use toolway_engine::http::framing;
use toolway_testkit::RawClient;

/// Answers with the code of the refusal, or with the length of the body and the headers that frame it.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let (status, text) = match framing::check(&parts) {
        Err(refusal) => (refusal.status(), refusal.code().to_owned()),
        Ok(_) => match body.collect().await {
            Ok(body) => {
                let has_length = parts.headers.contains_key("content-length");
                (StatusCode::OK, format!("{} bytes, length {has_length}", body.to_bytes().len()))
            }
            Err(_) => (StatusCode::BAD_REQUEST, "body".to_owned()),
        },
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(answer);
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

/// Asserts the status and text of the answer to each request.
async fn assert_answers(cases: &[(&str, u16, &str)]) -> io::Result<()> {
    let address = start().await?;
    for (request, status, text) in cases {
        let response = RawClient::exchange(address, request).await?;
        assert_eq!((response.status(), response.text().as_str()), (*status, *text), "{request:?}");
    }
    Ok(())
}

#[tokio::test]
async fn framing_refuses_what_hyper_lets_through() {
    assert_answers(&[
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
    ])
    .await
    .unwrap();
}

#[tokio::test]
async fn hyper_refuses_with_an_empty_answer() {
    assert_answers(&[
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, ""),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400, ""),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400, ""),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n", 400, ""),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, ""),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, ""),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400, ""),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400, ""),
        ("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""),
        ("GET / HTTP/3.1\r\nHost: a\r\n\r\n", 400, ""),
    ])
    .await
    .unwrap();
}

#[tokio::test]
async fn hyper_resolves_two_lengths_and_closes() {
    let address = start().await.unwrap();
    for headers in [
        "Content-Length: 99\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 99",
    ] {
        let mut client = RawClient::connect(address).await.unwrap();
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        client
            .send(format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n1\r\nx\r\n0\r\n\r\n{smuggled}"))
            .await
            .unwrap();
        let response = client.response().await.unwrap();
        assert_eq!(
            (response.text().as_str(), response.header("connection")),
            ("1 bytes, length false", Some("close"))
        );
        assert_eq!(client.until_close().await.unwrap(), b"", "{headers}");
    }
}

#[tokio::test]
async fn hyper_makes_equal_lengths_one() {
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 03\r\n\r\nabc";
    assert_answers(&[(request, 200, "3 bytes, length true")]).await.unwrap();
}

#[tokio::test]
async fn malformed_chunks_are_an_error_of_the_body() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "x\r\n",
        "1\nx\r\n0\r\n\r\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nx",
    ] {
        assert_answers(&[(&format!("{head}{body}"), 400, "body")]).await.unwrap();
    }
}
