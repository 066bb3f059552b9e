//! The log as a file has it, and what becomes of lines that cannot be written.

use super::{AccessLog, Sink};
use crate::observe::Record;
use crate::plugins::testing::{Bench, get};
use serde_json::{Value, json};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, UNIX_EPOCH};

/// A path of its own, which is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("toolway-access-{}-{}.log", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> AccessLog {
        AccessLog::open(self.0.to_str().unwrap()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn record(path: &str) -> Record {
    let mut record = Record::new("192.0.2.7".parse().unwrap(), http::Method::GET);
    record.path = path.into();
    record
}

#[test]
fn writes_every_field_in_one_line() {
    let bench = Bench::new(json!({"key-auth": {"anonymous_consumer": "guest"}}));
    let mut exchange = bench.exchange(get("/a"));
    bench.run(&mut exchange);
    let mut record = exchange.record;
    record.started = UNIX_EPOCH + Duration::from_millis(1_700_000_000_042);
    record.host = "api.example".into();
    record.consumer = exchange.identity.map(|identity| identity.consumer);
    record.status = 502;
    record.bytes_received = 5;
    record.bytes_sent = 12;
    record.latency = Duration::from_micros(1_234);
    record.upstream = Some("10.0.0.1:80".into());
    record.upstream_latency = Some(Duration::from_millis(1));
    record.request_id = Some("id-1".into());
    record.error = Some("upstream_closed");
    record.invalid = Some("the body must be an object".into());
    record.error_detail = Some("10.0.0.1:80: reset".into());
    record.tool = Some("list_orders".into());
    record.complete = true;
    let scratch = Scratch::new();
    let log = scratch.open();
    log.write(&record);
    log.close();
    let expected = r#"{"time":"2023-11-14T22:13:20.042Z","client":"192.0.2.7","method":"GET","host":"api.example","path":"/a","route":"route","operation":"listOrders","service":"shop","consumer":"guest","status":502,"bytes_in":5,"bytes_out":12,"latency_ms":1.234,"upstream":"10.0.0.1:80","upstream_latency_ms":1.0,"request_id":"id-1","error":"upstream_closed","error_detail":"10.0.0.1:80: reset","invalid":"the body must be an object","tool":"list_orders","tls":null,"complete":true}"#;
    assert_eq!(std::fs::read_to_string(&scratch.0).unwrap(), format!("{expected}\n"));
}

#[test]
fn what_is_not_known_is_null() {
    let scratch = Scratch::new();
    let log = scratch.open();
    log.write(&record("/"));
    log.close();
    let line = lines(&scratch.0).remove(0);
    for name in [
        "route",
        "operation",
        "service",
        "consumer",
        "upstream",
        "upstream_latency_ms",
        "request_id",
        "error",
        "error_detail",
        "tool",
    ] {
        assert_eq!(line.get(name), Some(&Value::Null), "{name}");
    }
    assert_eq!(line["complete"], false);
}

#[test]
fn text_of_a_client_cannot_break_out_of_its_line() {
    let hostile = "/\"},\n{\"path\":\"\\ \r\t\u{0}\u{1b}[31m\u{7f}\u{2028}\u{fffd}\u{1f600}";
    let scratch = Scratch::new();
    let log = scratch.open();
    let mut record = record(hostile);
    record.host = hostile.into();
    log.write(&record);
    log.close();
    let text = std::fs::read_to_string(&scratch.0).unwrap();
    assert!(text.trim_end_matches('\n').chars().all(|letter| letter >= ' '), "{text:?}");
    let lines = lines(&scratch.0);
    assert_eq!((lines.len(), &lines[0]["path"], &lines[0]["host"]), (1, &json!(hostile), &json!(hostile)));
}

#[test]
fn tells_each_lines_own_time() {
    let scratch = Scratch::new();
    let log = scratch.open();
    for milliseconds in [0, 999, 1000, 951_782_400_007, 1000] {
        let mut record = record("/");
        record.started = UNIX_EPOCH + Duration::from_millis(milliseconds);
        log.write(&record);
    }
    log.close();
    let times: Vec<_> =
        lines(&scratch.0).iter().map(|line| line["time"].as_str().unwrap().to_owned()).collect();
    let second = "1970-01-01T00:00:01.000Z";
    let leap = "2000-02-29T00:00:00.007Z";
    assert_eq!(times, ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.999Z", second, leap, second]);
}

#[test]
fn keeps_every_line_of_every_thread_and_appends_to_the_file() {
    let scratch = Scratch::new();
    for _ in 0..2 {
        let log = scratch.open();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let log = log.clone();
                scope.spawn(move || {
                    (0..500).for_each(|index| log.write(&record(&format!("/{thread}/{index}"))))
                });
            }
        });
        log.close();
        assert_eq!(log.dropped(), 0);
    }
    let mut paths: Vec<_> = lines(&scratch.0).iter().map(|line| line["path"].to_string()).collect();
    paths.sort();
    assert_eq!(paths.len(), 4000);
    paths.dedup();
    assert_eq!(paths.len(), 2000);
}

#[test]
fn the_last_handle_closes_the_log() {
    let scratch = Scratch::new();
    let log = scratch.open();
    let other = log.clone();
    drop(log);
    other.write(&record("/late"));
    drop(other);
    assert_eq!(lines(&scratch.0).len(), 1);
}

#[test]
fn lines_after_the_end_are_dropped_and_counted() {
    let scratch = Scratch::new();
    let log = scratch.open();
    log.close();
    log.write(&record("/"));
    log.close();
    assert_eq!((log.dropped(), lines(&scratch.0).len()), (1, 0));
}

#[test]
fn writes_to_the_new_file_after_a_reopen() {
    let (scratch, moved) = (Scratch::new(), Scratch::new());
    let log = scratch.open();
    std::fs::rename(&scratch.0, &moved.0).unwrap();
    log.write(&record("/old"));
    log.reopen().unwrap();
    assert!(scratch.0.exists());
    log.write(&record("/new"));
    log.close();
    let written = lines(&moved.0).len() + lines(&scratch.0).len();
    assert!(lines(&scratch.0).iter().any(|line| line["path"] == "/new"));
    assert_eq!((written, log.dropped()), (2, 0));
}

#[test]
fn writes_on_to_the_old_file_where_the_new_one_cannot_be_opened() {
    let (scratch, moved) = (Scratch::new(), Scratch::new());
    let log = scratch.open();
    std::fs::rename(&scratch.0, &moved.0).unwrap();
    std::fs::create_dir(&scratch.0).unwrap();
    assert_eq!(log.reopen().unwrap_err().kind(), io::ErrorKind::IsADirectory);
    log.write(&record("/on"));
    log.close();
    assert_eq!(lines(&moved.0).len(), 1);
    std::fs::remove_dir(&scratch.0).unwrap();
}

#[test]
fn lets_the_old_file_go_without_new_lines() {
    let (old, is_let_go) = mpsc::sync_channel(0);
    let scratch = Scratch::new();
    let log = AccessLog::to(Box::new(Slow(old)), Some(scratch.0.as_path().into()), 1000).unwrap();
    log.reopen().unwrap();
    // It comes as soon as the writer has dropped its end; the bound is for a writer that does not.
    let end = is_let_go.recv_timeout(Duration::from_secs(30));
    assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn says_why_a_file_cannot_be_opened() {
    assert_eq!(AccessLog::open("/no/such/folder/access.log").err().unwrap().kind(), io::ErrorKind::NotFound);
    assert!(AccessLog::open("stdout").unwrap().reopen().is_ok());
}

/// A sink that hands each batch over, and waits until it is taken.
struct Slow(mpsc::SyncSender<Vec<u8>>);

impl Sink for Slow {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.0.send(lines.to_vec()).map_err(io::Error::other)
    }
}

#[test]
fn lines_come_without_a_close_and_a_slow_disk_costs_lines_but_no_time() {
    let (batches, taken) = mpsc::sync_channel(0);
    let log = AccessLog::to(Box::new(Slow(batches)), None, 1000).unwrap();
    log.write(&record("/first"));
    // The writer stands until somebody takes its batch, and this thread goes on.
    for _ in 0..1000 {
        log.write(&record("/more"));
    }
    let dropped = log.dropped();
    assert!(dropped > 900, "{dropped}");
    let first = taken.recv().unwrap();
    let mut text = String::new();
    first.as_slice().read_to_string(&mut text).unwrap();
    assert!(text.contains("/first"));
    drop(taken);
    log.close();
    assert!(log.dropped() >= dropped);
}

#[test]
fn a_batch_that_cannot_be_written_counts_as_dropped() {
    let (batches, taken) = mpsc::sync_channel(0);
    drop(taken);
    let log = AccessLog::to(Box::new(Slow(batches)), None, 1000).unwrap();
    log.write(&record("/1"));
    log.write(&record("/2"));
    log.close();
    assert_eq!(log.dropped(), 2);
}
