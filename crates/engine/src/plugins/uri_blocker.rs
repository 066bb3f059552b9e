//! `uri-blocker`: refuses requests whose path and query match a regular expression.
//!
//! Fields are Apache APISIX's. There only the URI as it was sent is compared, so that `%61dmin` gets around a rule for
//! `admin`. Here a rule also meets every form that the URI could have for an upstream (see [`spelling`]).

mod spelling;

use super::restriction::{LONGEST_PATTERN, MOST_PATTERNS, Refusal, patterns};
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use regex::RegexSet;
use schemars::JsonSchema;
use serde::Deserialize;

/// Refuses requests whose path and query match a regular expression.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Regular expressions, of which one is enough that matches a part of path and query. They have no look-around and no
    /// back-references.
    #[schemars(length(min = 1, max = MOST_PATTERNS), inner(length(max = LONGEST_PATTERN)))]
    block_rules: Vec<String>,
    /// The status of a refusal, 200 to 599.
    #[serde(default = "default_rejected_code")]
    #[schemars(range(min = 200, max = 599))]
    rejected_code: u16,
    /// The text of a refusal.
    #[serde(default = "default_rejected_msg")]
    #[schemars(length(min = 1))]
    rejected_msg: String,
    /// Whether letters match in either case.
    #[serde(default)]
    case_insensitive: bool,
}

fn default_rejected_code() -> u16 {
    403
}

fn default_rejected_msg() -> String {
    "access is not allowed".into()
}

/// The plugin.
pub struct UriBlocker {
    rules: RegexSet,
    refusal: Refusal,
}

impl Build for UriBlocker {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        Ok(Self {
            rules: patterns("block_rules", &config.block_rules, config.case_insensitive)?,
            refusal: Refusal::error_msg("rejected_code", config.rejected_code, &config.rejected_msg)?,
        })
    }
}

impl Plugin for UriBlocker {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let uri = &exchange.request.uri;
        let sent = uri.path_and_query().map_or("/", |uri| uri.as_str());
        match spelling::any(sent, &exchange.path, uri.query(), |spelled| self.rules.is_match(spelled)) {
            true => Flow::Respond(self.refusal.response()),
            false => Flow::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::http::path::normalise;
    use crate::plugins::testing::{Bench, body, get};
    use serde_json::{Value, json};

    fn bench(config: Value) -> Bench {
        Bench::new(json!({"uri-blocker": config}))
    }

    fn blocks(bench: &Bench, uri: &str) -> bool {
        let mut exchange = bench.exchange(get(uri));
        exchange.path = normalise(exchange.request.uri.path()).unwrap().into_owned();
        bench.run(&mut exchange).is_some()
    }

    #[test]
    fn one_rule_that_matches_a_part_of_path_and_query_is_enough() {
        let bench = bench(json!({"block_rules": ["root.exe", "root.m+", r"^/old/", r"[?&]debug=1(&|$)"]}));
        for blocked in ["/a/root.exe?a=a", "/root.mmm", "/old/x", "/x?a=2&debug=1", "/x?debug=1&b"] {
            assert!(blocks(&bench, blocked), "{blocked}");
        }
        for free in ["/", "/root.ex", "/x/old/y", "/x?debug=12", "/x?q=root"] {
            assert!(!blocks(&bench, free), "{free}");
        }
    }

    #[test]
    fn no_spelling_of_a_path_gets_around_a_rule() {
        let bench = bench(json!({"block_rules": ["^/admin/secret", r"union\s+select", r"\.\./"]}));
        for blocked in [
            "/admin/secret",
            "/%61dmin/secret",
            "/%2561dmin/secret",
            "/%252561dmin/secret",
            "/admin%2Fsecret",
            "/admin%2fsecret",
            "/admin%252Fsecret",
            "/admin//secret",
            "//admin///secret",
            "/admin/%2Fsecret",
            "/admin%5Csecret",
            "/admin/./secret",
            "/admin/%2e/secret",
            "/x/../admin/secret",
            "/x/%2e%2e/admin/secret",
            "/x/%252e%252e/admin/secret",
            "/x%252f..%252fadmin/secret",
            "/admin;v=1/secret",
            "/admin;/secret;x",
            "/admin%3Bv=1/secret",
            "/admin/secret%20",
            "/q?a=union+select",
            "/q?a=union%20select",
            "/q?a=%75nion%0aselect",
            "/q?a=%2575nion%2520select",
            "/a/%2e%2e/b",
        ] {
            assert!(blocks(&bench, blocked), "{blocked}");
        }
        for free in
            ["/admin", "/admin/secre", "/x/admin/secret", "/admin%2Fsecre", "/q?a=unionselect", "/a;b=1"]
        {
            assert!(!blocks(&bench, free), "{free}");
        }
    }

    #[test]
    fn a_rule_about_an_encoding_meets_the_path_as_it_was_sent() {
        let bench = bench(json!({"block_rules": ["%2[eE]"]}));
        assert!(blocks(&bench, "/a/%2e/b"));
        assert!(!blocks(&bench, "/a/./b"));
    }

    #[test]
    fn letters_match_in_either_case_where_that_is_set() {
        let rules = json!(["/admin"]);
        let strict = bench(json!({"block_rules": rules}));
        let lax = bench(json!({"block_rules": rules, "case_insensitive": true}));
        assert!(!blocks(&strict, "/ADMIN"));
        assert!(blocks(&lax, "/ADMIN"));
        assert!(blocks(&lax, "/%41dmiN"));
    }

    #[test]
    fn bytes_that_are_no_text_hide_nothing() {
        let bench = bench(json!({"block_rules": ["/admin/.{1,2}/secret"]}));
        assert!(blocks(&bench, "/admin/%ff%fe/secret"));
    }

    #[test]
    fn a_refusal_has_the_configured_status_and_text() {
        for (more, status, text) in [
            (json!({}), 403, "access is not allowed"),
            (json!({"rejected_code": 404, "rejected_msg": "Nothing here"}), 404, "Nothing here"),
        ] {
            let mut config = json!({"block_rules": ["/"]});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let bench = bench(config);
            let response = bench.run(&mut bench.exchange(get("/"))).expect("a refusal");
            assert_eq!(response.status(), status);
            assert_eq!(body(&response), json!({"error_msg": text}));
        }
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        for (config, why) in [
            (json!({}), "missing field `block_rules`"),
            (json!({"block_rules": []}), "block_rules: must not be empty"),
            (json!({"block_rules": ["a", "(b"]}), r#"block_rules: "(b" cannot be used"#),
            (json!({"block_rules": ["a"], "rejected_code": 600}), "between 200 and 599"),
        ] {
            let message = Bench::problem(json!({"uri-blocker": config}));
            assert!(message.contains(why), "{config}: {message}");
        }
    }
}
