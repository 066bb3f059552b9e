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
