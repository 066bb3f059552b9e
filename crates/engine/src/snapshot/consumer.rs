//! Consumers: callers with an identity, and what proves it.

use super::PluginConfigs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroU64;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    pub username: String,
    #[serde(default)]
    pub group: Option<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Those of the consumer and its group.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The plugins of the consumer and its group, merged; they replace a route's of the same name.
    #[serde(default)]
    pub plugins: PluginConfigs,
    #[serde(default)]
    pub credentials: Vec<Credential>,
}

/// What proves a consumer to one authentication plugin, whose file says what `config` has. Secrets that need only be
/// compared arrive as digests: for `key-auth`, `{"key_sha256": "<64 hex digits>"}`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    pub id: String,
    pub plugin: String,
    pub config: serde_json::Value,
    /// In seconds since 1970, from when on it proves nothing. None: it does not expire.
    #[serde(default)]
    pub expires_at: Option<NonZeroU64>,
}
