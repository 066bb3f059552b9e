//! Credentials that stand in the configuration: written once when the plugin is built, put into requests many times.

use super::{Account, Config, header_name};
use crate::exchange::Exchange;
use crate::plugins::secret::Secret;
use ::http::header::AUTHORIZATION;
use ::http::{HeaderName, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is encoded of names and values in a query or form: all but unreserved characters (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Headers, query arguments and cookies, ready to be put into a request.
#[derive(Default)]
pub struct Fixed {
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Name, and name and value as they stand in a query.
    arguments: Vec<(String, String)>,
    /// Name, and name and value as they stand in a Cookie header.
    cookies: Vec<(String, HeaderValue)>,
}

impl Fixed {
    /// Checks names and values. The error does not show a value.
    pub fn build(config: &Config) -> Result<Self, String> {
        let mut fixed = Self::default();
        for (name, secret) in &config.header {
            let value = sensitive(secret.reveal());
            let value =
                value.ok_or_else(|| format!("header: what stands in {name:?} cannot stand in a header"))?;
            fixed.headers.push((header_name("header", name)?, value));
        }
        if let Some(token) = &config.bearer {
            fixed.headers.push((AUTHORIZATION, bearer(token.reveal()).ok_or("bearer: this is not a token")?));
        }
        if let Some(account) = &config.basic {
            fixed.headers.push((AUTHORIZATION, basic(account)?));
        }
        for (name, secret) in &config.query {
            if name.is_empty() {
                return Err("query: expected a name".into());
            }
            fixed.arguments.push((name.clone(), pair(name, secret.reveal())));
        }
        for (name, secret) in &config.cookie {
            fixed.cookies.push((name.clone(), cookie(name, secret)?));
        }
        Ok(fixed)
    }

    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.arguments.is_empty() && self.cookies.is_empty()
    }

    /// The headers that are set.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().map(|(name, _)| name)
    }

    pub fn apply(&self, exchange: &mut Exchange) {
        for (name, value) in &self.headers {
            exchange.put_header(name, value.clone());
        }
        for (name, pair) in &self.arguments {
            exchange.put_argument(name, pair);
        }
        for (name, pair) in &self.cookies {
            exchange.put_cookie(name, pair);
        }
    }
}

/// Name and value as they stand in a query or a form.
pub fn pair(name: &str, value: &str) -> String {
    format!("{}={}", encoded(name), encoded(value))
}

/// A text as it stands in a query or a form.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// `Bearer` with the token, where it is one (RFC 6750 section 2.1, read generously).
pub fn bearer(token: &str) -> Option<HeaderValue> {
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token { sensitive(&format!("Bearer {token}")) } else { None }
}

/// A value that HPACK keeps out of its tables (RFC 7541 section 7.1.3); none where no header can have it.
pub fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok().filter(|_| text.trim() == text)?;
    value.set_sensitive(true);
    Some(value)
}

fn basic(account: &Account) -> Result<HeaderValue, String> {
    let (username, password) = (&account.username, account.password.reveal());
    if username.is_empty() || username.contains(':') || username.chars().any(char::is_control) {
        return Err("basic: username: expected a text without colons and control characters".into());
    }
    if password.chars().any(char::is_control) {
        return Err("basic: password: expected a text without control characters".into());
    }
    let encoded = BASE64_STANDARD.encode(format!("{username}:{password}"));
    sensitive(&format!("Basic {encoded}")).ok_or_else(|| "basic: this cannot stand in a header".into())
}

/// Name and value by RFC 6265 section 4.1.1.
fn cookie(name: &str, secret: &Secret) -> Result<HeaderValue, String> {
    let is_name = HeaderName::try_from(name).is_ok();
    if !is_name {
        return Err(format!("cookie: {name:?} is not a valid name of a cookie"));
    }
    let value = secret.reveal();
    let is_value = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
    let pair = Some(value).filter(|value| value.bytes().all(is_value));
    pair.and_then(|value| sensitive(&format!("{name}={value}")))
        .ok_or_else(|| format!("cookie: what stands in {name:?} cannot stand in a cookie"))
}
