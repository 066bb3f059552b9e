//! `referer-restriction`: lets in, or keeps out, by the host of the page that a request comes from.
//!
//! Fields and answers are Apache APISIX's. Browsers tell the truth, other clients what they like, so this is no
//! protection against the latter. A wildcard stands for whole labels of a name: `*.example.com`. What is only a suffix, as
//! `*example.com`, which evil-example.com has too, is refused here.

use super::restriction::{MOST_TEXTS, Refusal, Texts};
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use ::http::{HeaderMap, Uri, header};
use schemars::JsonSchema;
use serde::Deserialize;

/// Lets in, or keeps out, by the host in the header Referer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether requests are let in whose header is missing or no URL.
    #[serde(default)]
    bypass_missing: bool,
    /// Hosts that are let in, `example.com` or `*.example.com`; all others are refused. Either this or `blacklist`.
    #[serde(default)]
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    whitelist: Option<Vec<String>>,
    /// Hosts that are refused; all others are let in.
    #[serde(default)]
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    blacklist: Option<Vec<String>>,
    /// The text of a refusal.
    #[serde(default = "default_message")]
    #[schemars(length(min = 1, max = 1024))]
    message: String,
}

fn default_message() -> String {
    "Your referer host is not allowed".into()
}

/// The plugin.
pub struct RefererRestriction {
    bypass_missing: bool,
    hosts: Hosts,
    /// Whether those in `hosts` are let in, or the others.
    is_whitelist: bool,
    refusal: Refusal,
}

/// Hosts in lower case: whole names, and what stands behind a wildcard.
struct Hosts {
    has_any: bool,
    names: Option<Texts>,
    suffixes: Option<Texts>,
}

impl Build for RefererRestriction {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let (hosts, is_whitelist) = match (&config.whitelist, &config.blacklist) {
            (Some(list), None) => (Hosts::new("whitelist", list)?, true),
            (None, Some(list)) => (Hosts::new("blacklist", list)?, false),
            _ => return Err("give either whitelist or blacklist".into()),
        };
        let refusal = Refusal::message("message", 403, &config.message)?;
        Ok(Self { bypass_missing: config.bypass_missing, hosts, is_whitelist, refusal })
    }
}

impl Hosts {
    fn new(setting: &str, list: &[String]) -> Result<Self, String> {
        if list.is_empty() {
            return Err(format!("{setting}: must not be empty; leave it out instead"));
        }
        let (mut names, mut suffixes, mut has_any) = (Vec::new(), Vec::new(), false);
        for text in list {
            let lower = text.to_ascii_lowercase();
            let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
            let is_host = |text: &str| !text.is_empty() && text.bytes().all(of_host);
            match (lower.as_str(), lower.strip_prefix("*.")) {
                ("*", _) => has_any = true,
                (_, Some(suffix)) if is_host(suffix) => suffixes.push(suffix.to_owned()),
                (name, None) if is_host(name) => names.push(lower),
                _ => {
                    let why = "is no host; write it as \"example.com\" or \"*.example.com\"";
                    return Err(format!("{setting}: {text:?} {why}"));
                }
            }
        }
        let texts = |list: Vec<_>| (!list.is_empty()).then(|| Texts::new(setting, list)).transpose();
        Ok(Self { has_any, names: texts(names)?, suffixes: texts(suffixes)? })
    }

    fn contain(&self, host: &str) -> bool {
        let is_suffix = |suffixes: &Texts| {
            let behind_dots = host.match_indices('.').filter_map(|(at, _)| host.get(at + 1..));
            behind_dots.into_iter().any(|suffix| suffixes.contain(suffix))
        };
        self.has_any
            || self.names.as_ref().is_some_and(|names| names.contain(host))
            || self.suffixes.as_ref().is_some_and(is_suffix)
    }
}

impl Plugin for RefererRestriction {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let may = match host(&exchange.request.headers) {
            Some(host) => self.hosts.contain(&host) == self.is_whitelist,
            None => self.bypass_missing,
        };
        if may { Flow::Continue } else { Flow::Respond(self.refusal.response()) }
    }
}

/// The host of the one Referer, in lower case.
fn host(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::REFERER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let uri: Uri = value.to_str().ok()?.trim().parse().ok()?;
    let is_web = uri.scheme_str().is_some_and(|scheme| matches!(scheme, "http" | "https"));
    let host = uri.host().filter(|host| is_web && !host.is_empty())?;
    Some(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use crate::plugins::testing::{Bench, body, get};
    use serde_json::{Value, json};

    fn goes_on(config: &Value, referers: &[&str]) -> bool {
        let bench = Bench::new(json!({"referer-restriction": config}));
        let request = referers.iter().fold(get("/"), |request, value| request.header("Referer", *value));
        bench.run(&mut bench.exchange(request)).is_none()
    }

    #[test]
    fn hosts_are_compared_whole_or_behind_a_wildcard() {
        let list = json!(["xx.com", "*.Yy.com", "[::1]"]);
        for (referer, is_listed) in [
            ("http://xx.com/x", true),
            ("https://XX.com:8443/x?y", true),
            ("https://xx.com.", true),
            ("http://a.xx.com/", false),
            ("http://a.yy.com", true),
            ("http://a.b.yy.com", true),
            ("http://yy.com", false),
            ("http://evilyy.com", false),
            ("http://xx.com.evil.org/", false),
            ("http://evil.org/xx.com", false),
            ("http://xx.com@evil.org/", false),
            ("http://evil.org@xx.com/", true),
            ("http://[::1]:80/", true),
        ] {
            assert_eq!(goes_on(&json!({"whitelist": list}), &[referer]), is_listed, "{referer}");
            assert_eq!(goes_on(&json!({"blacklist": list}), &[referer]), !is_listed, "{referer}");
        }
        assert!(goes_on(&json!({"whitelist": ["*"]}), &["http://a.example"]));
    }

    #[test]
    fn a_missing_or_malformed_header_is_let_in_only_where_that_is_set() {
        for list in ["whitelist", "blacklist"] {
            for referers in [
                &[][..],
                &["xx.com"],
                &["www.xx.com/x"],
                &["ftp://xx.com"],
                &["http://xx.com", "http://xx.com"],
            ] {
                assert!(!goes_on(&json!({list: ["xx.com"]}), referers), "{list} {referers:?}");
                let config = json!({list: ["xx.com"], "bypass_missing": true});
                assert!(goes_on(&config, referers), "{list} {referers:?}");
            }
        }
    }

    #[test]
    fn a_refusal_has_the_configured_text() {
        for (config, text) in [
            (json!({"whitelist": ["a.com"]}), "Your referer host is not allowed"),
            (json!({"whitelist": ["a.com"], "message": "no"}), "no"),
        ] {
            let bench = Bench::new(json!({"referer-restriction": config}));
            let response = bench.run(&mut bench.exchange(get("/"))).expect("a refusal");
            assert_eq!((response.status().as_u16(), body(&response)), (403, json!({"message": text})));
        }
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        for (config, why) in [
            (json!({}), "either whitelist or blacklist"),
            (json!({"whitelist": ["a"], "blacklist": ["a"]}), "either whitelist or blacklist"),
            (json!({"whitelist": []}), "whitelist: must not be empty"),
            (json!({"whitelist": ["*example.com"]}), "write it as"),
            (json!({"blacklist": ["http://a.com"]}), "is no host"),
            (json!({"blacklist": ["*."]}), "is no host"),
        ] {
            let message = Bench::problem(json!({"referer-restriction": config}));
            assert!(message.contains(why), "{config}: {message}");
        }
    }
}
