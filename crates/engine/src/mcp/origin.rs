//! Which web pages may speak to the endpoint: those of listed origins. A page of the same host is let in only where
//! that host is an address or `localhost`, since a name that an attacker made point here (DNS rebinding) has the same
//! host too. An app's own host is therefore listed by whoever makes the snapshot.

use ::http::{HeaderMap, header};
use std::net::IpAddr;

/// Origins, in the one form in which they are compared.
#[derive(Debug)]
pub struct Origins(Vec<String>);

impl Origins {
    pub fn new(listed: &[String]) -> Self {
        Self(listed.iter().map(|origin| normal(origin)).collect())
    }

    /// Whether a request with these headers is let in: without Origin it is none of a page's.
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = values.next() else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        let origin = normal(origin);
        values.next().is_none() && (self.0.contains(&origin) || is_same_place(&origin, headers))
    }
}

/// Scheme and host in lower case, without the scheme's own port (RFC 6454 section 4).
fn normal(origin: &str) -> String {
    let origin = origin.trim().trim_end_matches('/').to_ascii_lowercase();
    let own_port = match origin.split_once("://") {
        Some(("http", _)) => ":80",
        Some(("https", _)) => ":443",
        _ => return origin,
    };
    origin.strip_suffix(own_port).map(str::to_owned).unwrap_or(origin)
}

fn is_same_place(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let (Some((scheme, _)), Some(host)) = (origin.split_once("://"), host) else { return false };
    let own = normal(&format!("{scheme}://{host}"));
    let bare = own.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    let bare = match bare.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => bare,
    };
    let is_address = bare.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    own == origin && (is_address || bare == "localhost" || bare.ends_with(".localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;

    fn admits(origin: &str, host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        headers.insert(header::HOST, HeaderValue::from_static(host));
        Origins::new(&["https://ChatGPT.com".into(), "http://tool.example:8080/".into()]).admit(&headers)
    }

    #[test]
    fn lets_in_listed_origins_whatever_their_letter_case() {
        assert!(admits("HTTPS://chatgpt.COM", "api.example.com"));
        assert!(admits("https://chatgpt.com:443", "api.example.com"));
        assert!(admits("http://tool.example:8080", "api.example.com"));
        assert!(Origins::new(&[]).admit(&HeaderMap::new()));
    }

    #[test]
    fn lets_in_pages_of_the_gateway_on_an_address_or_localhost() {
        assert!(admits("http://localhost:9080", "localhost:9080"));
        assert!(admits("http://127.0.0.1:9080", "127.0.0.1:9080"));
        assert!(admits("http://[::1]:9080", "[::1]:9080"));
        assert!(admits("http://localhost", "localhost:80"));
    }

    #[test]
    fn refuses_everyone_else_and_a_name_that_was_rebound() {
        assert!(!admits("https://evil.example", "api.example.com"));
        assert!(!admits("http://evil.example:9080", "evil.example:9080"));
        assert!(!admits("http://chatgpt.com", "api.example.com"));
        assert!(!admits("https://chatgpt.com.evil.example", "api.example.com"));
        assert!(!admits("http://localhost:6274", "localhost:9080"));
        assert!(!admits("null", "localhost:9080"));
    }
}
