//! What may pass from one hop to the next, and what only the gateway may say about a client.
//!
//! The exchange calls [`strip_identity`] before any plugin runs, and [`strip_hop_by_hop`] on the request that goes to the
//! upstream, where [`super::forwarded`] then says who is calling; responses pass [`strip_hop_by_hop`] on their way back.
//! Framing (RFC 9112) is the listener's: a forwarded message gets its own Content-Length or Transfer-Encoding.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};
use smallvec::SmallVec;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
pub const CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
pub const CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");
pub const CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
pub const CONSUMER_GROUP_ID: HeaderName = HeaderName::from_static("x-consumer-group-id");

/// What ends at this hop whether or not Connection names it (RFC 9110 section 7.6.1). TE is looked at on its own.
/// Trailer stays: it says which fields follow a body, and an answer's are passed on. Expect is among them because the server has answered `100-continue` itself by the time a body is forwarded.
static HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HTTP2_SETTINGS,
    header::EXPECT,
];

/// Who the gateway says is calling.
static IDENTITY: [HeaderName; 4] =
    [CONSUMER_USERNAME, CONSUMER_CUSTOM_ID, CREDENTIAL_IDENTIFIER, CONSUMER_GROUP_ID];

/// Where the gateway says that a request came from.
pub(super) static FORWARDED: [HeaderName; 6] =
    [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT, X_REAL_IP, header::FORWARDED];

/// What Connection may not name: taking these off in the gateway would change what a message means or who sent it.
static NEVER_NOMINATED: [HeaderName; 10] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    header::CACHE_CONTROL,
    header::ORIGIN,
];

/// Whether the header is of one connection or of a message's framing, so that no configuration may change it.
pub fn is_of_connection(name: &HeaderName) -> bool {
    let others = [header::TE, header::TRAILER, header::CONTENT_LENGTH];
    HOP_BY_HOP.contains(name) || others.contains(name)
}

/// Removes what belongs to one connection only, and what Connection names (RFC 9110 section 7.6.1).
///
/// `TE: trailers` stays, other transfer codings go. A Connection that names Host, Content-Length, credentials or a
/// header by which a proxy says who is calling does not remove them.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let found =
        named(headers, |name| may_end_here(name) && (HOP_BY_HOP.contains(name) || name == header::TE));
    if found.contains(&header::CONNECTION) {
        strip_nominated(headers);
    }
    for name in &found {
        if name != header::TE {
            headers.remove(name);
            continue;
        }
        let is_trailers =
            |value: &HeaderValue| tokens(value).any(|token| token.eq_ignore_ascii_case("trailers"));
        if headers.get_all(name).iter().any(is_trailers) {
            headers.insert(name, HeaderValue::from_static("trailers"));
        } else {
            headers.remove(name);
        }
    }
}

/// The names among `headers` that `is_meant` picks. One look at each name costs less than a search for every one that
/// could be there.
fn named(headers: &HeaderMap, is_meant: impl Fn(&HeaderName) -> bool) -> SmallVec<[HeaderName; 2]> {
    headers.keys().filter(|name| is_meant(name)).cloned().collect()
}

/// Whether the name is as long as TE or one of [`HOP_BY_HOP`], which tells most others from them.
fn may_end_here(name: &HeaderName) -> bool {
    matches!(name.as_str().len(), 2 | 6 | 7 | 10 | 14 | 16..=19)
}

/// The protocol that a request asks to change to (RFC 9110, section 7.8): Upgrade, where Connection names it.
pub fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.get(header::UPGRADE)?;
    let mut options = headers.get_all(header::CONNECTION).iter().flat_map(tokens);
    options.any(|option| option.eq_ignore_ascii_case("upgrade")).then(|| protocol.clone())
}

fn strip_nominated(headers: &mut HeaderMap) {
    // A clone of a value shares its bytes.
    let nominations: SmallVec<[HeaderValue; 2]> =
        headers.get_all(header::CONNECTION).iter().cloned().collect();
    for token in nominations.iter().flat_map(tokens) {
        let is_option = token.is_empty()
            || token.eq_ignore_ascii_case("keep-alive")
            || token.eq_ignore_ascii_case("close");
        // TE is always named when it is sent, and has its own rule.
        if !is_option && !token.eq_ignore_ascii_case("te") && !may_not_be_nominated(token) {
            headers.remove(token);
        }
    }
}

/// Whether only the gateway may set or remove the header: it is part of the message itself, or says who sent it.
pub fn may_not_be_nominated(token: &str) -> bool {
    let mut protected = NEVER_NOMINATED.iter().chain(&IDENTITY).chain(&FORWARDED);
    protected.any(|name| name.as_str().eq_ignore_ascii_case(token))
}

/// The members of a list of tokens; none if the value is not ASCII.
fn tokens(value: &HeaderValue) -> impl Iterator<Item = &str> {
    value.to_str().unwrap_or_default().split(',').map(str::trim)
}

/// Removes the headers by which the gateway tells an upstream who is calling, however the client spells them.
pub fn strip_identity(headers: &mut HeaderMap) {
    strip_alike(headers, &IDENTITY);
}

/// Removes both who is calling and where the request came from.
pub fn strip_claims(headers: &mut HeaderMap) {
    strip_identity(headers);
    strip_alike(headers, &FORWARDED);
}

/// Removes `names`, and those that differ from one of them only by `_` for `-`: CGI, and WSGI after it, cannot tell them
/// apart.
pub fn strip_alike(headers: &mut HeaderMap, names: &[HeaderName]) {
    let is_meant = |name: &HeaderName| {
        let name = name.as_str();
        names.iter().any(|own| is_alike(name, own.as_str()))
    };
    for name in named(headers, is_meant) {
        headers.remove(name);
    }
}

fn is_alike(name: &str, own: &str) -> bool {
    let is_alike = |(byte, own): (u8, u8)| byte == own || (byte == b'_' && own == b'-');
    name.len() == own.len() && name.bytes().zip(own.bytes()).all(is_alike)
}

/// Takes the cookie `name` out; a Cookie header that has no other goes as a whole.
pub fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    let is_it = |pair: &&str| pair.trim().split_once('=').is_some_and(|(found, _)| found == name);
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let values: SmallVec<[HeaderValue; 1]> = headers.get_all(header::COOKIE).iter().cloned().collect();
    if !values.iter().filter_map(text).any(|value| value.split(';').any(|pair| is_it(&pair))) {
        return;
    }
    headers.remove(header::COOKIE);
    for value in values {
        let Some(text) = text(&value) else {
            headers.append(header::COOKIE, value);
            continue;
        };
        let kept: Vec<&str> = text.split(';').filter(|pair| !is_it(pair)).map(str::trim).collect();
        if let Ok(value) = HeaderValue::try_from(kept.join("; "))
            && !value.is_empty()
        {
            headers.append(header::COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn lines(headers: &HeaderMap) -> Vec<(&str, &str)> {
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn removes_what_belongs_to_one_hop() {
        let mut headers = headers(&[
            ("connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic eDp5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQ"),
            ("expect", "100-continue"),
            ("accept", "*/*"),
            ("host", "a.test"),
        ]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(lines(&headers), [("accept", "*/*"), ("host", "a.test")]);
    }

    #[test]
    fn removes_what_any_connection_line_names_in_any_case() {
        let mut headers = headers(&[
            ("connection", "close, X-One"),
            ("connection", " x-two ,,bad name,"),
            ("x-one", "1"),
            ("x-one", "2"),
            ("x-two", "1"),
            ("x-three", "1"),
        ]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(lines(&headers), [("x-three", "1")]);
    }

    #[test]
    fn connection_cannot_name_what_a_message_is_or_who_sent_it() {
        let kept = [
            ("authorization", "Bearer a"),
            ("content-length", "3"),
            ("cookie", "a=b"),
            ("host", "a.test"),
            ("x-consumer-username", "ann"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-real-ip", "192.0.2.1"),
        ];
        let mut headers = headers(&kept);
        let all =
            "Host, Content-Length, Authorization, Cookie, X-Consumer-Username, X-Forwarded-For, X-Real-IP";
        headers.insert(header::CONNECTION, HeaderValue::from_static(all));
        strip_hop_by_hop(&mut headers);
        assert_eq!(lines(&headers), kept);
    }

    #[test]
    fn keeps_te_only_for_trailers() {
        let mut kept = headers(&[("connection", "TE"), ("te", "gzip;q=0.5, Trailers"), ("te", "deflate")]);
        strip_hop_by_hop(&mut kept);
        assert_eq!(lines(&kept), [("te", "trailers")]);
        let mut removed = headers(&[("te", "gzip")]);
        strip_hop_by_hop(&mut removed);
        assert_eq!(lines(&removed), []);
    }

    #[test]
    fn removes_identity_however_it_is_spelled() {
        let mut headers = headers(&[
            ("x-consumer-username", "root"),
            ("x-consumer-username", "root2"),
            ("x_consumer_username", "root"),
            ("x-consumer_custom-id", "1"),
            ("x-credential-identifier", "1"),
            ("x-consumer-group-id", "1"),
            ("x_consumer_colour", "red"),
        ]);
        strip_identity(&mut headers);
        assert_eq!(lines(&headers), [("x_consumer_colour", "red")]);
    }

    #[test]
    fn takes_out_one_cookie_and_leaves_the_others() {
        for (before, after) in [
            (vec!["a=1; jwt=t; b=2"], vec!["a=1; b=2"]),
            (vec!["jwt=t"], vec![]),
            (vec!["jwt=t; jwt=u", "a=1;jwt=v"], vec!["a=1"]),
            (vec!["a=1;b=jwt=t"], vec!["a=1;b=jwt=t"]),
        ] {
            let mut headers = HeaderMap::new();
            before.into_iter().for_each(|value| {
                headers.append(header::COOKIE, HeaderValue::from_static(value));
            });
            remove_cookie(&mut headers, "jwt");
            assert_eq!(headers.get_all(header::COOKIE).iter().collect::<Vec<_>>(), after);
        }
    }
}
