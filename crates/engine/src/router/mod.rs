//! The router: from host and path to the routes that match, in the order in which they are to be tried.
//!
//! It owns hosts and path patterns with the meaning of Apache APISIX's `radixtree_host_uri`; methods, variables and
//! every other predicate are the caller's, asked of each candidate through `accept`. Paths come as
//! `http::path::normalise` spells them, hosts without port. Copies share what is alike: one is changed while another is
//! read, and a change costs what it touches.
//!
//! Order: exact host, `*.` hosts from the longest, any host. Within one of these: the exact path, then the longest
//! literal prefix, the larger priority, the more precise pattern, the turn.

mod hosts;
mod pattern;
#[cfg(test)]
mod tests;
mod tree;
mod values;

pub use pattern::{MAXIMUM_SEGMENTS, PatternError};
pub use values::Turn;

use hosts::{HostPattern, Hosts};
use pattern::Pattern;
use tree::Tree;

/// Finds the value for a host and path; see the module for the order. `T` is what a match yields; it is kept once per
/// host and path.
#[derive(Clone)]
pub struct Router<T> {
    hosts: Hosts<Tree<T>>,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { hosts: Hosts::default() }
    }
}

impl<T: Clone> Router<T> {
    /// Adds `value` under every one of `hosts` (none: any host) and `uris`.
    ///
    /// # Errors
    /// The first host or pattern that cannot be read; nothing is then added.
    pub fn insert<S: AsRef<str>>(
        &mut self,
        hosts: &[S],
        uris: &[S],
        turn: Turn,
        value: &T,
    ) -> Result<(), PatternError> {
        let (hosts, patterns) = read(hosts, uris)?;
        for host in &hosts {
            let tree = self.hosts.group(host);
            for pattern in &patterns {
                tree.insert(pattern, turn, value.clone());
            }
        }
        Ok(())
    }

    /// Takes out what was inserted under `hosts` and `uris` at this turn.
    pub fn remove<S: AsRef<str>>(&mut self, hosts: &[S], uris: &[S], turn: Turn) {
        // What cannot be read was not inserted.
        let Ok((hosts, patterns)) = read(hosts, uris) else {
            return;
        };
        for host in &hosts {
            self.hosts.change(host, |tree| {
                patterns.iter().for_each(|pattern| tree.remove(pattern, turn));
                tree.is_empty()
            });
        }
    }
}

fn read<S: AsRef<str>>(hosts: &[S], uris: &[S]) -> Result<(Vec<HostPattern>, Vec<Pattern>), PatternError> {
    if uris.is_empty() {
        return Err(PatternError::Missing);
    }
    let patterns = uris.iter().map(|uri| Pattern::parse(uri.as_ref())).collect::<Result<_, _>>()?;
    let mut groups =
        hosts.iter().map(|host| HostPattern::parse(host.as_ref())).collect::<Result<Vec<_>, _>>()?;
    if groups.is_empty() {
        groups.push(HostPattern::Any);
    }
    Ok((groups, patterns))
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
