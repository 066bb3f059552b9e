//! Routes: what a request must look like, and what is then done with it.

use super::PluginConfigs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Stable and unique; an operation's route is `<api id>:<operation id>`.
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    /// Path patterns, at least one: exact `/a`, prefix `/a/*`, parameters `/a/:id/b` or `/a/{id}.json`.
    pub uris: Vec<String>,
    /// Hosts, exact or `*.example.com`; empty: any host.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Methods in upper case; empty: any method.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Addresses and networks of which one must have the client; empty: any.
    #[serde(default)]
    pub remote_addrs: Vec<String>,
    /// Expressions of which all must hold, in the language of lua-resty-expr; empty: none.
    #[serde(default)]
    pub vars: Vec<serde_json::Value>,
    /// Among routes with the same pattern, the larger is tried first.
    #[serde(default)]
    pub priority: i64,
    /// Among routes alike in pattern and priority, the smaller is tried first, then the one that came earlier: 0 for
    /// those that users wrote, more for those that were generated.
    #[serde(default)]
    pub order: u32,
    /// Ids for logs and metrics of the service, api and operation that this route came from.
    #[serde(default)]
    pub service: Option<String>,
    #[serde(default)]
    pub api: Option<String>,
    #[serde(default)]
    pub operation: Option<String>,
    /// Whether clients may change protocol on their connection, as WebSocket does.
    #[serde(default)]
    pub websocket: bool,
    /// The roles of which a caller needs one. None: any caller; no role at all: nobody.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
    /// The plugins of route, plugin_config and service, merged by precedence.
    #[serde(default)]
    pub plugins: PluginConfigs,
    pub target: Target,
}

/// Where a request goes that has passed the plugins.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// To the upstream `id`. `strip_prefix` is taken off the path, `add_prefix` put before the rest.
    Upstream {
        id: String,
        #[serde(default)]
        strip_prefix: String,
        #[serde(default)]
        add_prefix: String,
    },
    /// Answered with these bytes.
    Static(StaticResponse),
    /// Answered with what a caller may see.
    Document(Document),
    /// Answered by the MCP endpoint of the app `app`.
    Mcp { app: String },
}

/// A document of an app in several variants, of which each caller gets the first that tells of no tool which the caller
/// may not call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    pub app: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The last is for everybody.
    pub variants: Vec<Variant>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Names of the tools in it that ask for roles.
    pub tools: Vec<String>,
    pub body: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StaticResponse {
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as text, or `body_base64` for bytes; at most one of them.
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub body_base64: Option<String>,
}
