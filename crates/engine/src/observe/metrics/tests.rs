//! The text of all metrics, and the listener that serves it.

use super::{Metrics, serve_metrics};
use crate::plugins::testing::{Bench, get};
use crate::server::{Connections, Shared};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::watch;

#[test]
fn what_needs_no_plugin_is_counted_by_itself() {
    let bench = Bench::new(json!({}));
    let metrics = &bench.state().metrics;
    let mut record = bench.exchange(get("/")).record;
    metrics.count_exchange(&record);
    record.tool = Some("say \"hi\"".into());
    record.status = 201;
    metrics.count_exchange(&record);
    metrics.count_error("upstream_closed");
    metrics.count_accepted();
    metrics.count_accepted();
    metrics.count_handled();
    metrics.count_refused();
    metrics.count_handshake_error("timeout");
    let (open, _queues) = Connections::new(2, 10);
    let _slot = open.admit(1, None).unwrap();
    let text = metrics.text(&open, 5);
    for line in [
        "apisix_http_requests_total 2",
        "apisix_nginx_http_current_connections{state=\"active\"} 1",
        "apisix_nginx_http_current_connections{state=\"accepted\"} 2",
        "apisix_nginx_http_current_connections{state=\"handled\"} 1",
        "toolway_worker_connections{worker=\"0\"} 0",
        "toolway_worker_connections{worker=\"1\"} 1",
        "toolway_connections_refused_total 1",
        "toolway_tls_handshake_errors_total{reason=\"timeout\"} 1",
        "toolway_errors_total{code=\"upstream_closed\"} 1",
        "toolway_tool_calls_total{tool=\"say \\\"hi\\\"\",route=\"route\",code=\"201\"} 1",
        "toolway_access_log_dropped_total 5",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is missing from\n{text}");
    }
    assert!(text.contains("apisix_node_info{hostname=\""));
    assert!(metrics.text(&open, 5).contains("toolway_access_log_dropped_total 5\n"));
}

#[test]
fn the_text_ends_as_openmetrics_demands() {
    assert!(Metrics::default().text(&Connections::new(1, 1).0, 0).ends_with("# EOF\n"));
}

fn serve() -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
    let bench = Bench::new(json!({}));
    let shared: Arc<Shared> = bench.worker.shared.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    (address, stop, serve_metrics(listener, shared, stopped).unwrap())
}

fn ask(address: SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: metrics\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn serves_the_text_on_its_path_and_nothing_else() {
    let (address, stop, server) = serve();
    let answer = ask(address, "GET /apisix/prometheus/metrics");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    assert!(body.contains("apisix_http_requests_total 0\n") && body.ends_with("# EOF\n"), "{body}");
    assert!(ask(address, "GET /").starts_with("HTTP/1.1 404 "));
    assert!(ask(address, "GET /apisix/prometheus/metrics/").starts_with("HTTP/1.1 404 "));
    let refused = ask(address, "POST /apisix/prometheus/metrics");
    assert!(refused.starts_with("HTTP/1.1 405 ") && refused.contains("allow: GET, HEAD"), "{refused}");
    stop.send(true).unwrap();
    server.join().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn stops_when_its_owner_is_gone_even_with_a_scrape_open() {
    let (address, stop, server) = serve();
    let mut open = TcpStream::connect(address).unwrap();
    open.write_all(b"GET /apisix/").unwrap();
    drop(stop);
    server.join().unwrap();
}
