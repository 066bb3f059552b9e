//! The plugin trait and the one table of all plugins.
//!
//! A plugin is one file: its `Config` (its doc comments become the reference), its code, its tests; plus one line in
//! [`TABLE`]. It is built once per snapshot and run for many requests, so `request` parses nothing and allocates
//! little. What must outlive a swap (counters, metrics) lives in [`State`] and is keyed by [`Place`].

mod acl;
mod asking;
mod basic_auth;
mod chain;
mod client_control;
mod consumer_restriction;
mod cors;
pub mod counters;
mod csrf;
mod entrance;
mod forward_auth;
mod groups;
mod hmac_auth;
mod ip_restriction;
mod jwt_auth;
mod key_auth;
mod key_set;
mod limit_count;
mod mtls_auth;
mod multi_auth;
mod oas_validator;
mod opa;
mod openai_egress;
mod openid_connect;
#[cfg(test)]
mod panicking;
mod prometheus;
mod proof;
mod proxy_rewrite;
mod real_ip;
mod referer_restriction;
mod request_id;
mod request_validation;
mod restriction;
mod secret;
#[cfg(test)]
pub(crate) mod testing;
mod ua_restriction;
mod upstream_credential;
mod uri_blocker;

pub use basic_auth::Passwords;
pub use chain::Chain;
pub use entrance::after_scheme;
pub use groups::{Groups, Joining};
pub use jwt_auth::Signatures;
pub use key_set::KeySet;
pub use openid_connect::{Discovery, Told};
#[cfg(test)]
pub(crate) use proof::decode_digest;
pub use proof::{Proof, Scheme};
pub use upstream_credential::Grant;

use crate::exchange::Exchange;
use crate::http::Response;
use crate::observe::Record;
use crate::snapshot::pointer_to;
use crate::state::State;
use ::http::HeaderName;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;

/// What the exchange does after a plugin has run.
pub enum Flow<'a> {
    Continue,
    /// Answer this, and run no further plugin's `request`.
    Respond(Response),
    /// Wait until the plugin knows which of the two it is.
    Wait(Waiting<'a>),
}

/// Ends with the answer, where there is one.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Option<Response>> + 'a>>;

impl Flow<'_> {
    /// The answer, where there is one.
    pub async fn answer(self) -> Option<Response> {
        match self {
            Flow::Continue => None,
            Flow::Respond(response) => Some(response),
            Flow::Wait(waiting) => waiting.await,
        }
    }
}

impl From<Option<Response>> for Flow<'_> {
    fn from(answer: Option<Response>) -> Self {
        answer.map_or(Flow::Continue, Flow::Respond)
    }
}

/// The part of the exchange in which a plugin's `request` runs. Phases run in this order; within one, the larger
/// priority runs first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Before the caller is known: request ids, preflight answers, refusals by address.
    Receive,
    /// Finds out who calls, and sets `Exchange::identity`.
    Authenticate,
    /// Decides whether this caller may do this. From here on the consumer's own plugins take part.
    Access,
    /// Counts against quotas.
    Limit,
    /// Looks at what the request holds. Quotas have counted by then, so that looking costs no more than they allow.
    Validate,
    /// Changes what goes upstream.
    Rewrite,
    /// Only `finish` does anything: the plugin looks back at what has ended.
    Finish,
}

/// A plugin, built for one place.
pub trait Plugin: Send + Sync {
    /// Runs in the plugin's phase. May change the request, add to `Exchange::response_headers`, or answer. A worker has
    /// one thread, so whatever takes long happens elsewhere and is waited for.
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let _ = exchange;
        Flow::Continue
    }

    /// Headers in which a client presents its credential to this plugin. A tool call passes on only these.
    fn credential_headers(&self) -> &[HeaderName] {
        &[]
    }

    /// Query arguments in which a client presents its credential to this plugin, by their decoded names. A tool call
    /// passes on only these.
    fn credential_arguments(&self) -> &[String] {
        &[]
    }

    /// The operation whose shape requests are held against, by the id of its api and its own. There must be one.
    fn checked_operation(&self) -> Option<(&str, &str)> {
        None
    }

    /// Cookies in which a client presents its credential to this plugin, by name. A tool call has none.
    fn credential_cookies(&self) -> &[Arc<str>] {
        &[]
    }

    /// Whether the settings let go on to the upstream what stands in these places. Where a plugin authenticates, all
    /// else that could be a credential of the client's is withheld.
    fn shows_credentials(&self) -> bool {
        false
    }

    /// The plugins that this one tries in turn, where it stands for several.
    fn alternatives(&self) -> &[Arc<dyn Plugin>] {
        &[]
    }

    /// Headers in which this plugin alone tells the upstream of the caller. A client's own are taken off.
    fn told_headers(&self) -> &[HeaderName] {
        &[]
    }

    /// Runs once when the exchange has ended, whatever happened, also after an early answer.
    fn finish(&self, record: &Record) {
        let _ = record;
    }
}

/// Where a plugin is attached. Stable over swaps, so it keys what outlives them.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Place {
    GlobalRule(Arc<str>),
    Route(Arc<str>),
    Consumer(Arc<str>),
}

/// What a plugin may look at while it is built.
pub struct BuildContext<'a> {
    pub place: &'a Place,
    /// What outlives the snapshot.
    pub state: &'a Arc<State>,
    /// The groups that plugins have joined so far.
    pub groups: &'a Joining,
}

/// What is wrong with a plugin's configuration.
#[derive(Debug)]
pub struct Problem {
    /// JSON pointer from the configuration to the field; empty for the whole.
    pub pointer: String,
    /// A sentence that names the field too.
    pub why: String,
}

impl From<String> for Problem {
    fn from(why: String) -> Self {
        Self { pointer: String::new(), why }
    }
}

/// How a plugin's file makes the plugin.
pub trait Build: Plugin + Sized + 'static {
    /// As users write it; `deny_unknown_fields`; its JSON Schema is published.
    type Config: DeserializeOwned + schemars::JsonSchema;

    /// The error is a sentence that says what is wrong with the configuration and how to mend it.
    fn build(config: Self::Config, context: &BuildContext<'_>) -> Result<Self, String>;
}

/// One line of the table.
pub struct Entry {
    pub name: &'static str,
    /// APISIX's priority of the plugin.
    pub priority: i32,
    pub phase: Phase,
    /// Whether a consumer may have it too, at which it runs in the access phase.
    joins_late: bool,
    build: Builder,
    schema: fn() -> schemars::Schema,
}

type Builder = fn(&Value, &BuildContext<'_>) -> Result<Arc<dyn Plugin>, Problem>;

const fn entry<P: Build>(name: &'static str, priority: i32, phase: Phase) -> Entry {
    Entry { name, priority, phase, joins_late: false, build: build::<P>, schema: schema::<P> }
}

impl Entry {
    /// The same for a plugin that also says what one consumer may do.
    const fn also_of_consumers(self) -> Entry {
        Entry { joins_late: true, ..self }
    }
}

/// Every plugin of the engine.
pub static TABLE: &[Entry] = &[
    entry::<real_ip::RealIp>("real-ip", 23000, Phase::Receive),
    entry::<client_control::ClientControl>("client-control", 22000, Phase::Receive).also_of_consumers(),
    entry::<request_id::RequestId>("request-id", 12015, Phase::Receive),
    entry::<cors::Cors>("cors", 4000, Phase::Receive),
    entry::<ip_restriction::IpRestriction>("ip-restriction", 3000, Phase::Receive).also_of_consumers(),
    entry::<openai_egress::OpenaiEgress>("openai-egress", 3000, Phase::Receive).also_of_consumers(),
    entry::<ua_restriction::UaRestriction>("ua-restriction", 2999, Phase::Receive).also_of_consumers(),
    entry::<referer_restriction::RefererRestriction>("referer-restriction", 2990, Phase::Receive)
        .also_of_consumers(),
    entry::<uri_blocker::UriBlocker>("uri-blocker", 2900, Phase::Receive).also_of_consumers(),
    entry::<multi_auth::MultiAuth>("multi-auth", 2600, Phase::Authenticate),
    entry::<openid_connect::OpenidConnect>("openid-connect", 2599, Phase::Authenticate),
    entry::<mtls_auth::MtlsAuth>("mtls-auth", 2540, Phase::Authenticate),
    entry::<hmac_auth::HmacAuth>("hmac-auth", 2530, Phase::Authenticate),
    entry::<basic_auth::BasicAuth>("basic-auth", 2520, Phase::Authenticate),
    entry::<jwt_auth::JwtAuth>("jwt-auth", 2510, Phase::Authenticate),
    entry::<key_auth::KeyAuth>("key-auth", 2500, Phase::Authenticate),
    entry::<csrf::Csrf>("csrf", 2980, Phase::Access),
    entry::<acl::Acl>("acl", 2410, Phase::Access),
    entry::<consumer_restriction::ConsumerRestriction>("consumer-restriction", 2400, Phase::Access),
    entry::<forward_auth::ForwardAuth>("forward-auth", 2002, Phase::Access),
    entry::<opa::Opa>("opa", 2001, Phase::Access),
    entry::<request_validation::RequestValidation>("request-validation", 2800, Phase::Access),
    entry::<limit_count::LimitCount>("limit-count", 1002, Phase::Limit),
    entry::<oas_validator::OasValidator>("oas-validator", 510, Phase::Validate),
    entry::<proxy_rewrite::ProxyRewrite>("proxy-rewrite", 1008, Phase::Rewrite),
    entry::<upstream_credential::UpstreamCredential>("upstream-credential", 1007, Phase::Rewrite),
    entry::<prometheus::Prometheus>("prometheus", 500, Phase::Finish),
    #[cfg(test)]
    entry::<panicking::Panicking>("panicking", 0, Phase::Rewrite),
];

impl Entry {
    /// The table's line for `name`.
    pub fn find(name: &str) -> Option<&'static Entry> {
        TABLE.iter().find(|entry| entry.name == name)
    }

    /// The phase in which the plugin runs at `place`.
    pub fn phase_at(&self, place: &Place) -> Phase {
        match place {
            Place::Consumer(_) if self.joins_late => Phase::Access,
            _ => self.phase,
        }
    }

    /// Builds the plugin from its configuration. At a consumer, whose plugins take part once it is known, what would
    /// have run before is refused rather than left without effect.
    pub fn build(&self, config: &Value, context: &BuildContext<'_>) -> Result<Arc<dyn Plugin>, Problem> {
        if matches!(context.place, Place::Consumer(_)) && self.phase_at(context.place) < Phase::Access {
            let name = self.name;
            let why = format!(
                "{name} runs before the consumer is known, so it cannot be a consumer's; put it on a route, a service, \
                 an api or a global rule"
            );
            return Err(why.into());
        }
        (self.build)(config, context)
    }
}

fn build<P: Build>(config: &Value, context: &BuildContext<'_>) -> Result<Arc<dyn Plugin>, Problem> {
    let config: P::Config = serde_path_to_error::deserialize(config).map_err(misfit)?;
    Ok(Arc::new(P::build(config, context)?))
}

/// Says which field it was that serde could not read.
fn misfit(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let pointer = pointer_to(error.path());
    let why = match pointer.is_empty() {
        true => error.inner().to_string(),
        false => format!("{}: {}", error.path(), error.inner()),
    };
    Problem { pointer, why }
}

fn schema<P: Build>() -> schemars::Schema {
    schemars::SchemaGenerator::default().into_root_schema_for::<P::Config>()
}

/// The JSON Schemas of all plugins: `{name: {"priority", "schema"}}`.
pub fn schemas() -> Value {
    TABLE
        .iter()
        .map(|entry| {
            let line = serde_json::json!({"priority": entry.priority, "schema": (entry.schema)()});
            (entry.name.to_owned(), line)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_described(schema: &Value, at: &str) {
        match schema {
            Value::Object(members) => {
                for (name, property) in
                    members.get("properties").and_then(Value::as_object).into_iter().flatten()
                {
                    let is_described =
                        property.get("description").is_some() || property.get("$ref").is_some();
                    assert!(is_described, "{at}/{name} has no description");
                }
                members.iter().for_each(|(name, member)| assert_described(member, &format!("{at}/{name}")));
            }
            Value::Array(items) => items.iter().for_each(|item| assert_described(item, at)),
            _ => {}
        }
    }

    #[test]
    fn every_setting_of_every_plugin_is_described() {
        for (name, line) in schemas().as_object().unwrap() {
            let schema = line.get("schema").unwrap();
            assert!(schema.get("description").is_some(), "{name} has no description");
            assert_eq!(schema.get("additionalProperties"), Some(&Value::Bool(false)), "{name}");
            assert_described(schema, name);
        }
    }
}
