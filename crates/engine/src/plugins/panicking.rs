//! A plugin for tests that panics, which no plugin may; it shows that a panic costs one connection.

use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use schemars::JsonSchema;
use serde::Deserialize;

/// Panics at requests that have the header `x-panic`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

pub struct Panicking;

impl Build for Panicking {
    type Config = Config;

    fn build(Config {}: Config, _context: &BuildContext<'_>) -> Result<Self, String> {
        Ok(Self)
    }
}

impl Plugin for Panicking {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        assert!(!exchange.request.headers.contains_key("x-panic"), "as the client wished");
        Flow::Continue
    }
}
