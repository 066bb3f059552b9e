//! What may pass from one hop to the next, and what only the gateway may say about a client.
//!
//! The exchange calls [`strip_identity`] before any plugin runs, and [`strip_hop_by_hop`] and [`set_forwarded`] on
//! the request that goes to the upstream; responses pass [`strip_hop_by_hop`] on their way back. Framing (RFC 9112)
//! is hyper's: a forwarded message gets its own Content-Length or Transfer-Encoding.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};
use smallvec::SmallVec;
use std::io::{Cursor, Write};
use std::net::IpAddr;

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
/// Expect is among them because the server has answered `100-continue` itself by the time a body is forwarded.
static HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HTTP2_SETTINGS,
    header::EXPECT,
];

/// Who the gateway says is calling.
static IDENTITY: [HeaderName; 4] =
    [CONSUMER_USERNAME, CONSUMER_CUSTOM_ID, CREDENTIAL_IDENTIFIER, CONSUMER_GROUP_ID];

/// Where the gateway says that a request came from.
static FORWARDED: [HeaderName; 6] =
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
    HOP_BY_HOP.contains(name) || *name == header::TE || *name == header::CONTENT_LENGTH
}

/// Removes what belongs to one connection only, and what Connection names (RFC 9110 section 7.6.1).
///
/// `TE: trailers` stays, other transfer codings go. A Connection that names Host, Content-Length, credentials or a
/// header by which a proxy says who is calling does not remove them.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        strip_nominated(headers);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    if headers.contains_key(header::TE) {
        let is_trailers =
            |value: &HeaderValue| tokens(value).any(|token| token.eq_ignore_ascii_case("trailers"));
        if headers.get_all(header::TE).iter().any(is_trailers) {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        } else {
            headers.remove(header::TE);
        }
    }
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

fn may_not_be_nominated(token: &str) -> bool {
    let mut protected = NEVER_NOMINATED.iter().chain(&IDENTITY).chain(&FORWARDED);
    protected.any(|name| name.as_str().eq_ignore_ascii_case(token))
}

/// The members of a list of tokens; none if the value is not ASCII.
fn tokens(value: &HeaderValue) -> impl Iterator<Item = &str> {
    value.to_str().unwrap_or_default().split(',').map(str::trim)
}

/// Removes the headers by which the gateway tells an upstream who is calling, however the client spells them.
pub fn strip_identity(headers: &mut HeaderMap) {
    for name in &IDENTITY {
        headers.remove(name);
    }
    strip_shadows(headers, &IDENTITY);
}

/// Says where a request came from, in place of anything that the client said about it.
///
/// `client` is the peer's address, `scheme` and `port` are those of the listener, `host` is the Host that the client
/// sent. No peer is trusted to speak for another: X-Forwarded-For has one address, Forwarded (RFC 7239) goes.
pub fn set_forwarded(
    headers: &mut HeaderMap,
    client: IpAddr,
    scheme: &str,
    host: Option<&HeaderValue>,
    port: u16,
) {
    let client = address(client);
    let scheme = match scheme {
        "http" => Some(HeaderValue::from_static("http")),
        "https" => Some(HeaderValue::from_static("https")),
        other => HeaderValue::from_str(other).ok(),
    };
    set(headers, X_REAL_IP, client.clone());
    set(headers, X_FORWARDED_FOR, client);
    set(headers, X_FORWARDED_PROTO, scheme);
    set(headers, X_FORWARDED_HOST, host.cloned());
    set(headers, X_FORWARDED_PORT, Some(HeaderValue::from(port)));
    headers.remove(header::FORWARDED);
    strip_shadows(headers, &FORWARDED);
}

/// An address as text; an IPv4 client of a dual-stack listener is known by its IPv4 address.
fn address(client: IpAddr) -> Option<HeaderValue> {
    // The longest address has 45 bytes.
    let mut text = Cursor::new([0u8; 48]);
    write!(text, "{}", client.to_canonical()).ok()?;
    let length = usize::try_from(text.position()).ok()?;
    HeaderValue::from_bytes(text.get_ref().get(..length)?).ok()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value)),
        None => drop(headers.remove(name)),
    }
}

/// Removes names that differ from one of `names` only by `_` for `-`: CGI, and WSGI after it, cannot tell them apart.
fn strip_shadows(headers: &mut HeaderMap, names: &[HeaderName]) {
    let mut shadows: SmallVec<[HeaderName; 2]> = SmallVec::new();
    for name in headers.keys().filter(|name| name.as_str().contains('_')) {
        if names.iter().any(|own| is_shadow(name.as_str(), own.as_str())) {
            shadows.push(name.clone());
        }
    }
    for name in shadows {
        headers.remove(name);
    }
}

fn is_shadow(name: &str, own: &str) -> bool {
    let is_alike = |(byte, own): (u8, u8)| byte == own || (byte == b'_' && own == b'-');
    name.len() == own.len() && name.bytes().zip(own.bytes()).all(is_alike)
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
            ("trailer", "x-sum"),
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
    fn says_where_a_request_came_from_whatever_the_client_said() {
        let mut headers = headers(&[
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x_forwarded_for", "10.0.0.3"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.test"),
            ("x-forwarded-port", "1"),
            ("x-real-ip", "10.0.0.4"),
            ("forwarded", "for=10.0.0.5"),
        ]);
        let host = HeaderValue::from_static("a.test:9080");
        set_forwarded(&mut headers, "::ffff:192.0.2.7".parse().unwrap(), "http", Some(&host), 9080);
        assert_eq!(
            lines(&headers),
            [
                ("x-forwarded-for", "192.0.2.7"),
                ("x-forwarded-host", "a.test:9080"),
                ("x-forwarded-port", "9080"),
                ("x-forwarded-proto", "http"),
                ("x-real-ip", "192.0.2.7"),
            ]
        );
    }

    #[test]
    fn says_nothing_about_a_host_that_was_not_sent() {
        let mut headers = headers(&[("x-forwarded-host", "evil.test")]);
        set_forwarded(&mut headers, "2001:db8::1".parse().unwrap(), "https", None, 443);
        assert_eq!(headers.get(X_FORWARDED_HOST), None);
        assert_eq!(headers.get(X_FORWARDED_FOR), Some(&HeaderValue::from_static("2001:db8::1")));
    }
}
