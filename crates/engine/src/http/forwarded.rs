//! Where a request came from: what a trusted proxy in front of the gateway says of it, and what the upstream is told.
//!
//! [`Forwarded::read`] runs before the router, for peers that `gateway.trusted_addresses` names; nobody else is
//! believed. [`tell`] runs on the request that goes upstream and replaces whatever the client said of itself.

use super::framing;
use super::headers::{
    FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, X_REAL_IP, strip_alike,
};
use crate::network::Networks;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use smallvec::SmallVec;
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
    pub client: &'a HeaderValue,
    pub scheme: &'static str,
    pub host: Option<&'a HeaderValue>,
    pub port: &'a HeaderValue,
    pub forwarded: Option<&'a Forwarded>,
}

/// Lines of a request's head beside its headers.
pub type Lines = SmallVec<[(HeaderName, HeaderValue); 5]>;

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

/// Says where a request came from, and takes off anything that the client said about it.
///
/// X-Forwarded-For has the client alone, or the client and the trusted proxies in the order of the way; what an untrusted
/// client put before its own address is not passed on. Forwarded (RFC 7239) goes.
pub fn tell(headers: &mut HeaderMap, origin: &Origin<'_>) -> Lines {
    strip_alike(headers, &FORWARDED);
    let chain = origin.forwarded.map(|forwarded| &forwarded.chain).filter(|chain| chain.len() > 1);
    let way = match chain {
        Some(chain) => {
            let addresses: SmallVec<[String; 4]> = chain.iter().map(IpAddr::to_string).collect();
            HeaderValue::from_str(&addresses.join(", ")).ok()
        }
        None => Some(origin.client.clone()),
    };
    let said = origin.forwarded;
    let host = said.and_then(|said| said.host.as_ref()).or(origin.host).cloned();
    let port = said.and_then(|said| said.port).map_or_else(|| origin.port.clone(), HeaderValue::from);
    let lines = [
        (X_REAL_IP, Some(origin.client.clone())),
        (X_FORWARDED_FOR, way),
        (X_FORWARDED_PROTO, Some(HeaderValue::from_static(origin.scheme))),
        (X_FORWARDED_HOST, host),
        (X_FORWARDED_PORT, Some(port)),
    ];
    lines.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// An address as a header's value; an IPv4 client of a dual-stack listener is known by its IPv4 address.
pub fn value(address: IpAddr) -> HeaderValue {
    // An address is written in characters that every header may have.
    HeaderValue::try_from(address.to_canonical().to_string())
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
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

    /// What `headers` become when a request of `client` at port 9080 is told of.
    fn told(
        mut headers: HeaderMap,
        client: &str,
        host: Option<&HeaderValue>,
        forwarded: Option<&Forwarded>,
    ) -> HeaderMap {
        let (client, port) = (value(client.parse().unwrap()), HeaderValue::from(9080));
        let scheme = forwarded.and_then(|forwarded| forwarded.scheme).unwrap_or("http");
        let origin = Origin { client: &client, scheme, host, port: &port, forwarded };
        let lines = tell(&mut headers, &origin);
        // What the client said is gone before anything is told.
        assert!(FORWARDED.iter().all(|name| !headers.contains_key(name)));
        headers.extend(lines);
        headers
    }

    #[test]
    fn tells_what_a_trusted_peer_said() {
        let headers = headers(&[
            ("x-forwarded-for", "198.51.100.1, 192.0.2.1, 10.0.0.2"),
            ("x-forwarded-proto", "HTTPS"),
            ("x-forwarded-host", "shop.test"),
            ("x-forwarded-port", "443"),
            ("forwarded", "for=10.0.0.5"),
        ]);
        let trusted = Networks::parse(&["10.0.0.0/8"]).unwrap();
        let forwarded = Forwarded::read(&headers, "10.0.0.1".parse().unwrap(), &trusted).unwrap();
        assert_eq!(forwarded.scheme, Some("https"));
        assert_eq!(
            lines(&told(headers, "192.0.2.1", None, Some(&forwarded))),
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
        let headers = headers(&[
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
        assert_eq!(
            lines(&told(headers, "::ffff:192.0.2.7", Some(&host), None)),
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
        let headers = headers(&[("x-forwarded-host", "evil.test")]);
        assert_eq!(told(headers, "::1", None, None).get(X_FORWARDED_HOST), None);
    }
}
