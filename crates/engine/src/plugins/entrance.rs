//! The entrance: what authentication plugins have in common. A caller who has proven who it is goes on as that consumer;
//! any other goes on as the anonymous consumer, where the plugin names one, or is refused with a challenge.
//!
//! Where a credential stands in a request is read here too, so that all plugins see doubles and schemes alike.

use crate::error::refusal;
use crate::exchange::Exchange;
use crate::generation::Identity;
use crate::http::Response;
use ::http::header::WWW_AUTHENTICATE;
use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

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

    pub fn anonymous_consumer(&self) -> Option<&str> {
        self.anonymous_consumer.as_deref()
    }

    /// Lets the caller in and sets the exchange's identity, or gives the refusal with the reason.
    pub fn admit(&self, exchange: &mut Exchange, proven: Result<Identity, &str>) -> Option<Response> {
        let anonymous = |why| {
            let username = self.anonymous_consumer.as_ref().ok_or(why)?;
            let consumer = exchange.generation.consumers.by_name(username).ok_or(why)?.clone();
            Ok(Identity { consumer, credential: None })
        };
        match proven.or_else(anonymous) {
            Ok(identity) => {
                exchange.identity = Some(identity);
                None
            }
            Err(why) => Some(self.refuse(why)),
        }
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
