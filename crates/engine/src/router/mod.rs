//! The router: from host and path to the routes that match, in the order in which they are to be tried.
//!
//! It owns hosts and path patterns with the meaning of Apache APISIX's `radixtree_host_uri`; methods, variables and
//! every other predicate are the caller's, asked of each candidate through `accept`. It is built once a snapshot and
//! then only read. Paths come as `http::path::normalise` spells them, hosts without port.
//!
//! Order: exact host, `*.` hosts from the longest, any host. Within one of these: the exact path, then the longest
//! literal prefix, the larger priority, the more precise pattern, the earlier insertion.

mod hosts;
mod pattern;
#[cfg(test)]
mod tests;
mod tree;

pub use pattern::{MAXIMUM_SEGMENTS, PatternError};

use hosts::{HostPattern, Hosts};
use pattern::Pattern;
use std::collections::HashMap;
use tree::{Draft, Tree};

/// Collects routes for a [`Router`]. `T` is what a match yields, such as an index; it is kept once per host and path.
pub struct RouterBuilder<T> {
    drafts: HashMap<HostPattern, Vec<Draft<T>>>,
    sequence: usize,
}

impl<T: Clone> RouterBuilder<T> {
    pub fn new() -> Self {
        Self { drafts: HashMap::new(), sequence: 0 }
    }

    /// Adds `value` under every one of `hosts` (none: any host) and `uris`.
    ///
    /// Among patterns with the same literal prefix, and among equal paths, the larger `priority` is tried first.
    ///
    /// # Errors
    /// The first host or pattern that cannot be read; nothing is then added.
    pub fn insert(
        &mut self,
        hosts: &[String],
        uris: &[String],
        priority: i64,
        value: T,
    ) -> Result<(), PatternError> {
        if uris.is_empty() {
            return Err(PatternError::Missing);
        }
        let patterns = uris.iter().map(|uri| Pattern::parse(uri)).collect::<Result<Vec<_>, _>>()?;
        let mut groups = hosts.iter().map(|host| HostPattern::parse(host)).collect::<Result<Vec<_>, _>>()?;
        if groups.is_empty() {
            groups.push(HostPattern::Any);
        }
        for group in groups {
            let drafts = self.drafts.entry(group).or_default();
            for pattern in &patterns {
                let order = pattern.order(priority, self.sequence);
                drafts.push(Draft { pattern: pattern.clone(), order, value: value.clone() });
            }
        }
        self.sequence += 1;
        Ok(())
    }

    /// The router of all that was inserted.
    pub fn build(self) -> Router<T> {
        let trees = self.drafts.into_iter().map(|(host, drafts)| (host, Tree::build(drafts)));
        Router { hosts: Hosts::new(trees) }
    }
}

impl<T: Clone> Default for RouterBuilder<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Finds the value for a host and path; see the module for the order.
pub struct Router<T> {
    hosts: Hosts<Tree<T>>,
}

impl<T> Router<T> {
    /// The first match that `accept` takes.
    ///
    /// `host` is a request's host in any case without port, empty if it has none; `path` its normalised path without
    /// query. `accept` is asked for one candidate after the other, for one value again if several of its patterns
    /// match. Nothing is allocated unless more than 32 different patterns match.
    pub fn find<'r>(&'r self, host: &str, path: &str, mut accept: impl FnMut(&T) -> bool) -> Option<&'r T> {
        self.hosts.find_map(host, |tree| tree.find(path, &mut accept))
    }

    /// How many nodes the search for `path` visits in the groups of `host`.
    #[cfg(test)]
    fn visited(&self, host: &str, path: &str) -> usize {
        let mut visited = 0;
        let none: Option<()> = self.hosts.find_map(host, |tree| {
            visited += tree.visited(path);
            None
        });
        debug_assert!(none.is_none());
        visited
    }
}
