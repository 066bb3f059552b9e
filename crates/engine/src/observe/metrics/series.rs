//! What is counted by route, consumer and node, and how a worker finds it without building labels for each request.
//!
//! Each thread keeps the handles that it used before, found by the serials of plugin and route (each is new when it is
//! built anew) and the names that vary under them. Series are bounded in number: beyond the bound, new ones leave out consumer and
//! node, of which there may be many.

use super::family::Family;
use super::values::{Latencies, Tally};
use crate::observe::Record;
use hashbrown::HashTable;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::registry::Registry;
use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Combinations of route, consumer and node that are told apart.
const SERIES: u64 = 20_000;
/// Handles that a thread keeps.
const KEPT: usize = 8192;

/// Tells a plugin or route that was built from every other, also from those of the same id.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Serial(u64);

impl Serial {
    /// A serial that was never given out before.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The metrics with labels.
pub struct Families {
    statuses: Family<StatusLabels, Tally>,
    latencies: Family<LatencyLabels, Latencies>,
    bandwidth: Family<BandwidthLabels, Tally>,
    /// How many combinations there are, and may be.
    combinations: AtomicU64,
    bound: u64,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StatusLabels {
    code: u16,
    route: Arc<str>,
    matched_uri: Arc<str>,
    matched_host: Arc<str>,
    service: Arc<str>,
    consumer: Arc<str>,
    node: Arc<str>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct LatencyLabels {
    r#type: &'static str,
    route: Arc<str>,
    service: Arc<str>,
    consumer: Arc<str>,
    node: Arc<str>,
}

type BandwidthLabels = LatencyLabels;

/// The handles of one combination of labels.
struct Series {
    /// By status, in the order in which they first came.
    statuses: Vec<(u16, Tally)>,
    /// The labels of the next status.
    labels: StatusLabels,
    request: Latencies,
    upstream: Latencies,
    apisix: Latencies,
    ingress: Tally,
    egress: Tally,
}

struct Kept {
    plugin: Serial,
    route: Option<Serial>,
    consumer: Arc<str>,
    node: Arc<str>,
    series: Series,
}

/// What tells series apart.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Key<'a> {
    plugin: Serial,
    route: Option<Serial>,
    consumer: &'a str,
    node: &'a str,
}

impl Families {
    /// Makes the metrics and enters them.
    pub fn register(registry: &mut Registry) -> Self {
        let families = Self {
            statuses: Family::default(),
            latencies: Family::default(),
            bandwidth: Family::default(),
            combinations: AtomicU64::new(0),
            bound: SERIES,
        };
        let help = "Responses by status, route, consumer and node";
        registry.register("apisix_http_status", help, families.statuses.clone());
        let help = "Milliseconds that requests took: in all (request), of which until the upstream began to answer \
                    (upstream), and the rest (apisix)";
        registry.register("apisix_http_latency", help, families.latencies.clone());
        let help = "Bytes of bodies, from clients (ingress) and to clients (egress)";
        registry.register("apisix_bandwidth", help, families.bandwidth.clone());
        families
    }

    /// Adds one exchange.
    pub fn measure(&self, record: &Record, plugin: Serial, prefer_name: bool) {
        thread_local! {
            static KEPT_SERIES: RefCell<HashTable<Kept>> = const { RefCell::new(HashTable::new()) };
        }
        let key = Key {
            plugin,
            route: record.route.as_ref().map(|route| route.serial),
            consumer: record.consumer.as_ref().map_or("", |consumer| &consumer.username),
            node: record.upstream.as_deref().unwrap_or_default(),
        };
        let hash = key.hash_value();
        KEPT_SERIES.with_borrow_mut(|kept| {
            if let Some(found) = kept.find_mut(hash, |kept| kept.key() == key) {
                found.series.add(record, self);
                return;
            }
            if kept.len() >= KEPT {
                kept.clear();
            }
            let mut series = self.series(record, prefer_name);
            series.add(record, self);
            let (consumer, node) = (key.consumer.into(), key.node.into());
            let new = Kept { plugin, route: key.route, consumer, node, series };
            kept.insert_unique(hash, new, |kept| kept.key().hash_value());
        });
    }

    fn series(&self, record: &Record, prefer_name: bool) -> Series {
        let mut labels = StatusLabels::of(record, prefer_name);
        let is_known = self.latencies.has(&labels.typed("request"));
        if !is_known && self.combinations.fetch_add(1, Ordering::Relaxed) >= self.bound {
            labels.consumer = Arc::default();
            labels.node = Arc::default();
        }
        Series {
            statuses: Vec::new(),
            request: self.latencies.series(&labels.typed("request")),
            upstream: self.latencies.series(&labels.typed("upstream")),
            apisix: self.latencies.series(&labels.typed("apisix")),
            ingress: self.bandwidth.series(&labels.typed("ingress")),
            egress: self.bandwidth.series(&labels.typed("egress")),
            labels,
        }
    }
}

impl StatusLabels {
    /// The record's labels, but for the code.
    fn of(record: &Record, prefer_name: bool) -> Self {
        let none: Arc<str> = Arc::default();
        let route = record.route.as_deref();
        Self {
            code: 0,
            route: route.map_or(&none, |route| if prefer_name { &route.name } else { &route.id }).clone(),
            matched_uri: route.and_then(|route| route.uris.first()).unwrap_or(&none).clone(),
            matched_host: route.and_then(|route| route.hosts.first()).unwrap_or(&none).clone(),
            service: route.map_or(&none, |route| &route.service).clone(),
            consumer: record.consumer.as_ref().map_or(&none, |consumer| &consumer.username).clone(),
            node: record.upstream.clone().unwrap_or(none),
        }
    }

    /// The labels of a latency or a bandwidth.
    fn typed(&self, r#type: &'static str) -> LatencyLabels {
        LatencyLabels {
            r#type,
            route: self.route.clone(),
            service: self.service.clone(),
            consumer: self.consumer.clone(),
            node: self.node.clone(),
        }
    }
}

impl Series {
    fn add(&mut self, record: &Record, families: &Families) {
        match self.statuses.iter().find(|(code, _)| *code == record.status) {
            Some((_, status)) => status.add(1),
            None => {
                let labels = StatusLabels { code: record.status, ..self.labels.clone() };
                let status = families.statuses.series(&labels);
                status.add(1);
                self.statuses.push((record.status, status));
            }
        }
        self.request.observe(record.latency);
        if let Some(upstream) = record.upstream_latency {
            self.upstream.observe(upstream);
        }
        self.apisix.observe(record.latency.saturating_sub(record.upstream_latency.unwrap_or_default()));
        self.ingress.add(record.bytes_received);
        self.egress.add(record.bytes_sent);
    }
}

impl Kept {
    fn key(&self) -> Key<'_> {
        Key { plugin: self.plugin, route: self.route, consumer: &self.consumer, node: &self.node }
    }
}

impl Key<'_> {
    fn hash_value(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn beyond_the_bound_consumer_and_node_are_left_out() {
        let mut registry = Registry::default();
        let families = Families { bound: 2, ..Families::register(&mut registry) };
        for node in ["a:1", "b:1", "c:1", "d:1", "a:1"] {
            let mut record = Record::new("192.0.2.7".parse().unwrap(), http::Method::GET);
            record.upstream = Some(node.into());
            families.measure(&record, Serial::next(), false);
        }
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let line = |node: &str| {
            let start =
                "apisix_http_status{code=\"0\",route=\"\",matched_uri=\"\",matched_host=\"\",service=\"\",";
            let start = format!("{start}consumer=\"\",node=\"{node}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned))
        };
        assert_eq!([line("a:1"), line("b:1"), line("c:1")], [Some("2".into()), Some("1".into()), None]);
        assert_eq!(line(""), Some("2".into()));
    }
}
