//! The snapshot: the one versioned JSON document that tells the engine everything it knows.
//!
//! `toolway compile` prints it; golden tests diff it; `Engine::apply` decodes it here and `generation` builds it.
//! It is fully resolved: references of the configuration are followed, precedence is applied, defaults are written
//! out. Upstreams and routes are named by their stable ids so that what outlives a swap can be keyed by them.
//! Unknown fields are refused, so a snapshot never means less than it says.

mod app;
mod checks;
mod consumer;
mod gateway;
mod route;
mod upstream;

pub use app::{
    App, Argument, BodyArguments, Encoding, Location, Parameter, Style, Tool, ToolBody, ToolRequest,
};
pub use checks::{ActiveChecks, CheckKind, Checks, HealthySigns, PassiveChecks, UnhealthySigns};
pub use consumer::{Consumer, Credential};
pub use gateway::{Dns, DoubledSlashes, EncodedSlashes, Gateway, Limits, PathRules};
pub use route::{Route, StaticResponse, Target};
pub use upstream::{Balance, HashOn, Keepalive, Node, PassHost, Scheme, Timeouts, UpstreamDefinition};

use serde::{Deserialize, Serialize};

/// The version of the document's format that this engine reads.
pub const VERSION: u32 = 1;

/// The settings of a plugin by plugin name, as the configuration gives them; each plugin decodes its own.
pub type PluginConfigs = serde_json::Map<String, serde_json::Value>;

/// The whole document.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Must be [`VERSION`].
    pub version: u32,
    pub gateway: Gateway,
    #[serde(default)]
    pub upstreams: Vec<UpstreamDefinition>,
    #[serde(default)]
    pub routes: Vec<Route>,
    #[serde(default)]
    pub consumers: Vec<Consumer>,
    /// Plugins that run on every request, matched or not, in this order of rules.
    #[serde(default)]
    pub global_rules: Vec<GlobalRule>,
    #[serde(default)]
    pub apps: Vec<App>,
}

/// A named set of plugins that always run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalRule {
    pub id: String,
    pub plugins: PluginConfigs,
}
