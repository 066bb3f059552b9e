//! The metrics of an engine, in the names of Apache APISIX where it has them.
//!
//! What every exchange adds to is counted by the worker; what has labels is counted for exchanges whose plugins include
//! `prometheus`, through handles that each worker thread keeps (see `series`). The text is OpenMetrics. There a
//! counter's name must end in `_total`, so APISIX's counters without that ending are given the type `unknown`.

mod family;
mod series;
mod server;
mod values;

pub use series::Serial;
pub use server::serve_metrics;

use super::Record;
use crate::control::resource;
use crate::server::Connections;
use crate::table::Table;
use crate::upstream::Upstream;
use family::Family;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family as ClearedFamily;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use series::Families;
use std::sync::Arc;

/// All metrics of an engine, kept over swaps.
pub struct Metrics {
    registry: Registry,
    families: Families,
    requests: Counter,
    connections: States,
    workers: ClearedFamily<WorkerLabels, Gauge>,
    refused: Counter,
    handshake_errors: Family<HandshakeLabels, Counter>,
    errors: Family<ErrorLabels, Counter>,
    tool_calls: Family<ToolLabels, Counter>,
    invalid_requests: Family<InvalidLabels, Counter>,
    access_log_dropped: Counter,
    /// Filled anew by each scrape, and by nobody else.
    upstreams: ClearedFamily<UpstreamLabels, Gauge>,
    address_lists: ClearedFamily<AddressListLabels, Gauge>,
}

/// Client connections by state. Those that nginx knows and the engine cannot tell (reading, writing, waiting) are left
/// out.
struct States {
    active: Gauge,
    accepted: Gauge,
    handled: Gauge,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ErrorLabels {
    code: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ToolLabels {
    tool: Arc<str>,
    route: Arc<str>,
    code: u16,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct InvalidLabels {
    route: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct WorkerLabels {
    worker: usize,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct HandshakeLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct NodeLabels {
    hostname: String,
    version: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct UpstreamLabels {
    name: String,
    ip: Arc<str>,
    port: u16,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct AddressListLabels {
    source: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let families = Families::register(&mut registry);
        let requests = Counter::default();
        let help = "Requests that have ended since the start";
        registry.register("apisix_http_requests", help, requests.clone());
        let states = Family::<StateLabels, Gauge>::default();
        let state = |state| states.series(&StateLabels { state });
        let connections =
            States { active: state("active"), accepted: state("accepted"), handled: state("handled") };
        registry.register("apisix_nginx_http_current_connections", "Client connections by state", states);
        let workers = ClearedFamily::default();
        let help = "Client connections that are open, by worker";
        registry.register("toolway_worker_connections", help, ClearedFamily::clone(&workers));
        let refused = Counter::default();
        let help = "Client connections that were closed at once, because too many were open";
        registry.register("toolway_connections_refused", help, refused.clone());
        let handshake_errors = Family::default();
        let help = "TLS handshakes with clients that failed, by reason";
        registry.register("toolway_tls_handshake_errors", help, Family::clone(&handshake_errors));
        let node = Family::<NodeLabels, Gauge>::default();
        let labels = NodeLabels { hostname: hostname(), version: env!("CARGO_PKG_VERSION") };
        node.series(&labels).set(1);
        registry.register("apisix_node_info", "This gateway", node);
        let errors = Family::default();
        let help = "Requests that the gateway itself answered with an error, by the error's code";
        registry.register("toolway_errors", help, Family::clone(&errors));
        let tool_calls = Family::default();
        let help = "Calls of tools by the status that their operation answered with";
        registry.register("toolway_tool_calls", help, Family::clone(&tool_calls));
        let invalid_requests = Family::default();
        let help = "Requests that are not as the document of their api says";
        registry.register("toolway_invalid_requests", help, Family::clone(&invalid_requests));
        let access_log_dropped = Counter::default();
        let help =
            "Lines that the access log lost, because it could not be written as fast as requests ended";
        registry.register("toolway_access_log_dropped", help, access_log_dropped.clone());
        let upstreams = ClearedFamily::default();
        let help = "Nodes of upstreams that have health checks: 1 where the node is well, 0 where it is down";
        registry.register("apisix_upstream_status", help, ClearedFamily::clone(&upstreams));
        let address_lists = ClearedFamily::default();
        let help = "When lists of addresses were last read, in seconds since 1970";
        registry.register(
            "toolway_address_list_read_time_seconds",
            help,
            ClearedFamily::clone(&address_lists),
        );
        Self {
            registry,
            families,
            requests,
            connections,
            workers,
            refused,
            handshake_errors,
            errors,
            tool_calls,
            invalid_requests,
            access_log_dropped,
            upstreams,
            address_lists,
        }
    }
}

impl Metrics {
    /// Counts an exchange that has ended, whatever its plugins.
    pub fn count_exchange(&self, record: &Record) {
        self.requests.inc();
        if let (Some(tool), Some(route)) = (&record.tool, &record.route) {
            let labels = ToolLabels { tool: tool.clone(), route: route.id.clone(), code: record.status };
            self.tool_calls.series(&labels).inc();
        }
    }

    /// Counts an error that the gateway itself answered with.
    pub fn count_error(&self, code: &'static str) {
        self.errors.series(&ErrorLabels { code }).inc();
    }

    /// Counts a request that is not as the document of its api says; `outcome` is `refused` or `reported`.
    pub fn count_invalid(&self, route: Arc<str>, outcome: &'static str) {
        self.invalid_requests.series(&InvalidLabels { route, outcome }).inc();
    }

    /// Counts a client connection that was accepted.
    pub fn count_accepted(&self) {
        self.connections.accepted.inc();
    }

    /// Counts a client connection that is served.
    pub fn count_handled(&self) {
        self.connections.handled.inc();
    }

    /// Counts a client connection that is not served, because too many are open.
    pub fn count_refused(&self) {
        self.refused.inc();
    }

    /// Counts a TLS handshake that failed.
    pub fn count_handshake_error(&self, reason: &'static str) {
        self.handshake_errors.series(&HandshakeLabels { reason }).inc();
    }

    /// Counts the exchange by route, consumer and node, once, however many `prometheus` plugins it meets. `serial` is
    /// the plugin's own; `prefer_name` labels routes by name.
    pub fn measure(&self, record: &Record, serial: Serial, prefer_name: bool) {
        if !record.measured.replace(true) {
            self.families.measure(record, serial, prefer_name);
        }
    }

    /// Takes over when lists of addresses were last read, by source, in place of what was before.
    pub fn set_address_lists(&self, read: Vec<(String, i64)>) {
        self.address_lists.clear();
        for (source, at) in read {
            self.address_lists.get_or_create(&AddressListLabels { source }).set(at);
        }
    }

    /// Takes over how the nodes of checked upstreams are now, in place of what was before.
    pub fn set_upstreams(&self, upstreams: &Table<Arc<Upstream>>) {
        self.upstreams.clear();
        for upstream in upstreams.iter().filter(|upstream| upstream.definition.checks.is_some()) {
            for member in &upstream.roster().members {
                let name = resource(&upstream.definition.id);
                let labels = UpstreamLabels { name, ip: member.ip.clone(), port: member.port };
                self.upstreams.get_or_create(&labels).set(i64::from(member.state.health.is_up()));
            }
        }
    }

    /// All metrics as OpenMetrics text. `open` are the client connections, `dropped` is the number of lines that the
    /// access log has lost.
    pub fn text(&self, open: &Connections, dropped: u64) -> String {
        self.connections.active.set(i64::try_from(open.total()).unwrap_or(i64::MAX));
        for (worker, count) in open.by_worker().enumerate() {
            let series = self.workers.get_or_create(&WorkerLabels { worker });
            series.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.access_log_dropped.inc_by(dropped.saturating_sub(self.access_log_dropped.get()));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
