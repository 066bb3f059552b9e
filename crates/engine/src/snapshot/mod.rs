//! The snapshot: the one versioned JSON document that tells the engine everything it knows.
//!
//! `toolway compile` prints it; golden tests diff it; `Engine::apply` decodes it here and `generation` builds it. A [`Delta`]
//! tells only what changes, in the same terms.
//! It is fully resolved: references of the configuration are followed, precedence is applied, defaults are written
//! out. Upstreams and routes are named by their stable ids so that what outlives a swap can be keyed by them.
//! Unknown fields are refused, so a snapshot never means less than it says.

mod api;
mod app;
mod checks;
mod consumer;
mod decode;
mod delta;
mod gateway;
mod route;
mod ssl;
mod upstream;

pub use api::{
    Api, BodyShape, ContentCheck, ContentShape, Fields, OperationShape, ParameterShape, ValueType, Values,
};
pub use app::{
    App, Argument, BodyArguments, Encoding, Location, Parameter, Style, Tool, ToolBody, ToolRequest,
};
pub use checks::{ActiveChecks, CheckKind, Checks, HealthySigns, PassiveChecks, UnhealthySigns};
pub use consumer::{Consumer, Credential};
pub use decode::{decode, pointer_to};
pub use delta::{Delta, Entries, Kind, Removals};
pub use gateway::{Dns, DoubledSlashes, EncodedSlashes, Gateway, Limits, PathRules};
pub use route::{Document, Route, StaticResponse, Target, Variant};
pub use ssl::{Certificate, ClientAuthentication, PrivateKey, Ssl, TlsProtocol};
pub use upstream::{
    Balance, HashOn, Keepalive, Node, PassHost, Scheme, Timeouts, UpstreamDefinition, UpstreamTls,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The version of the document's format that this engine reads.
pub const VERSION: u32 = 1;

/// The settings of a plugin by plugin name, as the configuration gives them; each plugin decodes its own.
pub type PluginConfigs = serde_json::Map<String, serde_json::Value>;

/// The whole document. Its entries are read one by one when they are built.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot<'a> {
    /// Must be [`VERSION`].
    pub version: u32,
    pub gateway: Gateway,
    /// Each an [`UpstreamDefinition`].
    #[serde(borrow, default)]
    pub upstreams: Vec<&'a RawValue>,
    /// Each a [`Route`].
    #[serde(borrow, default)]
    pub routes: Vec<&'a RawValue>,
    /// Each a [`Consumer`].
    #[serde(borrow, default)]
    pub consumers: Vec<&'a RawValue>,
    /// Each a [`GlobalRule`]: plugins that run on every request, matched or not, in this order of rules.
    #[serde(borrow, default)]
    pub global_rules: Vec<&'a RawValue>,
    /// Each an [`App`].
    #[serde(borrow, default)]
    pub apps: Vec<&'a RawValue>,
    /// Each an [`Api`].
    #[serde(borrow, default)]
    pub apis: Vec<&'a RawValue>,
    /// Each an [`Ssl`]: what the TLS listeners show, by server name.
    #[serde(borrow, default)]
    pub ssls: Vec<&'a RawValue>,
}

/// A named set of plugins that always run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalRule {
    pub id: String,
    pub plugins: PluginConfigs,
}
