//! `consumer-restriction`: lets in, or keeps out, by who calls or what is called.
//!
//! Fields, answers and their order are Apache APISIX's: the blacklist goes before the whitelist, and that before
//! `allowed_by_methods`, which says nothing of those whom it does not name. Where there is nothing to compare, as
//! when nobody was authenticated, the caller is refused.

use super::restriction::{MOST_TEXTS, Refusal, Texts};
use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use ::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// Lets in, or keeps out, by who calls or what is called.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What the lists are of.
    #[serde(default, rename = "type")]
    kind: Kind,
    /// Who is let in; all others are refused.
    #[serde(default)]
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    whitelist: Option<Vec<String>>,
    /// Who is refused.
    #[serde(default)]
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    blacklist: Option<Vec<String>>,
    /// Methods that those may use who are named here and are not on the whitelist. Others may use any.
    #[serde(default)]
    #[schemars(length(min = 1, max = MOST_TEXTS))]
    allowed_by_methods: Option<Vec<Allowed>>,
    /// The status of a refusal, 200 to 599.
    #[serde(default = "default_rejected_code")]
    #[schemars(range(min = 200, max = 599))]
    rejected_code: u16,
    /// The text of a refusal. Without it, it says which type is forbidden.
    #[serde(default)]
    rejected_msg: Option<String>,
}

fn default_rejected_code() -> u16 {
    403
}

/// What the lists are of.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Usernames of consumers.
    #[default]
    ConsumerName,
    /// Ids of consumer groups.
    ConsumerGroupId,
    /// Ids of services, and of apis for their operations.
    ServiceId,
    /// Ids of routes.
    RouteId,
}

/// Methods for one entry.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Allowed {
    /// Whom it is about, of the plugin's type.
    user: String,
    /// What they may use.
    #[schemars(length(min = 1))]
    methods: Vec<Verb>,
}

/// A method of HTTP.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    Get,
    Post,
    Put,
    Delete,
    Patch,
    Head,
    Options,
    Connect,
    Trace,
    Purge,
}

impl Verb {
    fn name(&self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
            Verb::Patch => "PATCH",
            Verb::Head => "HEAD",
            Verb::Options => "OPTIONS",
            Verb::Connect => "CONNECT",
            Verb::Trace => "TRACE",
            Verb::Purge => "PURGE",
        }
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::ConsumerName => "consumer_name",
            Kind::ConsumerGroupId => "consumer_group_id",
            Kind::ServiceId => "service_id",
            Kind::RouteId => "route_id",
        }
    }

    fn of(self, exchange: &Exchange) -> Option<&str> {
        let consumer = exchange.identity.as_ref().map(|identity| &identity.consumer);
        let route = exchange.route.as_ref();
        let found = match self {
            Kind::ConsumerName => consumer.map(|consumer| &*consumer.username),
            Kind::ConsumerGroupId => consumer.and_then(|consumer| consumer.group.as_deref()),
            Kind::ServiceId => route.map(|route| &*route.service),
            Kind::RouteId => route.map(|route| &*route.id),
        };
        found.filter(|value| !value.is_empty())
    }
}

/// The plugin.
pub struct ConsumerRestriction {
    kind: Kind,
    whitelist: Option<Texts>,
    blacklist: Option<Texts>,
    methods: HashMap<Box<str>, HashSet<&'static str>>,
    refusal: Refusal,
    unknown: Refusal,
}

impl Build for ConsumerRestriction {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let Config { kind, whitelist, blacklist, allowed_by_methods, rejected_code, rejected_msg } = config;
        if whitelist.is_none() && blacklist.is_none() && allowed_by_methods.is_none() {
            return Err("give whitelist, blacklist or allowed_by_methods".into());
        }
        let word = kind.word();
        let message = rejected_msg.unwrap_or_else(|| format!("The {word} is forbidden."));
        let unknown = format!("The request is rejected, please check the {word} for this request");
        Ok(Self {
            kind,
            whitelist: whitelist.map(|list| Texts::new("whitelist", list)).transpose()?,
            blacklist: blacklist.map(|list| Texts::new("blacklist", list)).transpose()?,
            methods: by_user(allowed_by_methods.as_deref())?,
            refusal: Refusal::message("rejected_code", rejected_code, &message)?,
            unknown: Refusal::message("rejected_code", 401, &unknown)?,
        })
    }
}

fn by_user(allowed: Option<&[Allowed]>) -> Result<HashMap<Box<str>, HashSet<&'static str>>, String> {
    let mut methods: HashMap<_, HashSet<_>> = HashMap::new();
    if allowed.is_some_and(|allowed| allowed.is_empty() || allowed.len() > MOST_TEXTS) {
        return Err(format!("allowed_by_methods: must have 1 to {MOST_TEXTS} entries"));
    }
    for Allowed { user, methods: verbs } in allowed.unwrap_or_default() {
        methods.entry(user.as_str().into()).or_default().extend(verbs.iter().map(Verb::name));
    }
    Ok(methods)
}

impl Plugin for ConsumerRestriction {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let Some(value) = self.kind.of(exchange) else {
            return Flow::Respond(self.unknown.response());
        };
        match self.may(value, &exchange.request.method) {
            true => Flow::Continue,
            false => Flow::Respond(self.refusal.response()),
        }
    }
}

impl ConsumerRestriction {
    fn may(&self, value: &str, method: &Method) -> bool {
        if self.blacklist.as_ref().is_some_and(|list| list.contain(value)) {
            return false;
        }
        match &self.whitelist {
            Some(list) => list.contain(value),
            None => self.methods.get(value).is_none_or(|methods| methods.contains(method.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plugins::testing::{Bench, body, get};
    use serde_json::{Value, json};

    /// Status and message of the answer to `method` by who has `key`; none where the request goes on.
    fn answer(config: &Value, key: &str, method: &str) -> Option<(u16, String)> {
        let bench = Bench::new(json!({
            "key-auth": {"anonymous_consumer": "guest"},
            "consumer-restriction": config,
        }));
        let request = get("/").method(method).header("apikey", key);
        let response = bench.run(&mut bench.exchange(request))?;
        Some((response.status().as_u16(), body(&response)["message"].as_str().unwrap().to_owned()))
    }

    fn goes_on(config: &Value, key: &str, method: &str) -> bool {
        answer(config, key, method).is_none()
    }

    #[test]
    fn a_whitelist_lets_in_only_those_on_it_and_a_blacklist_only_others() {
        let forbidden = Some((403, "The consumer_name is forbidden.".to_owned()));
        assert_eq!(answer(&json!({"whitelist": ["alice"]}), "alice-key", "GET"), None);
        assert_eq!(answer(&json!({"whitelist": ["alice"]}), "bob-key", "GET"), forbidden);
        assert_eq!(answer(&json!({"blacklist": ["alice"]}), "alice-key", "GET"), forbidden);
        assert_eq!(answer(&json!({"blacklist": ["alice"]}), "bob-key", "GET"), None);
        assert_eq!(answer(&json!({"whitelist": ["Alice"]}), "alice-key", "GET"), forbidden);
    }

    #[test]
    fn groups_services_and_routes_are_compared_by_their_ids() {
        for (kind, id) in [("consumer_group_id", "staff"), ("service_id", "shop"), ("route_id", "route")] {
            let message = format!("The {kind} is forbidden.");
            assert!(goes_on(&json!({"type": kind, "whitelist": [id]}), "alice-key", "GET"), "{kind}");
            let refused = answer(&json!({"type": kind, "blacklist": [id]}), "alice-key", "GET");
            assert_eq!(refused, Some((403, message)));
        }
    }

    #[test]
    fn methods_hold_for_those_who_are_named_and_are_on_no_list() {
        let methods = json!([{"user": "alice", "methods": ["POST"]}, {"user": "alice", "methods": ["PUT"]}]);
        let alone = json!({"allowed_by_methods": methods});
        assert!(goes_on(&alone, "alice-key", "POST"));
        assert!(goes_on(&alone, "alice-key", "PUT"));
        assert!(!goes_on(&alone, "alice-key", "GET"));
        assert!(goes_on(&alone, "bob-key", "GET"));
        let whitelisted = json!({"allowed_by_methods": methods, "whitelist": ["alice"]});
        assert!(goes_on(&whitelisted, "alice-key", "GET"));
        assert!(!goes_on(&whitelisted, "bob-key", "GET"));
        let blacklisted = json!({"allowed_by_methods": methods, "blacklist": ["alice"]});
        assert!(!goes_on(&blacklisted, "alice-key", "POST"));
        assert!(goes_on(&blacklisted, "bob-key", "GET"));
        let both = json!({"whitelist": ["alice"], "blacklist": ["alice"]});
        assert!(!goes_on(&both, "alice-key", "GET"));
    }

    #[test]
    fn where_there_is_nothing_to_compare_the_caller_is_refused() {
        let unknown =
            |kind| Some((401, format!("The request is rejected, please check the {kind} for this request")));
        let nobody = Bench::new(json!({"consumer-restriction": {"blacklist": ["alice"]}}));
        let request = get("/").header("X-Consumer-Username", "bob");
        let response = nobody.run(&mut nobody.exchange(request)).expect("a refusal");
        assert_eq!(response.status(), 401);
        // The anonymous consumer has a name and no group.
        let groups = json!({"type": "consumer_group_id", "blacklist": ["staff"]});
        assert_eq!(answer(&groups, "made-up", "GET"), unknown("consumer_group_id"));
        assert!(goes_on(&json!({"whitelist": ["guest"]}), "made-up", "GET"));
    }

    #[test]
    fn a_refusal_has_the_configured_status_and_text() {
        let config = json!({"blacklist": ["alice"], "rejected_code": 401, "rejected_msg": "no"});
        assert_eq!(answer(&config, "alice-key", "GET"), Some((401, "no".into())));
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        for (config, why) in [
            (json!({}), "give whitelist, blacklist or allowed_by_methods"),
            (json!({"whitelist": []}), "whitelist: must not be empty"),
            (json!({"whitelist": ["a"], "type": "consumer"}), "unknown variant"),
            (json!({"whitelist": ["a"], "rejected_code": 100}), "between 200 and 599"),
            (json!({"allowed_by_methods": [{"user": "a", "methods": ["FETCH"]}]}), "unknown variant `FETCH`"),
        ] {
            let message = Bench::problem(json!({"consumer-restriction": config}));
            assert!(message.contains(why), "{config}: {message}");
        }
    }
}
