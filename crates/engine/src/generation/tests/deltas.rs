//! Deltas: what they change, what they leave alone, and what they are refused for.

use super::super::Generation;
use crate::plugins::testing::key;
use crate::state::State;
use serde_json::{Value, json};
use std::sync::Arc;

/// An engine's state and what runs.
struct Running {
    state: Arc<State>,
    generation: Generation,
}

impl Running {
    fn new(content: Value) -> Self {
        let mut whole = json!({"version": 1, "gateway": {"listen": [], "workers": 1}});
        whole.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        let state = Arc::default();
        let (_, generation) =
            Generation::from_json(&whole.to_string(), &state).unwrap_or_else(|error| panic!("{error}"));
        Self { state, generation }
    }

    fn changed(&self, delta: Value) -> Result<Generation, Vec<(String, String)>> {
        let mut whole = json!({"version": 1});
        whole.as_object_mut().unwrap().extend(delta.as_object().unwrap().clone());
        self.generation.changed(&whole.to_string(), &self.state).map_err(|error| error.problems)
    }

    fn change(&mut self, delta: Value) {
        self.generation = self.changed(delta).unwrap_or_else(|problems| panic!("{problems:?}"));
    }

    /// Why the delta is refused: pointers with messages.
    fn refusal(&self, delta: Value) -> Vec<String> {
        let problems = self.changed(delta).err().expect("a refusal");
        problems.into_iter().map(|(at, why)| format!("{at}: {why}")).collect()
    }

    fn route_at(&self, host: &str, path: &str) -> Option<&str> {
        self.generation.router.find(host, path, |_| true).map(|route| &*route.id)
    }
}

fn upstream(id: &str, port: u16) -> Value {
    json!({
        "id": id, "scheme": "http", "pass_host": "pass", "retries": 0, "tls_verify": true,
        "nodes": [{"host": "127.0.0.1", "port": port, "weight": 1}],
        "timeout": {"connect_ms": 1, "send_ms": 1, "read_ms": 1},
        "keepalive": {"size": 1, "idle_timeout_ms": 1, "requests": 1},
    })
}

fn route(id: &str, uri: &str, upstream: &str) -> Value {
    json!({"id": id, "uris": [uri], "target": {"upstream": {"id": upstream}}})
}

fn with_plugins(mut route: Value, plugins: Value) -> Value {
    route["plugins"] = plugins;
    route
}

fn consumer(username: &str, keys: &[&str]) -> Value {
    let credential =
        |name: &&str| json!({"id": name, "plugin": "key-auth", "config": {"key_sha256": key(name)}});
    json!({"username": username, "credentials": keys.iter().map(credential).collect::<Vec<_>>()})
}

fn app(id: &str, routes: &[&str]) -> Value {
    let tool = |route: &&str| {
        json!({"name": route, "route": route, "definition": {"name": route, "inputSchema": {"type": "object"}},
            "request": {"method": "GET", "host": "a", "path": "/", "accept": "*/*"}})
    };
    json!({"id": id, "name": id, "title": id, "version": "1", "max_result_characters": 1000,
        "tools": routes.iter().map(tool).collect::<Vec<_>>()})
}

/// Two upstreams, routes to them, a consumer who is anonymous somewhere, an app.
fn shop() -> Running {
    Running::new(json!({
        "upstreams": [upstream("one", 1), upstream("two", 2)],
        "consumers": [consumer("alice", &["a"]), consumer("guest", &[])],
        "apps": [app("shop", &["list", "open"])],
        "routes": [
            route("list", "/list", "one"),
            with_plugins(route("open", "/open", "two"), json!({"key-auth": {"anonymous_consumer": "guest"}})),
            {"id": "mcp", "uris": ["/mcp"], "target": {"mcp": {"app": "shop"}}},
        ],
    }))
}

#[test]
fn what_a_delta_does_not_name_is_shared() {
    let mut running = shop();
    let before = running.generation.clone();
    running.change(
        json!({"put": {"routes": [route("list", "/lists", "two")], "upstreams": [upstream("two", 3)]}}),
    );
    let after = &running.generation;
    assert_eq!((running.route_at("", "/list"), running.route_at("", "/lists")), (None, Some("list")));
    assert_eq!(before.router.find("", "/list", |_| true).map(|route| &*route.id), Some("list"));
    for id in ["open", "mcp"] {
        assert!(Arc::ptr_eq(before.routes.get(id).unwrap(), after.routes.get(id).unwrap()), "{id}");
    }
    assert!(Arc::ptr_eq(before.upstreams.get("one").unwrap(), after.upstreams.get("one").unwrap()));
    assert!(Arc::ptr_eq(before.apps.get("shop").unwrap(), after.apps.get("shop").unwrap()));
    let guest = |generation: &Generation| generation.consumers.by_name("guest").unwrap().clone();
    assert!(Arc::ptr_eq(&guest(&before), &guest(after)));
    let port = |generation: &Generation| generation.upstreams.get("two").unwrap().roster().members[0].port;
    assert_eq!((port(&before), port(after)), (2, 3));
}

#[test]
fn a_node_that_stays_keeps_what_is_known_of_it() {
    let mut running = shop();
    let state = |running: &Running| {
        running.generation.upstreams.get("one").unwrap().roster().members[0].state.clone()
    };
    let before = state(&running);
    let mut changed = upstream("one", 1);
    changed["retries"] = json!(2);
    running.change(json!({"put": {"upstreams": [changed]}}));
    assert!(Arc::ptr_eq(&before, &state(&running)));
}

#[test]
fn upkeep_hears_of_upstreams_and_dns_alone() {
    let mut running = shop();
    let first = running.generation.upkeep;
    running.change(
        json!({"put": {"routes": [route("new", "/new", "one")], "consumers": [consumer("bob", &[])]}}),
    );
    running.change(json!({"remove": {"upstreams": ["not there"]}}));
    running.change(json!({"gateway": {"listen": [], "workers": 1, "limits": {"uri_bytes": 99}}}));
    assert_eq!((running.generation.upkeep, running.generation.limits.uri_bytes), (first, 99));
    running.change(json!({"put": {"upstreams": [upstream("three", 3)]}}));
    let second = running.generation.upkeep;
    running.change(json!({"remove": {"upstreams": ["three"]}}));
    let third = running.generation.upkeep;
    running.change(json!({"gateway": {"listen": [], "workers": 1, "dns": {"nameservers": ["192.0.2.1"]}}}));
    assert!(first < second && second < third && third < running.generation.upkeep);
}

#[test]
fn a_replaced_route_keeps_its_turn_and_one_that_is_removed_too_comes_last() {
    let mut running = Running::new(json!({
        "upstreams": [upstream("up", 1)],
        "routes": [route("a", "/x/:a", "up"), route("b", "/x/:b", "up")],
    }));
    running.change(json!({"put": {"routes": [route("a", "/x/{a}", "up")]}}));
    assert_eq!(running.route_at("", "/x/1"), Some("a"));
    running.change(json!({"put": {"routes": [route("a", "/x/:a", "up")]}, "remove": {"routes": ["a"]}}));
    assert_eq!(running.route_at("", "/x/1"), Some("b"));
    let mut early = route("c", "/x/:c", "up");
    running.change(json!({"put": {"routes": [early]}}));
    assert_eq!(running.route_at("", "/x/1"), Some("b"));
    early = route("c", "/x/:c", "up");
    early["priority"] = json!(1);
    running.change(json!({"put": {"routes": [early]}}));
    assert_eq!(running.route_at("", "/x/1"), Some("c"));
}

#[test]
fn a_route_of_a_smaller_order_goes_first_however_late_it_comes() {
    let mut generated = route("generated", "/x/:a", "up");
    generated["order"] = json!(1);
    let mut running = Running::new(json!({"upstreams": [upstream("up", 1)], "routes": [generated]}));
    running.change(json!({"put": {"routes": [route("own", "/x/:b", "up")]}}));
    assert_eq!(running.route_at("", "/x/1"), Some("own"));
}

#[test]
fn global_rules_keep_their_order() {
    let rule = |id: &str, plugin: &str| json!({"id": id, "plugins": {plugin: {}}});
    let mut running = Running::new(json!({"global_rules": [rule("a", "cors"), rule("b", "prometheus")]}));
    let names = |running: &Running| running.generation.global.names().collect::<Vec<_>>();
    running.change(json!({"put": {"global_rules": [rule("c", "proxy-rewrite"), rule("a", "request-id")]}}));
    assert_eq!(names(&running), ["request-id", "prometheus", "proxy-rewrite"]);
    running.change(
        json!({"remove": {"global_rules": ["b", "a"]}, "put": {"global_rules": [rule("a", "cors")]}}),
    );
    assert_eq!(names(&running), ["proxy-rewrite", "cors"]);
}

#[test]
fn keys_follow_their_consumers() {
    let mut running = shop();
    let holder = |running: &Running, name: &str| {
        let digest = crate::plugins::decode_digest(&key(name)).unwrap();
        let identity = running.generation.consumers.by_key(&digest)?;
        Some(format!("{} by {}", identity.consumer.username, identity.credential?))
    };
    running.change(
        json!({"put": {"consumers": [consumer("bob", &["b1", "b2"]), consumer("alice", &["a", "c"])]}}),
    );
    let holders = ["a", "b1", "b2", "c"].map(|name| holder(&running, name).unwrap_or_default());
    assert_eq!(holders, ["alice by a", "bob by b1", "bob by b2", "alice by c"]);
    // What one gives up in a delta is free for another in the same.
    running.change(json!({"put": {"consumers": [consumer("carol", &["a"]), consumer("alice", &["b1"])]},
        "remove": {"consumers": ["bob"]}}));
    let holders = ["a", "b1", "b2", "c"].map(|name| holder(&running, name).unwrap_or_default());
    assert_eq!(holders, ["carol by a", "alice by b1", "", ""]);
}

#[test]
fn everything_wrong_is_told_at_once_and_nothing_changes() {
    let running = shop();
    let told = running.refusal(json!({
        "gateway": {"listen": [], "workers": 1, "trusted_addresses": ["here"]},
        "put": {
            "routes": [
                route("new", "/a/*/b", "none"),
                with_plugins(route("open", "/open", "two"), json!({"limit-count": {"count": "one", "time_window": 1}})),
                {"id": "third", "uris": ["/"], "target": {"static": {"status": "200"}}},
                route("new", "/new", "one"),
            ],
            "consumers": [consumer("bob", &["a"]), {"username": "carol", "credentials": [{"id": "x", "plugin": "y", "config": {}}]}],
        },
        "remove": {"upstreams": ["one", "two"], "consumers": ["guest"], "apps": ["shop"], "routes": ["list"]},
    }));
    assert_eq!(
        told,
        [
            "/gateway/trusted_addresses/0: \"here\" is no address and no network such as 10.0.0.0/8",
            "/put/routes/3/id: there are two routes with the id \"new\"",
            "/put/consumers/0/credentials/0: consumer \"alice\" has the same key",
            "/put/consumers/1/credentials/0: no plugin takes credentials of \"y\"",
            "/put/routes/0/target/upstream/id: there is no upstream \"none\"",
            "/put/routes/0/uris: the path pattern \"/a/*/b\" has a \"*\" that is not at its end; use \":name\" or \
             \"{name}\" for one segment",
            "/put/routes/1/plugins/limit-count/count: count: invalid type: string \"one\", expected a nonzero u64",
            "/put/routes/1/target/upstream/id: there is no upstream \"two\"",
            "/put/routes/2/target/static/status: target.static.status: invalid type: string \"200\", expected u16",
            "/put/routes/3/target/upstream/id: there is no upstream \"one\"",
            "/remove/apps/0: \"shop\" is needed by the route \"mcp\"",
        ]
    );
    assert_eq!(running.route_at("", "/list"), Some("list"));
}

#[test]
fn what_is_needed_elsewhere_cannot_be_removed() {
    let running = shop();
    for (kind, id, who) in [
        ("upstreams", "one", "the route \"list\""),
        ("apps", "shop", "the route \"mcp\""),
        ("routes", "open", "the app \"shop\""),
    ] {
        let told = running.refusal(json!({"remove": {kind: ["not there", id]}}));
        assert_eq!(told, [format!("/remove/{kind}/1: {id:?} is needed by {who}")]);
    }
    let told = running.refusal(json!({"remove": {"routes": ["open", "list"]}}));
    assert_eq!(
        told,
        ["open", "list"].map(|id| format!(
            "/remove/routes/{}: {id:?} is needed by the app \"shop\"",
            usize::from(id == "list")
        ))
    );
    // With those who need it, anything can go.
    let all = json!({"upstreams": ["one", "two"], "consumers": ["guest"], "apps": ["shop"], "routes": ["open", "list", "mcp"]});
    assert!(running.changed(json!({"remove": all})).is_ok());
}

#[test]
fn an_api_and_its_operations_stay_as_long_as_a_route_holds_requests_against_them() {
    let mut running = shop();
    let api = |operations: Value| json!({"id": "shop", "operations": operations});
    let checked = json!({"oas-validator": {"api": "shop", "operation": "list"}});
    let of_none = json!({"oas-validator": {"api": "none", "operation": "list"}});
    running.change(json!({"put": {
        "apis": [api(json!({"list": {"method": "GET"}}))],
        "routes": [with_plugins(route("checked", "/checked", "one"), checked.clone())],
    }}));
    for (delta, why) in [
        (
            json!({"remove": {"apis": ["shop"]}}),
            "/remove/apis/0: \"shop\" is needed by the route \"checked\"",
        ),
        (
            json!({"put": {"apis": [api(json!({"lost": {"method": "GET"}}))]}}),
            "/put/apis/0/operations: \"list\" is needed by the route \"checked\"",
        ),
        (
            json!({"put": {"routes": [with_plugins(route("new", "/new", "one"), of_none)]}}),
            "/put/routes/0/plugins/oas-validator/api: there is no api \"none\"",
        ),
    ] {
        assert_eq!(running.refusal(delta), [why]);
    }
    let operations = json!({"list": {"method": "GET", "path": "/a", "body": {"contents": []}}});
    assert!(running.changed(json!({"put": {"apis": [api(operations)]}})).is_ok());
    assert!(running.changed(json!({"remove": {"apis": ["shop"], "routes": ["checked"]}})).is_ok());
}

#[test]
fn of_many_who_miss_what_was_removed_some_are_named() {
    let mut running = shop();
    let routes: Vec<Value> = (0..9).map(|at| route(&format!("r{at}"), &format!("/{at}"), "one")).collect();
    running.change(json!({"put": {"routes": routes}}));
    let why = "\"one\" is needed by the route \"list\", the route \"r0\", the route \"r1\" and 7 more";
    assert_eq!(
        running.refusal(json!({"remove": {"upstreams": ["one"]}})),
        [format!("/remove/upstreams/0: {why}")]
    );
}

#[test]
fn a_replacement_that_cannot_be_built_is_told_of_alone() {
    let mut wrong = upstream("one", 1);
    wrong["upstream_host"] = json!("a\nb");
    let told =
        shop().refusal(json!({"put": {"upstreams": [wrong], "routes": [route("new", "/new", "one")]}}));
    assert_eq!(told, ["/put/upstreams/0/upstream_host: this is not a valid Host"]);
}

#[test]
fn an_anonymous_consumer_may_come_later_and_go_before() {
    let rule = json!({"id": "g", "plugins": {"key-auth": {"anonymous_consumer": "late"}}});
    let mut running = shop();
    running.change(json!({"put": {"global_rules": [rule]}}));
    running.change(json!({"put": {"consumers": [consumer("late", &[])]}}));
    assert!(running.generation.consumers.by_name("late").is_some());
    running.change(json!({"remove": {"consumers": ["late", "guest"]}}));
    assert!(running.generation.consumers.by_name("late").is_none());
}

#[test]
fn groups_of_plugins_go_on_over_deltas() {
    let limited = |id: &str, count: u32| {
        let settings = json!({"count": count, "time_window": 60, "group": "shared"});
        with_plugins(route(id, &format!("/{id}"), "up"), json!({"limit-count": settings}))
    };
    let mut running =
        Running::new(json!({"upstreams": [upstream("up", 1)], "routes": [limited("a", 1), limited("b", 1)]}));
    let why = |here: &str, first: &str| {
        format!(
            "group: the settings of the group \"shared\" at route:{here} are not those at route:{first}; places of one \
             group must have the same settings"
        )
    };
    let at = "/put/routes/0/plugins/limit-count";
    assert_eq!(
        running.refusal(json!({"put": {"routes": [limited("c", 2)]}})),
        [format!("{at}: {}", why("c", "a"))]
    );
    assert_eq!(
        running.refusal(json!({"put": {"routes": [limited("a", 2)]}})),
        [format!("{at}: {}", why("a", "b"))]
    );
    // All of its places together may change, and the last one alone.
    running.change(json!({"put": {"routes": [limited("a", 2), limited("b", 2)]}}));
    running.change(json!({"remove": {"routes": ["b"]}}));
    running.change(json!({"put": {"routes": [limited("a", 3)]}}));
    running.change(json!({"put": {"routes": [route("a", "/a", "up")]}}));
    running.change(json!({"put": {"routes": [limited("b", 4)]}}));
}

#[test]
fn a_delta_that_cannot_be_read_is_refused_whole() {
    let running = shop();
    for (delta, why) in [
        (json!({"put": {"routs": []}}), "unknown field `routs`"),
        (json!({"putt": {}}), "unknown field `putt`"),
        (json!({"remove": {"routes": [1]}}), "expected a string"),
        (json!({"version": 2}), "this engine reads snapshot version 1, and this is version 2"),
    ] {
        let told = running.refusal(delta);
        assert!(told.len() == 1 && told[0].contains(why), "{told:?}");
    }
    assert!(running.generation.changed("{}", &running.state).is_err());
    assert!(running.changed(json!({})).is_ok());
}
