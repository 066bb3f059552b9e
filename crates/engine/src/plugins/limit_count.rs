//! `limit-count`: so many requests in a fixed window of time, counted by caller, header or whatever else a key names.
//!
//! Fields, defaults and headers are Apache APISIX's. Counts are kept in this process and outlive a change of the
//! configuration. A refusal also says `Retry-After`, which LLM clients heed, and costs nothing of the next window.

use super::counters::{CounterKey, Hit};
use super::{Build, BuildContext, Flow, Plugin};
use crate::error::error_response;
use crate::exchange::Exchange;
use crate::state::State;
use crate::variable::{Template, Variable, with_buffer};
use ::http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Allows a number of requests in each window of time.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Requests that are allowed in each window, at least 1.
    count: NonZeroU64,
    /// Length of the window in seconds, at least 1. It begins with the first request that counts.
    time_window: NonZeroU64,
    /// What is counted apart: a variable's name (`remote_addr`, `consumer_name`, `http_x_tenant`), a combination
    /// (`$remote_addr $uri`) or a constant, as `key_type` says. Where it comes out empty, the client's address is used.
    #[serde(default = "default_key")]
    key: String,
    /// How `key` is to be read.
    #[serde(default)]
    key_type: KeyType,
    /// The status of a refusal, 200 to 599. LLM clients understand 429.
    #[serde(default = "default_rejected_code")]
    #[schemars(range(min = 200, max = 599))]
    rejected_code: u16,
    /// The text of a refusal, sent as `{"error_msg": "<text>"}`. Without it, the text says when to try again.
    #[serde(default)]
    #[schemars(length(min = 1))]
    rejected_msg: Option<String>,
    /// Where the counts are kept.
    #[serde(default)]
    policy: Policy,
    /// Places with the same group share one count. Without it, each place counts for itself.
    #[serde(default)]
    #[schemars(length(min = 1))]
    group: Option<String>,
    /// Whether requests go on where counting fails. Counting in this process cannot fail, so it changes nothing.
    #[serde(default)]
    #[expect(dead_code, reason = "there is nothing that it could change yet")]
    allow_degradation: bool,
    /// Whether every answer carries X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset (in seconds).
    #[serde(default = "yes")]
    show_limit_quota_header: bool,
}

/// How a key is read.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum KeyType {
    /// The name of one variable.
    #[default]
    Var,
    /// Text with variables, such as `$remote_addr $consumer_name`.
    VarCombination,
    /// The same for every request.
    Constant,
}

/// Where counts are kept.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Policy {
    /// In this process.
    #[default]
    Local,
    /// In Redis. Not supported yet.
    Redis,
    /// In a Redis cluster. Not supported yet.
    RedisCluster,
}

fn default_key() -> String {
    "remote_addr".into()
}

fn default_rejected_code() -> u16 {
    503
}

fn yes() -> bool {
    true
}

/// The plugin.
pub struct LimitCount {
    state: Arc<State>,
    scope: String,
    key: Key,
    count: u64,
    window: Duration,
    limit_header: HeaderValue,
    rejected_code: StatusCode,
    rejected_msg: Option<String>,
    show_headers: bool,
}

enum Key {
    Variable(Variable),
    Combination(Template),
    Constant(String),
}

impl Build for LimitCount {
    type Config = Config;

    fn build(config: Config, context: &BuildContext<'_>) -> Result<Self, String> {
        if !matches!(config.policy, Policy::Local) {
            return Err("policy: counting in Redis is not supported yet; use \"local\"".into());
        }
        let rejected_code = Some(config.rejected_code).filter(|code| (200..600).contains(code));
        let rejected_code = rejected_code.and_then(|code| StatusCode::from_u16(code).ok());
        let rejected_code = rejected_code.ok_or_else(|| {
            format!("rejected_code: must be from 200 to 599, and is {}", config.rejected_code)
        })?;
        if config.rejected_msg.as_deref() == Some("") || config.group.as_deref() == Some("") {
            return Err("rejected_msg and group must not be empty; leave them out instead".into());
        }
        let scope = match &config.group {
            Some(group) => format!("limit-count group:{group}"),
            None => format!("limit-count {}", context.place.label()),
        };
        Ok(Self {
            state: context.state.clone(),
            scope,
            key: Key::parse(config.key_type, config.key).map_err(|why| format!("key: {why}"))?,
            count: config.count.get(),
            window: Duration::from_secs(config.time_window.get()),
            limit_header: HeaderValue::from(config.count.get()),
            rejected_code,
            rejected_msg: config.rejected_msg,
            show_headers: config.show_limit_quota_header,
        })
    }
}

impl Plugin for LimitCount {
    fn request(&self, exchange: &mut Exchange) -> Flow {
        let hit = with_buffer(|value| {
            self.key.write(exchange, value);
            let key = CounterKey { scope: &self.scope, value };
            self.state.counters.hit(key, 1, self.count, self.window, exchange.record.clock)
        });
        let seconds = hit.reset_after.as_millis().div_ceil(1000).max(1) as u64;
        if self.show_headers {
            self.show(hit, seconds, exchange);
        }
        if hit.allowed {
            return Flow::Continue;
        }
        let text = match &self.rejected_msg {
            Some(text) => text.clone(),
            None => format!("Too many requests, try again in {seconds} seconds"),
        };
        let mut response = error_response(self.rejected_code, &text);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        Flow::Respond(response)
    }
}

impl LimitCount {
    fn show(&self, hit: Hit, seconds: u64, exchange: &mut Exchange) {
        let headers = &mut exchange.response_headers;
        headers.insert(LIMIT, self.limit_header.clone());
        headers.insert(REMAINING, HeaderValue::from(hit.remaining));
        headers.insert(RESET, HeaderValue::from(seconds));
    }
}

impl Key {
    fn parse(key_type: KeyType, text: String) -> Result<Self, String> {
        match key_type {
            KeyType::Constant => Ok(Key::Constant(text)),
            KeyType::Var => {
                let name = text.strip_prefix('$').unwrap_or(&text);
                if name.contains(['$', ' ']) {
                    return Err(format!("{text:?} is not one variable; set key_type to \"var_combination\""));
                }
                Variable::parse(name).map(Key::Variable)
            }
            KeyType::VarCombination => {
                let template = Template::parse(&text)?;
                match template.largest_group() {
                    Some(group) => {
                        Err(format!("${group} stands for nothing here; only variables have a value"))
                    }
                    None => Ok(Key::Combination(template)),
                }
            }
        }
    }

    fn write(&self, exchange: &Exchange, buffer: &mut String) {
        let resolved = match self {
            Key::Variable(variable) => variable.write(exchange, buffer),
            Key::Combination(template) => template.write(exchange, |_| None, buffer),
            Key::Constant(text) => {
                buffer.push_str(text);
                true
            }
        };
        if !resolved {
            buffer.clear();
            Variable::RemoteAddress.write(exchange, buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plugins::testing::{Bench, body, get};
    use serde_json::{Value, json};

    fn bench(config: Value) -> Bench {
        Bench::new(json!({"limit-count": config}))
    }

    #[test]
    fn refuses_what_is_over_the_count_and_says_when_to_come_back() {
        let bench = bench(json!({"count": 2, "time_window": 60}));
        for remaining in ["1", "0"] {
            let mut exchange = bench.exchange(get("/"));
            assert!(bench.run(&mut exchange).is_none());
            assert_eq!(exchange.response_headers["x-ratelimit-limit"], "2");
            assert_eq!(exchange.response_headers["x-ratelimit-remaining"], remaining);
        }
        let mut exchange = bench.exchange(get("/"));
        let response = bench.run(&mut exchange).expect("a refusal");
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], exchange.response_headers["x-ratelimit-reset"]);
        assert_eq!(exchange.response_headers["x-ratelimit-remaining"], "0");
        assert_eq!(body(&response)["error_msg"], "Too many requests, try again in 60 seconds");
    }

    #[test]
    fn a_refusal_has_the_configured_status_and_text() {
        let bench = bench(
            json!({"count": 1, "time_window": 9, "rejected_code": 429, "rejected_msg": "slow \"down\""}),
        );
        bench.run(&mut bench.exchange(get("/")));
        let response = bench.run(&mut bench.exchange(get("/"))).expect("a refusal");
        assert_eq!(response.status(), 429);
        assert_eq!(body(&response), json!({"error_msg": "slow \"down\""}));
    }

    #[test]
    fn the_window_ends_after_time_window_seconds() {
        let bench = bench(json!({"count": 1, "time_window": 60}));
        let mut first = bench.exchange(get("/"));
        assert!(bench.run(&mut first).is_none());
        let at = |seconds| {
            let mut later = bench.exchange(get("/"));
            later.record.clock = first.record.clock + std::time::Duration::from_secs(seconds);
            bench.run(&mut later).is_none()
        };
        assert!(!at(59));
        assert!(at(60));
    }

    #[test]
    fn hides_the_quota_when_told_to() {
        let bench = bench(json!({"count": 1, "time_window": 9, "show_limit_quota_header": false}));
        let mut exchange = bench.exchange(get("/"));
        bench.run(&mut exchange);
        assert!(exchange.response_headers.is_empty());
        assert!(bench.run(&mut exchange).expect("a refusal").headers().contains_key("retry-after"));
    }

    /// Whether each of the requests is allowed, where one is allowed a key.
    fn allowed<const N: usize>(config: Value, requests: [http::request::Builder; N]) -> [bool; N] {
        let mut config = config;
        config["count"] = json!(1);
        config["time_window"] = json!(60);
        let bench = bench(config);
        requests.map(|request| bench.run(&mut bench.exchange(request)).is_none())
    }

    #[test]
    fn counts_each_value_of_a_variable_apart() {
        let config = json!({"key": "http_x_tenant"});
        let tenant = |name| get("/").header("X-Tenant", name);
        assert_eq!(allowed(config, [tenant("a"), tenant("b"), tenant("a")]), [true, true, false]);
    }

    #[test]
    fn two_spellings_of_an_argument_count_as_one() {
        let config = json!({"key": "arg_user"});
        assert_eq!(allowed(config, [get("/?user=a%20b"), get("/?%75ser=a+b")]), [true, false]);
    }

    #[test]
    fn counts_each_combination_apart() {
        let config = json!({"key": "$http_x_tenant $uri", "key_type": "var_combination"});
        let tenant = |path, name| get(path).header("X-Tenant", name);
        let requests = [tenant("/a", "1"), tenant("/b", "1"), tenant("/a", "2"), tenant("/a?again", "1")];
        assert_eq!(allowed(config, requests), [true, true, true, false]);
    }

    #[test]
    fn counts_everybody_together_by_a_constant() {
        let config = json!({"key": "all", "key_type": "constant"});
        assert_eq!(allowed(config, [get("/a"), get("/b")]), [true, false]);
    }

    #[test]
    fn falls_back_to_the_client_address_where_the_key_is_empty() {
        let config = json!({"key": "$http_x_tenant-$arg_user", "key_type": "var_combination"});
        assert_eq!(allowed(config, [get("/"), get("/"), get("/?user=a")]), [true, false, true]);
        assert_eq!(allowed(json!({"key": "consumer_name"}), [get("/"), get("/")]), [true, false]);
    }

    #[test]
    fn counts_outlive_a_swap_and_groups_share_them() {
        let config = json!({"limit-count": {"count": 1, "time_window": 60, "group": "shared"}});
        let bench = Bench::new(config.clone());
        assert!(bench.run(&mut bench.exchange(get("/"))).is_none());
        let swapped = bench.swapped("other", config);
        assert!(swapped.run(&mut swapped.exchange(get("/"))).is_some());

        let config = json!({"limit-count": {"count": 1, "time_window": 60}});
        let bench = Bench::new(config.clone());
        assert!(bench.run(&mut bench.exchange(get("/"))).is_none());
        let same = bench.swapped("route", config.clone());
        assert!(same.run(&mut same.exchange(get("/"))).is_some());
        let other = bench.swapped("other", config);
        assert!(other.run(&mut other.exchange(get("/"))).is_none());
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        let whole = json!({"count": 1, "time_window": 1});
        let wrong = [
            (json!({"count": 0}), "expected a nonzero"),
            (json!({"count": 1.5}), "expected a nonzero"),
            (json!({"time_window": -1}), "expected a nonzero"),
            (json!({"rejected_code": 600}), "200 to 599"),
            (json!({"rejected_code": 199}), "200 to 599"),
            (json!({"rejected_msg": ""}), "must not be empty"),
            (json!({"policy": "redis"}), "not supported yet"),
            (json!({"policy": "redis-cluster"}), "not supported yet"),
            (json!({"key": "remote_adr"}), "did you mean $remote_addr?"),
            (json!({"key": "$remote_addr $uri"}), "var_combination"),
            (json!({"key": "$1", "key_type": "var_combination"}), "$1 stands for nothing"),
            (json!({"kye": "uri"}), "unknown field `kye`"),
        ];
        for (change, why) in wrong {
            let mut config = whole.clone();
            config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let message = Bench::problem(json!({"limit-count": config}));
            assert!(message.contains(why), "{change}: {message}");
        }
        assert!(Bench::problem(json!({"limit-count": {"count": 1}})).contains("time_window"));
    }
}
