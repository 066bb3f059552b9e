//! The query of the request, which a plugin may change: an API key that stands in it must not go upstream.

use super::Exchange;
use ::http::Uri;
use ::http::uri::PathAndQuery;

impl Exchange {
    /// Notes arguments (encoded, joined by `&`) that the upstream does not get. Plugins and tool calls still see them.
    pub fn withhold_query(&mut self, arguments: &str) {
        if !self.withheld_query.is_empty() {
            self.withheld_query.push('&');
        }
        self.withheld_query.push_str(arguments);
    }

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
}
