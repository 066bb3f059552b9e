//! `limit-count`: so many requests in a fixed window of time, counted by caller, header or whatever else a key names.
//!
//! Fields, defaults and headers are Apache APISIX's. Counts are kept in this process and outlive a change of the
//! configuration. A refusal also says `Retry-After`, which LLM clients heed, and costs nothing of the next window.

use super::counters::{CounterKey, Hit, LONGEST};
use super::{Build, BuildContext, Flow, Plugin};
use crate::error::error_response;
use crate::exchange::Exchange;
use crate::http::headers::is_of_connection;
use crate::state::State;
use crate::variable::{Template, Variable, with_buffer};
use ::http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The largest count: what every JSON reader has as a whole number (RFC 8259 section 6).
const MOST: u64 = (1 << 53) - 1;

/// Allows a number of requests in each window of time.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Requests that are allowed in each window, at least 1.
    #[schemars(range(max = MOST))]
    count: NonZeroU64,
    /// Length of the window in seconds, at least 1 and at most a century. It begins with the first request that counts.
    #[schemars(range(max = LONGEST.as_secs()))]
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
    /// Places with the same group share one count, and must have the same settings. Without it, each place counts for
    /// itself.
    #[serde(default)]
    #[schemars(length(min = 1))]
    group: Option<String>,
    /// Whether requests go on where counting fails. Counting in this process cannot fail, so it changes nothing.
    #[serde(default)]
    allow_degradation: bool,
    /// Whether every answer carries the three headers below.
    #[serde(default = "yes")]
    show_limit_quota_header: bool,
    /// The name of the header that tells the count.
    #[serde(default = "limit_header")]
    limit_header: String,
    /// The name of the header that tells how many requests are left.
    #[serde(default = "remaining_header")]
    remaining_header: String,
    /// The name of the header that tells in how many seconds the window ends.
    #[serde(default = "reset_header")]
    reset_header: String,
}

/// How a key is read.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, Serialize)]
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
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, Serialize)]
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

fn limit_header() -> String {
    "X-RateLimit-Limit".into()
}

fn remaining_header() -> String {
    "X-RateLimit-Remaining".into()
}

fn reset_header() -> String {
    "X-RateLimit-Reset".into()
}

/// The plugin.
pub struct LimitCount {
    state: Arc<State>,
    scope: Arc<str>,
    key: Key,
    count: u64,
    window: Duration,
    limit: HeaderValue,
    headers: Headers,
    rejected_code: StatusCode,
    rejected_msg: Option<String>,
    show_headers: bool,
}

/// The names of the headers that tell how things stand.
struct Headers {
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

enum Key {
    Variable(Variable),
    Combination(Template),
    Constant(String),
}

impl Config {
    fn check_bounds(&self) -> Result<(), String> {
        if self.count.get() > MOST {
            return Err(format!("count: must be at most {MOST}"));
        }
        let longest = LONGEST.as_secs();
        if self.time_window.get() > longest {
            return Err(format!("time_window: must be at most {longest} seconds, which is a century"));
        }
        for (name, text) in [("rejected_msg", &self.rejected_msg), ("group", &self.group)] {
            if text.as_deref() == Some("") {
                return Err(format!("{name}: must not be empty; leave it out instead"));
            }
        }
        Ok(())
    }
}

impl Build for LimitCount {
    type Config = Config;

    fn build(config: Config, context: &BuildContext<'_>) -> Result<Self, String> {
        if !matches!(config.policy, Policy::Local) {
            return Err("policy: counting in Redis is not supported yet; use \"local\"".into());
        }
        config.check_bounds()?;
        let rejected_code = Some(config.rejected_code).filter(|code| (200..600).contains(code));
        let rejected_code = rejected_code.and_then(|code| StatusCode::from_u16(code).ok());
        let rejected_code = rejected_code.ok_or_else(|| {
            format!("rejected_code: must be from 200 to 599, and is {}", config.rejected_code)
        })?;
        if let Some(group) = &config.group {
            let settings = serde_json::to_value(&config).map_err(|error| error.to_string())?;
            context.groups.join("limit-count", group, context.place, settings)?;
        }
        let scope = match &config.group {
            Some(group) => format!("limit-count group:{group}"),
            None => format!("limit-count {}", context.place.label()),
        };
        Ok(Self {
            state: context.state.clone(),
            scope: scope.into(),
            key: Key::parse(config.key_type, config.key).map_err(|why| format!("key: {why}"))?,
            count: config.count.get(),
            window: Duration::from_secs(config.time_window.get()),
            limit: HeaderValue::from(config.count.get()),
            headers: Headers {
                limit: name("limit_header", &config.limit_header, LIMIT)?,
                remaining: name("remaining_header", &config.remaining_header, REMAINING)?,
                reset: name("reset_header", &config.reset_header, RESET)?,
            },
            rejected_code,
            rejected_msg: config.rejected_msg,
            show_headers: config.show_limit_quota_header,
        })
    }
}

impl Plugin for LimitCount {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
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
        headers.insert(self.headers.limit.clone(), self.limit.clone());
        headers.insert(self.headers.remaining.clone(), HeaderValue::from(hit.remaining));
        headers.insert(self.headers.reset.clone(), HeaderValue::from(seconds));
    }
}

/// The name of a header that an answer may carry besides its own; the `usual` one costs nothing to copy.
fn name(setting: &str, text: &str, usual: HeaderName) -> Result<HeaderName, String> {
    let name: HeaderName =
        text.parse().map_err(|_| format!("{setting}: {text:?} is not a valid header name"))?;
    match () {
        () if name == usual => Ok(usual),
        () if is_of_connection(&name) => Err(format!("{setting}: {name} is HTTP's own")),
        () => Ok(name),
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
mod tests;
