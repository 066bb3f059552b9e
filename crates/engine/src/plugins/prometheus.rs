//! `prometheus`: counts the exchanges of its place in the metrics by route, consumer and node.
//!
//! It changes nothing on the way; the metrics themselves and their listener belong to `observe`. An exchange that meets
//! this plugin twice, in a global rule and on its route, is counted once.

use super::{Build, BuildContext, Plugin};
use crate::observe::{Record, Serial};
use crate::state::State;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Counts requests in the metrics.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether the label `route` is the route's name rather than its id.
    prefer_name: bool,
}

/// The plugin.
pub struct Prometheus {
    state: Arc<State>,
    serial: Serial,
    prefer_name: bool,
}

impl Build for Prometheus {
    type Config = Config;

    fn build(config: Config, context: &BuildContext<'_>) -> Result<Self, String> {
        Ok(Self { state: context.state.clone(), serial: Serial::next(), prefer_name: config.prefer_name })
    }
}

impl Plugin for Prometheus {
    fn finish(&self, record: &Record) {
        self.state.metrics.measure(record, self.serial, self.prefer_name);
    }
}

#[cfg(test)]
mod tests {
    use crate::plugins::testing::{Bench, get};
    use serde_json::{Value, json};
    use std::time::Duration;

    /// The lines of the metrics that begin with `start`, after the exchanges have ended.
    fn lines(bench: &Bench, start: &str) -> Vec<String> {
        let text = bench.state().metrics.text(&bench.worker.shared.connections, 0);
        text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }

    fn finish(bench: &Bench, status: u16) {
        let mut exchange = bench.exchange(get("/"));
        bench.run(&mut exchange);
        let mut record = exchange.record;
        record.status = status;
        record.consumer = exchange.identity.map(|identity| identity.consumer);
        record.upstream = Some("10.0.0.1:80".into());
        record.latency = Duration::from_micros(12_500);
        record.upstream_latency = Some(Duration::from_millis(10));
        record.bytes_received = 100;
        record.bytes_sent = 7;
        bench.chain().finish(&record);
        bench.chain().finish(&record);
    }

    fn bench(config: Value) -> Bench {
        Bench::new(json!({"prometheus": config, "key-auth": {"anonymous_consumer": "guest"}}))
    }

    #[test]
    fn counts_each_exchange_once_by_status_route_consumer_and_node() {
        let bench = bench(json!({}));
        for status in [200, 200, 404] {
            finish(&bench, status);
        }
        let mut counted = lines(&bench, "apisix_http_status{");
        counted.sort();
        let labels = "route=\"route\",matched_uri=\"/*\",matched_host=\"api.example\",service=\"shop\",consumer=\"guest\",node=\"10.0.0.1:80\"";
        let expected = [("200", 2), ("404", 1)];
        let expected =
            expected.map(|(code, count)| format!("apisix_http_status{{code=\"{code}\",{labels}}} {count}"));
        assert_eq!(counted, expected);
    }

    #[test]
    fn tells_latencies_in_milliseconds_and_bytes_by_direction() {
        let bench = bench(json!({}));
        finish(&bench, 200);
        finish(&bench, 200);
        let labels = "route=\"route\",service=\"shop\",consumer=\"guest\",node=\"10.0.0.1:80\"";
        for (kind, sum) in [("request", "25.0"), ("upstream", "20.0"), ("apisix", "5.0")] {
            let start = format!("apisix_http_latency_sum{{type=\"{kind}\",");
            assert_eq!(
                lines(&bench, &start),
                [format!("apisix_http_latency_sum{{type=\"{kind}\",{labels}}} {sum}")]
            );
        }
        for (bound, count) in [("10.0", 0), ("20.0", 2), ("+Inf", 2)] {
            let line =
                format!("apisix_http_latency_bucket{{le=\"{bound}\",type=\"request\",{labels}}} {count}");
            assert_eq!(lines(&bench, &line), [line.as_str()]);
        }
        for (kind, bytes) in [("ingress", 200), ("egress", 14)] {
            let line = format!("apisix_bandwidth{{type=\"{kind}\",{labels}}} {bytes}");
            assert_eq!(lines(&bench, &line), [line.as_str()]);
        }
    }

    #[test]
    fn labels_the_route_by_name_when_told_to() {
        let bench = bench(json!({"prefer_name": true}));
        finish(&bench, 200);
        assert!(lines(&bench, "apisix_http_status{").concat().contains("route=\"A route\""));
    }

    #[test]
    fn goes_on_counting_after_a_swap() {
        let config = json!({"prometheus": {}});
        let bench = Bench::new(config.clone());
        finish(&bench, 200);
        let swapped = bench.swapped("route", config);
        finish(&swapped, 200);
        assert!(lines(&swapped, "apisix_http_status{").concat().ends_with(" 2"));
    }

    #[test]
    fn refuses_unknown_settings() {
        assert!(Bench::problem(json!({"prometheus": {"disable": 1}})).contains("unknown field `disable`"));
    }
}
