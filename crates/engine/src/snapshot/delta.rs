//! A delta: what changes from one generation to the next, entry by entry.

use super::{Gateway, Snapshot};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The kinds of entries, in the order in which they can be built: each needs only what stands before it, but that apps
/// and routes need each other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    Upstreams,
    Consumers,
    Apps,
    Apis,
    Routes,
    GlobalRules,
    Ssls,
}

/// Entries that stay as they are in neither list. The document is read entry by entry, so that each problem has its place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delta<'a> {
    /// Must be [`super::VERSION`].
    pub version: u32,
    /// All settings anew; absent: they stay.
    #[serde(default)]
    pub gateway: Option<Gateway>,
    /// What comes, or takes the place of what has its id. Replaced routes and rules keep their turn, new ones are last.
    #[serde(borrow, default)]
    pub put: Entries<'a>,
    /// Ids of what goes; what is not there is gone already. What stands in `put` too comes anew, as the last of its kind.
    #[serde(default)]
    pub remove: Removals,
}

/// Entries as they stand in the document.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Entries<'a> {
    #[serde(borrow)]
    pub upstreams: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub routes: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub consumers: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub global_rules: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub apps: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub apis: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub ssls: Vec<&'a RawValue>,
}

/// Ids, and usernames of consumers.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Removals {
    pub upstreams: Vec<String>,
    pub routes: Vec<String>,
    pub consumers: Vec<String>,
    pub global_rules: Vec<String>,
    pub apps: Vec<String>,
    pub apis: Vec<String>,
    pub ssls: Vec<String>,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Upstreams,
        Self::Consumers,
        Self::Apps,
        Self::Apis,
        Self::Routes,
        Self::GlobalRules,
        Self::Ssls,
    ];

    /// The name of the kind's list in documents.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Upstreams => "upstreams",
            Self::Consumers => "consumers",
            Self::Apps => "apps",
            Self::Apis => "apis",
            Self::Routes => "routes",
            Self::GlobalRules => "global_rules",
            Self::Ssls => "ssls",
        }
    }

    /// The field that tells one entry from another.
    pub const fn id_field(self) -> &'static str {
        match self {
            Self::Consumers => "username",
            _ => "id",
        }
    }

    /// The id of an entry; none where it cannot be read.
    pub fn id_of(self, entry: &RawValue) -> Option<Cow<'_, str>> {
        #[derive(Deserialize)]
        struct Id<'a> {
            #[serde(borrow, alias = "username")]
            id: Cow<'a, str>,
        }
        serde_json::from_str(entry.get()).ok().map(|Id { id }| id)
    }
}

impl<'a> Entries<'a> {
    pub fn of(&self, kind: Kind) -> &[&'a RawValue] {
        match kind {
            Kind::Upstreams => &self.upstreams,
            Kind::Consumers => &self.consumers,
            Kind::Apps => &self.apps,
            Kind::Apis => &self.apis,
            Kind::Routes => &self.routes,
            Kind::GlobalRules => &self.global_rules,
            Kind::Ssls => &self.ssls,
        }
    }
}

impl Removals {
    pub fn of(&self, kind: Kind) -> &[String] {
        match kind {
            Kind::Upstreams => &self.upstreams,
            Kind::Consumers => &self.consumers,
            Kind::Apps => &self.apps,
            Kind::Apis => &self.apis,
            Kind::Routes => &self.routes,
            Kind::GlobalRules => &self.global_rules,
            Kind::Ssls => &self.ssls,
        }
    }
}

impl<'a> From<Snapshot<'a>> for Delta<'a> {
    /// A snapshot is a delta onto nothing.
    fn from(snapshot: Snapshot<'a>) -> Self {
        let Snapshot { version, gateway, upstreams, routes, consumers, global_rules, apps, apis, ssls } =
            snapshot;
        Self {
            version,
            gateway: Some(gateway),
            put: Entries { upstreams, routes, consumers, global_rules, apps, apis, ssls },
            remove: Removals::default(),
        }
    }
}
