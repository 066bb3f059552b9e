//! `upstream-credential`: what the gateway shows the upstream. Not of Apache APISIX.
//!
//! The client's own credential stays with the gateway ([`crate::exchange`]); here one of the gateway's takes its place:
//! fixed texts ([`fixed`]), or a token that the gateway gets for itself or in exchange for the caller's ([`oauth2`]).
//! The allow-list lets headers of the client's through all the same. Runs after `proxy-rewrite`, which therefore cannot
//! undo it.

mod assertion;
mod fixed;
mod oauth2;
mod token_server;

pub use token_server::Grant;

use super::secret::Secret;
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::http::headers::is_of_connection;
use ::http::HeaderName;
use ::http::header::{AUTHORIZATION, COOKIE, HOST};
use fixed::Fixed;
use oauth2::{OAuth2, OAuth2Config};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

/// Shows the upstream a credential of the gateway's own, and lets named headers of the client's through.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Headers and what stands in them, in place of the client's.
    header: BTreeMap<String, Secret>,
    /// A token for `Authorization: Bearer` (RFC 6750).
    bearer: Option<Secret>,
    /// Username and password for `Authorization: Basic` (RFC 7617).
    basic: Option<Account>,
    /// Query arguments and what stands in them, in place of the client's.
    query: BTreeMap<String, Secret>,
    /// Cookies and what stands in them, in place of the client's.
    cookie: BTreeMap<String, Secret>,
    /// A token of an authorization server for `Authorization: Bearer`, kept until shortly before it expires.
    oauth2: Option<OAuth2Config>,
    /// Headers that go on to the upstream as the client has sent them, though they may hold its credential.
    pass_through: Vec<String>,
}

/// Username and password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The username, without a colon.
    username: String,
    /// The password.
    password: Secret,
}

/// The plugin.
pub struct UpstreamCredential {
    fixed: Fixed,
    oauth2: Option<OAuth2>,
    pass_through: Vec<HeaderName>,
}

impl Build for UpstreamCredential {
    type Config = Config;

    fn build(config: Config, context: &BuildContext<'_>) -> Result<Self, String> {
        let pass_through = config.pass_through.iter().map(|name| header_name("pass_through", name));
        let pass_through = pass_through.collect::<Result<Vec<_>, _>>()?;
        let fixed = Fixed::build(&config)?;
        let oauth2 = config.oauth2.map(|config| OAuth2::build(config, context.state)).transpose()?;
        let mut seen = HashSet::new();
        for name in fixed.headers().chain(oauth2.iter().map(|_| &AUTHORIZATION)) {
            if pass_through.contains(name) {
                return Err(format!("pass_through: {name} cannot both be set and be the client's"));
            }
            match seen.insert(name) {
                true => {}
                false if name == AUTHORIZATION => {
                    return Err("expected one of bearer, basic, oauth2 and the header Authorization".into());
                }
                false => return Err(format!("header: {name} comes twice")),
            }
        }
        if fixed.is_empty() && oauth2.is_none() && pass_through.is_empty() {
            return Err(
                "expected one of header, bearer, basic, query, cookie, oauth2 and pass_through".into()
            );
        }
        Ok(Self { fixed, oauth2, pass_through })
    }
}

impl Plugin for UpstreamCredential {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        exchange.withheld.retain(|name| !self.pass_through.contains(name));
        self.fixed.apply(exchange);
        match &self.oauth2 {
            None => Flow::Continue,
            Some(oauth2) => oauth2.show(exchange),
        }
    }

    /// The client's headers that a tool call has to pass on, since the upstream gets them.
    fn credential_headers(&self) -> &[HeaderName] {
        &self.pass_through
    }
}

/// A header of a message that `field` may name.
fn header_name(field: &str, name: &str) -> Result<HeaderName, String> {
    let parsed: HeaderName =
        name.parse().map_err(|_| format!("{field}: {name:?} is not a valid header name"))?;
    if is_of_connection(&parsed) || parsed == HOST {
        return Err(format!("{field}: {name:?} cannot carry a credential, because HTTP itself uses it"));
    }
    if parsed == COOKIE && field == "header" {
        return Err("header: use cookie for cookies".into());
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests;
