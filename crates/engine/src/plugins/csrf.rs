//! `csrf`: protects what browsers send with cookies from forged requests (double submit of a signed token).
//!
//! Fields, statuses, messages and the form of the token are Apache APISIX's. Every answer brings a new token in a cookie,
//! which pages of this site can read and others cannot; who sends anything but GET, HEAD or OPTIONS repeats it in a header. A
//! tool call carries no cookies, and the endpoint that it comes through checks `Origin`, so nothing is asked of it.

use super::entrance::{Presented, presented};
use super::restriction::Refusal;
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::variable::cookie;
use ::http::header::SET_COOKIE;
use ::http::{HeaderName, HeaderValue, Method};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The most bytes of a token that are looked at.
const LONGEST_TOKEN: usize = 512;

/// Protects what browsers send with cookies from forged requests.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The secret by which tokens are signed. Places with the same one take each other's tokens.
    #[schemars(length(min = 1), extend("writeOnly" = true))]
    key: String,
    /// For how many seconds a token holds; 0: for ever.
    #[serde(default = "default_expires")]
    #[schemars(range(max = 3_153_600_000u64))]
    expires: u64,
    /// The name of the cookie and of the header.
    #[serde(default = "default_name")]
    #[schemars(length(min = 1, max = 128))]
    name: String,
}

fn default_expires() -> u64 {
    7200
}

fn default_name() -> String {
    "apisix-csrf-token".into()
}

/// The plugin.
pub struct Csrf {
    key: String,
    expires: u64,
    header: HeaderName,
    cookie: String,
    no_header: Refusal,
    no_cookie: Refusal,
    mismatch: Refusal,
    unverified: Refusal,
}

/// A token, JSON in base64.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Token<'a> {
    /// A number, of which the digits are signed as they stand.
    #[serde(borrow)]
    random: &'a RawValue,
    /// The signature in hexadecimal.
    sign: String,
    /// In seconds since 1970.
    expires: u64,
}

impl Build for Csrf {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        if config.key.is_empty() {
            return Err("key: must not be empty".into());
        }
        if config.expires > 3_153_600_000 {
            return Err("expires: must be at most a century".into());
        }
        let header = HeaderName::try_from(&config.name)
            .map_err(|_| format!("name: {:?} is not a valid header name", config.name))?;
        let refusal = |text| Refusal::error_msg("name", 401, text);
        Ok(Self {
            key: config.key,
            expires: config.expires,
            header,
            cookie: config.name,
            no_header: refusal("no csrf token in headers")?,
            no_cookie: refusal("no csrf cookie")?,
            mismatch: refusal("csrf token mismatch")?,
            unverified: refusal("Failed to verify the csrf token signature")?,
        })
    }
}

impl Plugin for Csrf {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        if exchange.arrival.tool.is_some() {
            return Flow::Continue;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::MAX);
        if let Some(cookie) = self.new_cookie(now, exchange.arrival.scheme == "https") {
            exchange.response_headers.append(SET_COOKIE, cookie);
        }
        if matches!(exchange.request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Flow::Continue;
        }
        match self.check(exchange, now.as_secs()) {
            Ok(()) => Flow::Continue,
            Err(refusal) => Flow::Respond(refusal.response()),
        }
    }
}

impl Csrf {
    fn check(&self, exchange: &Exchange, now: u64) -> Result<(), &Refusal> {
        let header = match presented(&exchange.request.headers, &self.header) {
            Presented::One(value) => value,
            Presented::Nothing => return Err(&self.no_header),
            Presented::Several => return Err(&self.mismatch),
        };
        let cookie = cookie(exchange, &self.cookie).filter(|cookie| !cookie.is_empty());
        let cookie = cookie.ok_or(&self.no_cookie)?.as_bytes();
        verify_slices_are_equal(header, cookie).map_err(|_| &self.mismatch)?;
        self.verify(cookie, now).ok_or(&self.unverified)
    }

    /// Whether this gateway has made the token, and it still holds.
    fn verify(&self, token: &[u8], now: u64) -> Option<()> {
        let token = Some(token).filter(|token| token.len() <= LONGEST_TOKEN)?;
        let json = BASE64_STANDARD.decode(token).ok()?;
        let token: Token<'_> = serde_json::from_slice(&json).ok()?;
        let random = token.random.get();
        // With nothing but a number before it, what is signed can be read in one way only.
        let is_number = random.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        let expected = self.signature(random, token.expires);
        verify_slices_are_equal(token.sign.as_bytes(), expected.as_bytes()).ok()?;
        (is_number && (self.expires == 0 || token.expires >= now)).then_some(())
    }

    /// The cookie with a new token. Pages have to read it, so it is not HttpOnly.
    fn new_cookie(&self, now: Duration, is_secure: bool) -> Option<HeaderValue> {
        let mut bytes = [0; 8];
        aws_lc_rs::rand::fill(&mut bytes).ok()?;
        // As many digits as a double holds.
        let random = format!("0.{:015}", u64::from_ne_bytes(bytes) % 1_000_000_000_000_000);
        let until = now.checked_add(Duration::from_secs(self.expires))?;
        let sign = self.signature(&random, until.as_secs());
        let random: &RawValue = serde_json::from_str(&random).ok()?;
        let token = serde_json::to_vec(&Token { random, sign, expires: until.as_secs() }).ok()?;
        let mut cookie = format!("{}={};path=/;SameSite=Lax", self.cookie, BASE64_STANDARD.encode(token));
        if self.expires > 0 {
            cookie += ";Expires=";
            cookie += &httpdate::fmt_http_date(UNIX_EPOCH.checked_add(until)?);
        }
        if is_secure {
            cookie += ";Secure";
        }
        HeaderValue::try_from(cookie).ok()
    }

    fn signature(&self, random: &str, expires: u64) -> String {
        let signed = format!("{{expires:{expires},random:{random},key:{}}}", self.key);
        digest(&SHA256, signed.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests;
