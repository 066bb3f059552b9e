//! Where a request came from: what a trusted proxy in front of the gateway says of it, and what the upstream is told.
//!
//! [`Forwarded::read`] runs before the router, for peers that `gateway.trusted_addresses` names; nobody else is
//! believed. [`tell`] runs on the request that goes upstream and replaces whatever the client said of itself.

use super::framing;
use super::headers::{
    FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, X_REAL_IP,
    strip_shadows,
};
use crate::network::Networks;
use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};
use smallvec::SmallVec;
use std::io::{Cursor, Write as _};
use std::net::{IpAddr, SocketAddr};

/// What a trusted peer says of a request.
#[derive(Debug, Eq, PartialEq)]
pub struct Forwarded {
    /// The client and then the trusted proxies behind it, the peer last.
    pub chain: SmallVec<[IpAddr; 4]>,
    pub scheme: Option<&'static str>,
    host: Option<HeaderValue>,
    port: Option<u16>,
}

/// Where a request came from, for the upstream.
pub struct Origin<'a> {
    pub client: IpAddr,
    pub scheme: &'a str,
    pub host: Option<&'a HeaderValue>,
    pub port: u16,
    pub forwarded: Option<&'a Forwarded>,
}

impl Forwarded {
    /// What the headers say, if `peer` is trusted to speak for others.
    ///
    /// The client is the rightmost address of X-Forwarded-For that is not itself trusted, since everything left of it
    /// came from that address; where all are trusted, the leftmost. An entry that is no address ends the search. Without
    /// X-Forwarded-For, X-Real-IP names the client.
    pub fn read(headers: &HeaderMap, peer: IpAddr, trusted: &Networks) -> Option<Self> {
        if trusted.is_empty() || !trusted.contain(peer) {
            return None;
        }
        let mut chain = SmallVec::from_slice(&[peer.to_canonical()]);
        if headers.contains_key(X_FORWARDED_FOR) {
            for entry in entries(headers, &X_FORWARDED_FOR).rev() {
                let Some(address) = address(entry) else { break };
                chain.push(address);
                if !trusted.contain(address) {
                    break;
                }
            }
        } else {
            chain.extend(entries(headers, &X_REAL_IP).next_back().and_then(address));
        }
        chain.reverse();
        let host = headers.get_all(X_FORWARDED_HOST).iter().next_back();
        Some(Self {
            chain,
            scheme: match entries(headers, &X_FORWARDED_PROTO).next_back() {
                Some(scheme) if scheme.eq_ignore_ascii_case("https") => Some("https"),
                Some(scheme) if scheme.eq_ignore_ascii_case("http") => Some("http"),
                _ => None,
            },
            host: host.filter(|host| host.to_str().is_ok_and(framing::is_authority)).cloned(),
            port: entries(headers, &X_FORWARDED_PORT).next_back().and_then(|port| port.parse().ok()),
        })
    }

    /// The address of the client.
    pub fn client(&self) -> Option<IpAddr> {
        self.chain.first().copied()
    }
}

/// The members of a list over all lines of a header, in order; lines that are not ASCII have none.
pub fn entries<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl DoubleEndedIterator<Item = &'h str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// An address, with or without a port; IPv6 with a port stands in brackets.
pub fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Says where a request came from, in place of anything that the client said about it.
///
/// X-Forwarded-For has the client alone, or the client and the trusted proxies in the order of the way; what an untrusted
/// client put before its own address is not passed on. Forwarded (RFC 7239) goes.
pub fn tell(headers: &mut HeaderMap, origin: &Origin<'_>) {
    let client = value(origin.client);
    let scheme = match origin.scheme {
        "http" => Some(HeaderValue::from_static("http")),
        "https" => Some(HeaderValue::from_static("https")),
        other => HeaderValue::from_str(other).ok(),
    };
    let chain = origin.forwarded.map(|forwarded| &forwarded.chain).filter(|chain| chain.len() > 1);
    let way = match chain {
        Some(chain) => {
            let addresses: SmallVec<[String; 4]> = chain.iter().map(IpAddr::to_string).collect();
            HeaderValue::from_str(&addresses.join(", ")).ok()
        }
        None => client.clone(),
    };
    let host = origin.forwarded.and_then(|forwarded| forwarded.host.clone()).or_else(|| origin.host.cloned());
    let port = origin.forwarded.and_then(|forwarded| forwarded.port).unwrap_or(origin.port);
    set(headers, X_REAL_IP, client);
    set(headers, X_FORWARDED_FOR, way);
    set(headers, X_FORWARDED_PROTO, scheme);
    set(headers, X_FORWARDED_HOST, host);
    set(headers, X_FORWARDED_PORT, Some(HeaderValue::from(port)));
    headers.remove(header::FORWARDED);
    strip_shadows(headers, &FORWARDED);
}

/// An address as text; an IPv4 client of a dual-stack listener is known by its IPv4 address.
fn value(client: IpAddr) -> Option<HeaderValue> {
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

    fn read(lines: &[(&'static str, &'static str)], peer: &str) -> Option<Forwarded> {
        let trusted = Networks::parse(&["10.0.0.0/8", "::1"]).unwrap();
        Forwarded::read(&headers(lines), peer.parse().unwrap(), &trusted)
    }

    fn chain(forwarded: &Forwarded) -> String {
        forwarded.chain.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_not_trusted() {
        for (sent, expected) in [
            ("192.0.2.1", "192.0.2.1 10.0.0.1"),
            ("198.51.100.1, 192.0.2.1, 10.0.0.2", "192.0.2.1 10.0.0.2 10.0.0.1"),
            ("10.0.0.3,10.0.0.2", "10.0.0.3 10.0.0.2 10.0.0.1"),
            ("192.0.2.1:4711", "192.0.2.1 10.0.0.1"),
            ("[2001:db8::1]:4711", "2001:db8::1 10.0.0.1"),
            ("2001:db8::1, ::ffff:10.0.0.2", "2001:db8::1 10.0.0.2 10.0.0.1"),
            ("192.0.2.1, unknown", "10.0.0.1"),
            ("192.0.2.1, , 10.0.0.2", "10.0.0.2 10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            let forwarded = read(&[("x-forwarded-for", sent)], "::ffff:10.0.0.1").unwrap();
            assert_eq!(chain(&forwarded), expected, "{sent}");
        }
        let lines = [("x-forwarded-for", "192.0.2.9"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(chain(&read(&lines, "10.0.0.1").unwrap()), "192.0.2.1 10.0.0.1");
    }

    #[test]
    fn x_real_ip_names_the_client_only_without_x_forwarded_for() {
        let real = ("x-real-ip", "192.0.2.5");
        assert_eq!(chain(&read(&[real], "::1").unwrap()), "192.0.2.5 ::1");
        let both = [real, ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(chain(&read(&both, "::1").unwrap()), "192.0.2.1 ::1");
    }

    #[test]
    fn nobody_else_is_believed() {
        assert_eq!(read(&[("x-forwarded-for", "192.0.2.1")], "192.0.2.7"), None);
        assert_eq!(
            Forwarded::read(&HeaderMap::new(), "10.0.0.1".parse().unwrap(), &Networks::default()),
            None
        );
    }

    fn origin<'a>(host: Option<&'a HeaderValue>, forwarded: Option<&'a Forwarded>) -> Origin<'a> {
        let client = forwarded.and_then(Forwarded::client);
        let client = client.unwrap_or_else(|| "::ffff:192.0.2.7".parse().unwrap());
        Origin { client, scheme: "http", host, port: 9080, forwarded }
    }

    #[test]
    fn tells_what_a_trusted_peer_said() {
        let mut headers = headers(&[
            ("x-forwarded-for", "198.51.100.1, 192.0.2.1, 10.0.0.2"),
            ("x-forwarded-proto", "HTTPS"),
            ("x-forwarded-host", "shop.test"),
            ("x-forwarded-port", "443"),
            ("forwarded", "for=10.0.0.5"),
        ]);
        let trusted = Networks::parse(&["10.0.0.0/8"]).unwrap();
        let forwarded = Forwarded::read(&headers, "10.0.0.1".parse().unwrap(), &trusted).unwrap();
        assert_eq!(forwarded.scheme, Some("https"));
        tell(&mut headers, &Origin { scheme: "https", ..origin(None, Some(&forwarded)) });
        assert_eq!(
            lines(&headers),
            [
                ("x-forwarded-for", "192.0.2.1, 10.0.0.2, 10.0.0.1"),
                ("x-forwarded-host", "shop.test"),
                ("x-forwarded-port", "443"),
                ("x-forwarded-proto", "https"),
                ("x-real-ip", "192.0.2.1"),
            ]
        );
    }

    #[test]
    fn what_a_trusted_peer_says_must_make_sense() {
        let forwarded = read(
            &[("x-forwarded-proto", "ftp"), ("x-forwarded-host", "a b"), ("x-forwarded-port", "70000")],
            "10.0.0.1",
        );
        let forwarded = forwarded.unwrap();
        assert_eq!((forwarded.scheme, forwarded.host, forwarded.port), (None, None, None));
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
        tell(&mut headers, &origin(Some(&host), None));
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
        tell(&mut headers, &origin(None, None));
        assert_eq!(headers.get(X_FORWARDED_HOST), None);
    }
}
