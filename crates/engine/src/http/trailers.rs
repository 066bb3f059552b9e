//! Trailers: fields that come after a body (RFC 9110 section 6.5). What a recipient must have known before the body, and
//! what it would believe about the sender, does not pass this way, since there are recipients that merge trailers into
//! the headers.
//!
//! [`strip`] runs on what clients send and on what upstreams answer; what a request's own headers say already is looked
//! at where the request is sent (`upstream::upload`).

use super::headers;
use crate::error::CODE_HEADER;
use http::HeaderMap;
use http::header::{self, HeaderName};
use smallvec::SmallVec;

/// What may not come late (RFC 9110 section 6.5.1): framing, routing, conditions, credentials, and what says how content
/// is to be read or kept.
static NEVER_LATE: [HeaderName; 30] = [
    header::AGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::DATE,
    header::EXPIRES,
    header::HOST,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::LOCATION,
    header::MAX_FORWARDS,
    header::ORIGIN,
    header::PRAGMA,
    header::RANGE,
    header::RETRY_AFTER,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::VARY,
    header::WARNING,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static(CODE_HEADER),
];

/// Removes what may not come after a body, and what belongs to one hop or is only the gateway's to say.
pub fn strip(trailers: &mut HeaderMap) {
    headers::strip_hop_by_hop(trailers);
    headers::strip_claims(trailers);
    remove(trailers, |name| NEVER_LATE.contains(name));
}

/// Removes the fields whose name `is_meant`.
pub fn remove(trailers: &mut HeaderMap, is_meant: impl Fn(&HeaderName) -> bool) {
    let names: SmallVec<[HeaderName; 2]> = trailers.keys().filter(|name| is_meant(name)).cloned().collect();
    for name in names {
        trailers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_come_late_is_left() {
        let mut trailers = HeaderMap::new();
        for name in [
            "grpc-status",
            "x-sum",
            "content-length",
            "transfer-encoding",
            "connection",
            "te",
            "host",
            "authorization",
            "set-cookie",
            "content-type",
            "x-forwarded-for",
            "x-consumer-username",
            "x_consumer_username",
            "x-toolway-error",
        ] {
            trailers.insert(name, header::HeaderValue::from_static("1"));
        }
        strip(&mut trailers);
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["grpc-status", "x-sum"]);
    }
}
