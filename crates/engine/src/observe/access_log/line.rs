//! One line of the access log: the record's fields as a JSON object, in a fixed order.

use crate::observe::Record;
use serde::Serialize;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

const TO_THE_SECOND: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// Remembers the second that was formatted last, since most lines share it.
#[derive(Default)]
pub struct Clock {
    second: i64,
    text: String,
}

/// Absent values are null, so that every line has the same members.
#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    client: IpAddr,
    method: &'a str,
    host: &'a str,
    path: &'a str,
    route: Option<&'a str>,
    operation: Option<&'a str>,
    service: Option<&'a str>,
    consumer: Option<&'a str>,
    status: u16,
    bytes_in: u64,
    bytes_out: u64,
    latency_ms: f64,
    upstream: Option<&'a str>,
    upstream_latency_ms: Option<f64>,
    request_id: Option<&'a str>,
    error: Option<&'static str>,
    error_detail: Option<&'a str>,
    invalid: Option<&'a str>,
    tool: Option<&'a str>,
    tls: Option<&'static str>,
    complete: bool,
}

/// Appends the record's line to `lines`.
pub fn write(record: &Record, clock: &mut Clock, lines: &mut Vec<u8>) {
    let route = record.route.as_deref();
    let line = Line {
        time: clock.format(record.started),
        client: record.client.to_canonical(),
        method: record.method.as_str(),
        host: &record.host,
        path: &record.path,
        route: route.map(|route| &*route.id),
        operation: route.and_then(|route| route.operation.as_deref()),
        service: route.map(|route| &*route.service).filter(|service| !service.is_empty()),
        consumer: record.consumer.as_ref().map(|consumer| &*consumer.username),
        status: record.status,
        bytes_in: record.bytes_received,
        bytes_out: record.bytes_sent,
        latency_ms: milliseconds(record.latency),
        upstream: record.upstream.as_deref(),
        upstream_latency_ms: record.upstream_latency.map(milliseconds),
        request_id: record.request_id.as_deref(),
        error: record.error,
        error_detail: record.error_detail.as_deref(),
        invalid: record.invalid.as_deref(),
        tool: record.tool.as_deref(),
        tls: record.tls,
        complete: record.complete,
    };
    // Writing text and numbers to memory does not fail.
    let _ = serde_json::to_writer(&mut *lines, &line);
    lines.push(b'\n');
}

/// To the microsecond.
fn milliseconds(duration: std::time::Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

impl Clock {
    /// `at` in UTC to the millisecond (RFC 3339).
    fn format(&mut self, at: SystemTime) -> &str {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = i64::try_from(since.as_secs()).unwrap_or_default();
        if second != self.second || self.text.is_empty() {
            let date = OffsetDateTime::from_unix_timestamp(second).unwrap_or(OffsetDateTime::UNIX_EPOCH);
            self.text = date.format(TO_THE_SECOND).unwrap_or_default();
            self.text.push_str(".000Z");
            self.second = second;
        }
        let digits = since.subsec_millis();
        self.text.truncate(self.text.len() - ".000Z".len());
        self.text.push('.');
        for place in [100, 10, 1] {
            self.text.push(char::from_digit(digits / place % 10, 10).unwrap_or('0'));
        }
        self.text.push('Z');
        &self.text
    }
}
