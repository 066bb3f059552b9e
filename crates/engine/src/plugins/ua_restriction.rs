//! `ua-restriction`: lets in, or keeps out, by what a client says it is.
//!
//! Fields and answers are Apache APISIX's. Clients say what they like, so this keeps out only those that are honest.

use super::restriction::{LONGEST_PATTERN, MOST_PATTERNS, Refusal, patterns};
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use ::http::header::USER_AGENT;
use regex::RegexSet;
use schemars::JsonSchema;
use serde::Deserialize;

/// Lets in, or keeps out, by the header User-Agent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether requests without the header are let in.
    #[serde(default)]
    bypass_missing: bool,
    /// Regular expressions, of which one must match a part of the header; all others are refused. Either this or
    /// `denylist`.
    #[serde(default)]
    #[schemars(length(min = 1, max = MOST_PATTERNS), inner(length(min = 1, max = LONGEST_PATTERN)))]
    allowlist: Option<Vec<String>>,
    /// Regular expressions; whose header one matches is refused, all others are let in.
    #[serde(default)]
    #[schemars(length(min = 1, max = MOST_PATTERNS), inner(length(min = 1, max = LONGEST_PATTERN)))]
    denylist: Option<Vec<String>>,
    /// The text of a refusal.
    #[serde(default = "default_message")]
    #[schemars(length(min = 1, max = 1024))]
    message: String,
}

fn default_message() -> String {
    "Not allowed".into()
}

/// The plugin.
pub struct UaRestriction {
    bypass_missing: bool,
    patterns: RegexSet,
    /// Whether those that match are let in, or the others.
    is_allowlist: bool,
    refusal: Refusal,
}

impl Build for UaRestriction {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let (patterns, is_allowlist) = match (&config.allowlist, &config.denylist) {
            (Some(list), None) => (patterns("allowlist", list, false)?, true),
            (None, Some(list)) => (patterns("denylist", list, false)?, false),
            _ => return Err("give either allowlist or denylist".into()),
        };
        let refusal = Refusal::message("message", 403, &config.message)?;
        Ok(Self { bypass_missing: config.bypass_missing, patterns, is_allowlist, refusal })
    }
}

impl Plugin for UaRestriction {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let mut values = exchange.request.headers.get_all(USER_AGENT).iter().peekable();
        let may = match values.peek() {
            None => self.bypass_missing,
            // Of several lines one cannot tell which the upstream goes by.
            Some(_) => values.all(|value| {
                let text = String::from_utf8_lossy(value.as_bytes());
                self.patterns.is_match(text.trim()) == self.is_allowlist
            }),
        };
        if may { Flow::Continue } else { Flow::Respond(self.refusal.response()) }
    }
}

#[cfg(test)]
mod tests {
    use crate::plugins::testing::{Bench, body, get};
    use serde_json::{Value, json};

    fn goes_on(config: &Value, agents: &[&str]) -> bool {
        let bench = Bench::new(json!({"ua-restriction": config}));
        let request = agents.iter().fold(get("/"), |request, agent| request.header("User-Agent", *agent));
        bench.run(&mut bench.exchange(request)).is_none()
    }

    #[test]
    fn lists_are_regular_expressions_for_a_part_of_the_header() {
        let list = json!(["my-bot1", r"(Baiduspider)/(\d+)\.(\d+)", "^Exact$"]);
        for (agent, is_listed) in [
            ("my-bot1", true),
            ("Mozilla/5.0 (compatible; Baiduspider/2.0)", true),
            ("Baiduspider/x", false),
            ("  Exact  ", true),
            ("Exact/2", false),
            ("MY-BOT1", false),
            ("", false),
        ] {
            assert_eq!(goes_on(&json!({"allowlist": list}), &[agent]), is_listed, "{agent}");
            assert_eq!(goes_on(&json!({"denylist": list}), &[agent]), !is_listed, "{agent}");
        }
    }

    #[test]
    fn of_several_headers_none_may_be_refused() {
        assert!(!goes_on(&json!({"denylist": ["bot"]}), &["curl", "bot"]));
        assert!(!goes_on(&json!({"allowlist": ["curl"]}), &["curl", "bot"]));
        assert!(goes_on(&json!({"allowlist": ["curl"]}), &["curl", "curl/8"]));
    }

    #[test]
    fn a_missing_header_is_let_in_only_where_that_is_set() {
        for list in ["allowlist", "denylist"] {
            assert!(!goes_on(&json!({list: ["a"]}), &[]), "{list}");
            assert!(goes_on(&json!({list: ["a"], "bypass_missing": true}), &[]), "{list}");
        }
        // An empty header is not a missing one.
        assert!(!goes_on(&json!({"allowlist": ["a"], "bypass_missing": true}), &[""]));
    }

    #[test]
    fn a_refusal_has_the_configured_text() {
        for (config, text) in [
            (json!({"denylist": ["."]}), "Not allowed"),
            (json!({"denylist": ["."], "message": "no bots"}), "no bots"),
        ] {
            let bench = Bench::new(json!({"ua-restriction": config}));
            let request = get("/").header("User-Agent", "curl");
            let response = bench.run(&mut bench.exchange(request)).expect("a refusal");
            assert_eq!((response.status().as_u16(), body(&response)), (403, json!({"message": text})));
        }
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        for (config, why) in [
            (json!({}), "either allowlist or denylist"),
            (json!({"allowlist": ["a"], "denylist": ["b"]}), "either allowlist or denylist"),
            (json!({"denylist": []}), "denylist: must not be empty"),
            (json!({"denylist": ["(?!a)"]}), "cannot be used"),
        ] {
            let message = Bench::problem(json!({"ua-restriction": config}));
            assert!(message.contains(why), "{config}: {message}");
        }
    }
}
