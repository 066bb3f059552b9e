//! The query of the request, which plugins change: a client's API key that stands in it must not go upstream, and one of
//! the gateway's own may have to.

use super::Exchange;
use crate::variable::{arguments, decodes_to};
use ::http::Uri;
use ::http::uri::PathAndQuery;

impl Exchange {
    /// Puts `query` (encoded, without `?`) in place of the request's; empty: none. What cannot stand in a URI leaves
    /// the request without a query.
    pub fn set_query(&mut self, query: &str) {
        let path = self.request.uri.path();
        let whole = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let changed = PathAndQuery::try_from(whole).or_else(|_| path.parse());
        let mut parts = std::mem::take(&mut self.request.uri).into_parts();
        parts.path_and_query = changed.ok();
        self.request.uri = Uri::from_parts(parts).unwrap_or_default();
    }

    /// Keeps the query argument `wanted` from the upstream, however often it comes. Tool calls still see it.
    pub(super) fn withhold_argument(&mut self, wanted: &str) {
        let Some(query) = self.request.uri.query() else {
            return;
        };
        if !arguments(query).any(|(name, _)| decodes_to(name, wanted)) {
            return;
        }
        let (hidden, kept): (Vec<_>, Vec<_>) = query.split('&').partition(|part| is_argument(part, wanted));
        let (hidden, kept) = (hidden.join("&"), kept.join("&"));
        if !self.withheld_query.is_empty() {
            self.withheld_query.push('&');
        }
        self.withheld_query.push_str(&hidden);
        self.set_query(&kept);
    }

    /// Puts a query argument of the gateway's own in place of the client's, whichever plugin has made the query. `pair`
    /// is name and value, encoded.
    pub fn put_argument(&mut self, name: &str, pair: &str) {
        let with = |query: Option<&str>| {
            let parts = query.unwrap_or_default().split('&');
            let kept = parts.filter(|part| !part.is_empty() && !is_argument(part, name));
            kept.chain([pair]).collect::<Vec<_>>().join("&")
        };
        let Some(rewritten) = &self.rewrite.uri else {
            let query = with(self.request.uri.query());
            return self.set_query(&query);
        };
        let text = format!("{}?{}", rewritten.path(), with(rewritten.query()));
        if let Ok(changed) = PathAndQuery::try_from(text) {
            self.rewrite.uri = Some(changed);
        }
    }
}

/// Whether a part of a query is the argument `wanted`.
fn is_argument(part: &str, wanted: &str) -> bool {
    arguments(part).any(|(name, _)| decodes_to(name, wanted))
}
