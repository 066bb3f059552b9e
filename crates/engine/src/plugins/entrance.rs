//! The entrance: what authentication plugins have in common. A caller who has proven who it is goes on as that consumer;
//! any other goes on as the anonymous consumer, where the plugin names one, or is refused with a challenge.
//!
//! Where a credential stands in a request is read here too, so that all plugins see doubles and schemes alike.

use crate::error::refusal;
use crate::exchange::Exchange;
use crate::generation::Identity;
use crate::http::Response;
use crate::variable::{arguments, decoded, decodes_to};
use ::http::header::WWW_AUTHENTICATE;
use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::borrow::Cow;

/// The reason where the anonymous consumer is not there.
const MISSING: &str = "Invalid user authorization";

/// The entrance that one plugin guards.
pub struct Entrance {
    challenge: HeaderValue,
    anonymous_consumer: Option<String>,
}

impl Entrance {
    /// `scheme` and `realm` are named in `WWW-Authenticate`.
    pub fn new(scheme: &str, realm: &str, anonymous_consumer: Option<String>) -> Result<Self, String> {
        if realm.contains(['"', '\\']) {
            return Err("realm: must not contain quotes or backslashes".into());
        }
        let challenge = HeaderValue::from_str(&format!("{scheme} realm=\"{realm}\""))
            .map_err(|_| "realm: must be printable text")?;
        Ok(Self { challenge, anonymous_consumer })
    }

    /// Lets the caller in and sets the exchange's identity, or gives the refusal with the reason. Where the anonymous
    /// consumer is not there, nobody goes on as that; the record says so.
    pub fn admit(&self, exchange: &mut Exchange, proven: Result<Identity, &str>) -> Option<Response> {
        let why = match proven {
            Ok(identity) => {
                exchange.identity = Some(identity);
                // Another plugin of `multi-auth` may have missed its anonymous consumer.
                exchange.record.error_detail = None;
                return None;
            }
            Err(why) => why,
        };
        if let Some(username) = &self.anonymous_consumer {
            if let Some(consumer) = exchange.generation.consumers.by_name(username).cloned() {
                exchange.identity = Some(Identity { consumer, credential: None });
                return None;
            }
            exchange.record.error_detail =
                Some(format!("there is no consumer {username:?}, which anonymous_consumer names"));
            return Some(self.refuse(MISSING));
        }
        Some(self.refuse(why))
    }

    fn refuse(&self, why: &str) -> Response {
        let mut response = refusal(StatusCode::UNAUTHORIZED, why);
        response.headers_mut().insert(WWW_AUTHENTICATE, self.challenge.clone());
        response
    }
}

/// What a header presents. Of several lines one cannot tell which the upstream or another gateway would go by.
pub enum Presented<'a> {
    Nothing,
    One(&'a [u8]),
    Several,
}

/// What the header `name` presents; an empty value is nothing.
pub fn presented<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Presented<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(HeaderValue::as_bytes), values.next()) {
        (None | Some(b""), None) => Presented::Nothing,
        (Some(value), None) => Presented::One(value),
        (_, Some(_)) => Presented::Several,
    }
}

/// What follows the authentication scheme in the value of a header; none where it is of another. The scheme's case does
/// not matter, and spaces stand between (RFC 9110 section 11.4).
pub fn after_scheme<'a>(value: &'a [u8], scheme: &str) -> Option<&'a [u8]> {
    let (start, rest) = value.split_at_checked(scheme.len())?;
    let is_scheme = start.eq_ignore_ascii_case(scheme.as_bytes()) && rest.first() == Some(&b' ');
    is_scheme.then(|| rest.trim_ascii())
}

/// What the query argument `wanted` presents, the first where there are several; an empty value is nothing.
pub fn presented_argument<'a>(exchange: &'a Exchange, wanted: &str) -> Option<Cow<'a, [u8]>> {
    // What another plugin keeps from the upstream may be this one's too.
    let queries = [exchange.request.uri.query().unwrap_or_default(), exchange.withheld_query.as_str()];
    let mut all = queries.into_iter().flat_map(arguments);
    let (_, value) = all.find(|(name, _)| decodes_to(name, wanted))?;
    match decoded(value) {
        Cow::Borrowed("") => None,
        Cow::Borrowed(text) => Some(text.as_bytes().into()),
        Cow::Owned(text) => Some(text.into_bytes().into()),
    }
}
