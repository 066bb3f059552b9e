//! Which version of HTTP is spoken with nodes over TLS: by the scheme, by `tls.http2`, and by what a node chooses.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Authority, Pair, snapshot, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use toolway_testkit::{RawClient, Response as Answer};

const GET: &str = "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// Answers every request with what was agreed on, and counts its connections.
async fn upstream(pair: &Pair, protocols: &[&str]) -> (SocketAddr, Arc<AtomicUsize>) {
    let mut config = pair.server_config();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(answer(stream));
            }
        }
    });
    (address, connections)
}

async fn answer(mut stream: TlsStream<TcpStream>) {
    let chosen = stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap());
    let text = chosen.clone().unwrap_or_else(|| "nothing".to_owned());
    if chosen.as_deref() == Some("h2") {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let text = format!("{text} {}", request.uri().scheme_str().unwrap());
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            body.send_data(Bytes::from(text), true).unwrap();
        }
        return;
    }
    let mut head = Vec::new();
    while stream.read_buf(&mut head).await.is_ok_and(|length| length > 0) {
        if head.ends_with(b"\r\n\r\n") {
            let is_upgrade = String::from_utf8_lossy(&head).contains("upgrade: websocket");
            let answer = match is_upgrade {
                true => {
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                        .to_owned()
                }
                false => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()),
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            head.clear();
        }
    }
}

fn over_tls(node: SocketAddr, scheme: &str, tls: Value) -> Value {
    let mut snapshot = snapshot(json!([]), Some(node));
    let upstream = &mut snapshot["upstreams"][0];
    upstream["scheme"] = json!(scheme);
    upstream["tls"] = tls;
    snapshot["routes"][0]["websocket"] = json!(true);
    snapshot
}

async fn ask(node: SocketAddr, scheme: &str, tls: Value, request: &str) -> Answer {
    let (_engine, address, _) = start(&over_tls(node, scheme, tls));
    RawClient::exchange(address, request).await.unwrap()
}

#[tokio::test]
async fn the_scheme_and_the_node_decide() {
    let ca = Authority::new("ca");
    let pair = ca.server(&["127.0.0.1"]);
    let (both, _) = upstream(&pair, &["h2", "http/1.1"]).await;
    let (old, _) = upstream(&pair, &["http/1.1"]).await;
    let (mute, _) = upstream(&pair, &[]).await;
    let (plain, http2) = (json!({"ca": ca.pem}), json!({"ca": ca.pem, "http2": true}));
    for (node, scheme, tls, text) in [
        (both, "https", &plain, "nothing"),
        (both, "https", &http2, "h2 https"),
        (old, "https", &http2, "http/1.1"),
        (mute, "https", &http2, "nothing"),
        (both, "grpcs", &plain, "h2 https"),
    ] {
        assert_eq!(ask(node, scheme, tls.clone(), GET).await.text(), text, "{scheme} {text}");
    }
    for node in [old, mute] {
        let response = ask(node, "grpcs", plain.clone(), GET).await;
        assert_eq!((response.status(), response.header("x-toolway-error")), (502, Some("upstream_tls")));
    }
}

#[tokio::test]
async fn what_was_chosen_is_used_again() {
    let ca = Authority::new("ca");
    let pair = ca.server(&["127.0.0.1"]);
    for (protocols, text) in [(&["h2", "http/1.1"][..], "h2 https"), (&["http/1.1"], "http/1.1")] {
        let (node, connections) = upstream(&pair, protocols).await;
        let (_engine, address, _) = start(&over_tls(node, "https", json!({"ca": ca.pem, "http2": true})));
        let mut client = RawClient::connect(address).await.unwrap();
        for _ in 0..3 {
            client.send(GET).await.unwrap();
            assert_eq!(client.response().await.unwrap().text(), text);
        }
        assert_eq!(connections.load(Ordering::Relaxed), 1, "{text}");
    }
}

#[tokio::test]
async fn a_change_of_protocol_goes_over_http1_even_where_the_node_would_choose_http2() {
    let ca = Authority::new("ca");
    let (node, _) = upstream(&ca.server(&["127.0.0.1"]), &["h2", "http/1.1"]).await;
    let upgrade = "GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let (_engine, address, _) = start(&over_tls(node, "https", json!({"ca": ca.pem, "http2": true})));
    assert_eq!(RawClient::exchange(address, upgrade).await.unwrap().status(), 101);
    assert_eq!(RawClient::exchange(address, GET).await.unwrap().text(), "h2 https");
}

#[tokio::test]
async fn tls_is_not_spoken_on_unix_sockets() {
    let mut snapshot = over_tls(SocketAddr::from(([127, 0, 0, 1], 1)), "grpcs", json!({}));
    snapshot["upstreams"][0]["tls_verify"] = json!(false);
    snapshot["upstreams"][0]["nodes"][0]["connect_to"] = json!("unix:/nowhere");
    let error = toolway_engine::Engine::new(&snapshot.to_string()).err().unwrap();
    assert!(error.to_string().contains("TLS over a Unix socket"), "{error}");
}
