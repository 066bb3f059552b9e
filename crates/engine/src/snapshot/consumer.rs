//! Consumers: callers with an identity, and what proves it.

use super::PluginConfigs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    pub username: String,
    #[serde(default)]
    pub group: Option<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The plugins of the consumer and its group, merged; they replace a route's of the same name.
    #[serde(default)]
    pub plugins: PluginConfigs,
    #[serde(default)]
    pub credentials: Vec<Credential>,
}

/// What proves a consumer to one authentication plugin. Secrets that need only be compared arrive as digests:
/// for `key-auth`, `{"key_sha256": "<64 hex digits>"}`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    pub id: String,
    pub plugin: String,
    pub config: serde_json::Value,
}
