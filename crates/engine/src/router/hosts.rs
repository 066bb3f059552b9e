//! Hosts: which groups of routes a request's host opens, and in which order.
//!
//! The exact name comes first, then `*.` names from the longest to the shortest, then the routes without host. Names
//! compare without case and without a final dot, the root of DNS, which would otherwise be a way around a host's
//! routes. The port is taken off before.

use super::pattern::PatternError;
use crate::table::{Table, Text};
use smallvec::SmallVec;
use std::sync::Arc;

/// The longest host that can match; RFC 1035 section 2.3.4 allows no longer name.
const MAXIMUM_HOST: usize = 255;

/// What a group of routes asks of the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum HostPattern {
    Any,
    Exact(Box<[u8]>),
    /// One or more labels before this name.
    Wildcard(Box<[u8]>),
}

impl HostPattern {
    /// Reads a host of a route: a name, an address (IPv6 in brackets) or `*.` and a name.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (name, is_wildcard) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_address = !is_wildcard && name.starts_with('[') && name.ends_with(']');
        let is_proper = |byte: u8| match byte {
            b'-' | b'.' | b'_' => true,
            b'[' | b']' | b':' => is_address,
            byte => byte.is_ascii_alphanumeric(),
        };
        let is_name = name.bytes().all(is_proper) && !name.starts_with('.') && !name.contains("..");
        if name.is_empty() || name.len() > MAXIMUM_HOST || !is_name {
            return Err(PatternError::Host(text.to_owned()));
        }
        let name = name.to_ascii_lowercase().into_bytes().into_boxed_slice();
        Ok(if is_wildcard { Self::Wildcard(name) } else { Self::Exact(name) })
    }
}

/// Groups by host.
#[derive(Clone)]
pub(super) struct Hosts<G> {
    exact: Table<Arc<Text<G>>>,
    wildcard: Table<Arc<Text<G>>>,
    any: Option<Arc<G>>,
}

impl<G> Default for Hosts<G> {
    fn default() -> Self {
        Self { exact: Table::default(), wildcard: Table::default(), any: None }
    }
}

impl<G: Clone + Default> Hosts<G> {
    /// The group of `pattern`, to be changed, made where there is none.
    pub fn group(&mut self, pattern: &HostPattern) -> &mut G {
        match pattern {
            HostPattern::Any => Arc::make_mut(self.any.get_or_insert_default()),
            HostPattern::Exact(name) => self.exact.under(name),
            HostPattern::Wildcard(name) => self.wildcard.under(name),
        }
    }

    /// Changes the group of `pattern`, where there is one; it is dropped where `change` says that nothing is left.
    pub fn change(&mut self, pattern: &HostPattern, change: impl FnOnce(&mut G) -> bool) {
        match pattern {
            HostPattern::Any => {
                if self.any.as_mut().is_some_and(|group| change(Arc::make_mut(group))) {
                    self.any = None;
                }
            }
            HostPattern::Exact(name) => self.exact.change(name, change),
            HostPattern::Wildcard(name) => self.wildcard.change(name, change),
        }
    }
}

impl<G> Hosts<G> {
    /// The first answer of the groups that `host` opens, asked in their order.
    pub fn find_map<'h, A>(&'h self, host: &str, mut ask: impl FnMut(&'h G) -> Option<A>) -> Option<A> {
        if !self.exact.is_empty() || !self.wildcard.is_empty() {
            let host = host.strip_suffix('.').unwrap_or(host);
            if host.len() <= MAXIMUM_HOST
                && let Some(answer) = self.find_named(host, &mut ask)
            {
                return Some(answer);
            }
        }
        self.any.as_deref().and_then(ask)
    }

    fn find_named<'h, A>(&'h self, host: &str, ask: &mut impl FnMut(&'h G) -> Option<A>) -> Option<A> {
        let mut name: SmallVec<[u8; MAXIMUM_HOST]> = SmallVec::from_slice(host.as_bytes());
        name.make_ascii_lowercase();
        if let Some(answer) = self.exact.get(&name).and_then(|group| ask(&group.value)) {
            return Some(answer);
        }
        if self.wildcard.is_empty() {
            return None;
        }
        let dots = name.iter().enumerate().filter(|(at, byte)| *at > 0 && **byte == b'.');
        // From the left, so the longest name comes first.
        dots.filter_map(|(at, _)| self.wildcard.get(name.get(at + 1..)?)).find_map(|group| ask(&group.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_addresses_and_wildcards() {
        let exact = |name: &[u8]| Ok(HostPattern::Exact(name.into()));
        assert_eq!(HostPattern::parse("API.example.com."), exact(b"api.example.com"));
        assert_eq!(HostPattern::parse("127.0.0.1"), exact(b"127.0.0.1"));
        assert_eq!(HostPattern::parse("[::1]"), exact(b"[::1]"));
        assert_eq!(HostPattern::parse("*.Example.com"), Ok(HostPattern::Wildcard((*b"example.com").into())));
    }

    #[test]
    fn refuses_hosts_that_no_request_can_have() {
        let long = "a".repeat(MAXIMUM_HOST + 1);
        for text in [
            "",
            "*",
            "*.",
            "a.*.com",
            "*a.com",
            "a.com:80",
            "https://a.com",
            "a/b",
            ".a",
            "a..b",
            "é.com",
            "*.[::1]",
            &long,
        ] {
            assert_eq!(HostPattern::parse(text), Err(PatternError::Host(text.to_owned())), "{text}");
        }
    }
}
