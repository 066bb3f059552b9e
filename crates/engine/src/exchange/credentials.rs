//! Credentials on their way: what a client shows the gateway stays here, and what the gateway shows the upstream takes
//! its place.
//!
//! Where plugins find out who calls, nothing goes on of what stands in the places where they look, nor in those where
//! clients put keys by custom, unless a plugin's settings say so. Where none does, the request is the upstream's affair, and
//! only what is known to be a consumer's key stays.

use super::Exchange;
use crate::generation::Target;
use crate::http::headers::{remove_cookie, strip_alike};
use crate::plugins::{Chain, Grant, Plugin, after_scheme};
use ::http::header::{AUTHORIZATION, COOKIE};
use ::http::{HeaderName, HeaderValue, StatusCode};
use aws_lc_rs::digest::{SHA256, digest};

/// Where clients put keys by custom.
static CUSTOMARY: [HeaderName; 3] =
    [HeaderName::from_static("apikey"), HeaderName::from_static("x-api-key"), AUTHORIZATION];

impl Exchange {
    /// Withholds the client's own credentials where the request goes to an upstream. Runs when `chains` know who calls and
    /// before anything is put into their place.
    pub(super) fn withhold_credentials(&mut self, chains: [Option<&Chain>; 2]) {
        if let Some(Target::Upstream { .. }) = self.route.as_ref().map(|route| &route.target) {
            self.withhold(chains);
        }
    }

    pub(crate) fn withhold(&mut self, chains: [Option<&Chain>; 2]) {
        let guards = || chains.into_iter().flatten().flat_map(Chain::guards);
        if guards().next().is_none() {
            return self.withhold_stray_keys();
        }
        let shown = || guards().filter(|guard| guard.shows_credentials());
        let hidden = || guards().filter(|guard| !guard.shows_credentials());
        let headers = hidden().flat_map(Plugin::credential_headers);
        for name in CUSTOMARY.iter().chain(headers) {
            let is_here = self.request.headers.contains_key(name) && !self.withheld.contains(name);
            let goes_on = |guard: &dyn Plugin| {
                let is_shown = guard.shows_credentials() && guard.credential_headers().contains(name);
                is_shown || guard.told_headers().contains(name)
            };
            if is_here && !guards().any(goes_on) {
                self.withheld.push(name.clone());
            }
        }
        for argument in hidden().flat_map(Plugin::credential_arguments) {
            if !shown().any(|guard| guard.credential_arguments().contains(argument)) {
                self.withhold_argument(argument);
            }
        }
        if !self.request.headers.contains_key(COOKIE) {
            return;
        }
        for cookie in hidden().flat_map(Plugin::credential_cookies) {
            if !shown().any(|guard| guard.credential_cookies().contains(cookie)) {
                self.withheld_cookies.push(cookie.clone());
            }
        }
    }

    /// Withholds customary headers that carry a known key. A client that sends its key with every request shall not hand
    /// it to upstreams that did not ask for it.
    fn withhold_stray_keys(&mut self) {
        if !self.generation.consumers.have_keys() {
            return;
        }
        for name in &CUSTOMARY {
            if self.request.headers.contains_key(name) && self.has_known_key(name) {
                self.withheld.push(name.clone());
            }
        }
    }

    fn has_known_key(&self, name: &HeaderName) -> bool {
        self.request.headers.get_all(name).iter().any(|value| {
            let key = after_scheme(value.as_bytes(), "Bearer").unwrap_or(value.as_bytes());
            let digest = digest(&SHA256, key);
            digest.as_ref().try_into().is_ok_and(|digest| self.generation.consumers.by_key(digest).is_some())
        })
    }

    /// Has the token replaced that the upstream has answered `status` to, where that means that it does not take it.
    pub(super) fn heed_refusal(&self, status: StatusCode) {
        if let Some(Grant::Token(token)) = self.upstream_grant.as_deref()
            && status == StatusCode::UNAUTHORIZED
        {
            token.refuse();
        }
    }

    /// Puts a header of the gateway's own in place of the client's, and of what CGI could not tell from it.
    pub fn put_header(&mut self, name: &HeaderName, value: HeaderValue) {
        self.withheld.retain(|withheld| withheld != name);
        strip_alike(&mut self.request.headers, std::slice::from_ref(name));
        self.request.headers.insert(name, value);
    }

    /// Puts a cookie of the gateway's own in place of the client's. `pair` is name and value.
    pub fn put_cookie(&mut self, name: &str, pair: &HeaderValue) {
        self.withheld_cookies.retain(|withheld| **withheld != *name);
        let headers = &mut self.request.headers;
        remove_cookie(headers, name);
        // One line, since HTTP/1.1 allows no more (RFC 6265 section 5.4).
        let mut line = Vec::new();
        for value in headers.get_all(COOKIE) {
            line.extend_from_slice(value.as_bytes());
            line.extend_from_slice(b"; ");
        }
        line.extend_from_slice(pair.as_bytes());
        if let Ok(mut value) = HeaderValue::from_bytes(&line) {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::exchange::Exchange;
    use crate::plugins::testing::{Bench, get};
    use http::HeaderName;
    use serde_json::{Value, json};

    fn let_in(plugins: Value, request: http::request::Builder) -> Exchange {
        let bench = Bench::new(plugins);
        let mut exchange = bench.exchange(request);
        assert!(bench.run(&mut exchange).is_none());
        exchange
    }

    #[test]
    fn a_known_key_is_withheld_where_no_plugin_takes_it() {
        for (name, value, is_withheld) in [
            ("apikey", "alice-key", true),
            ("x-api-key", "alice-key", true),
            ("authorization", "Bearer alice-key", true),
            ("authorization", "alice-key", true),
            ("apikey", "nobodys-key", false),
            ("authorization", "Basic alice-key", false),
            ("authorization", "Bearer of-the-upstream", false),
            ("x-other", "alice-key", false),
        ] {
            let exchange = let_in(json!({}), get("/").header(name, value));
            let name: HeaderName = name.parse().unwrap();
            assert_eq!(exchange.withheld.contains(&name), is_withheld, "{name}: {value}");
        }
    }

    #[test]
    fn nothing_in_a_customary_place_goes_on_where_a_plugin_authenticates() {
        let request = get("/")
            .header("apikey", "alice-key")
            .header("x-api-key", "nobodys-key")
            .header("authorization", "Bearer of-the-client");
        let exchange = let_in(json!({"key-auth": {}}), request);
        assert_eq!(exchange.withheld[..], ["apikey", "x-api-key", "authorization"]);
        let exchange = let_in(json!({"key-auth": {}}), get("/").header("apikey", "alice-key"));
        assert_eq!(exchange.withheld[..], ["apikey"], "what is not there need not be withheld");
    }

    #[test]
    fn what_a_plugin_shows_goes_on_and_nothing_else_does() {
        let request =
            get("/?apikey=alice-key&a=1").header("apikey", "alice-key").header("x-api-key", "bob-key");
        let exchange = let_in(json!({"key-auth": {"hide_credentials": false}}), request);
        assert_eq!(exchange.withheld[..], ["x-api-key"]);
        assert_eq!(exchange.request.uri, "/?apikey=alice-key&a=1");
    }

    #[test]
    fn of_several_plugins_all_places_are_withheld_whichever_has_let_in() {
        let plugins = json!([{"key-auth": {"header": "x-key", "query": "k"}}, {"jwt-auth": {}}]);
        let request = get("/?jwt=t&a=1&k=x").header("x-key", "alice-key").header("cookie", "jwt=t; b=2");
        let exchange = let_in(json!({"multi-auth": {"auth_plugins": plugins}}), request);
        assert_eq!(exchange.withheld[..], ["x-key"]);
        assert_eq!(exchange.withheld_cookies[..], ["jwt".into()]);
        assert_eq!(
            (exchange.request.uri, exchange.withheld_query.as_str()),
            ("/?a=1".parse().unwrap(), "k=x&jwt=t")
        );
    }
}
