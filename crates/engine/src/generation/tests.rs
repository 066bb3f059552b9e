//! What building refuses, each with the pointer to its place, and what it spells anew.

mod certificates;
mod deltas;
mod properties;

use super::{Generation, Target};
use serde_json::{Value, json};
use std::sync::Arc;

fn build(snapshot: Value) -> Result<Generation, Vec<(String, String)>> {
    let mut whole = json!({"version": 1, "gateway": {"listen": [], "workers": 1}});
    whole.as_object_mut().unwrap().extend(snapshot.as_object().unwrap().clone());
    let built = Generation::from_json(&whole.to_string(), &Arc::default());
    built.map(|(_, generation)| generation).map_err(|error| error.problems)
}

fn route(target: Value) -> Value {
    json!({
        "upstreams": [{
            "id": "node", "scheme": "http", "pass_host": "pass", "retries": 0, "tls_verify": true,
            "nodes": [{"host": "127.0.0.1", "port": 80, "weight": 1}],
            "timeout": {"connect_ms": 1, "send_ms": 1, "read_ms": 1},
            "keepalive": {"size": 1, "idle_timeout_ms": 1, "requests": 1},
        }],
        "routes": [{"id": "r", "uris": ["/*"], "target": target}],
    })
}

fn pointers(snapshot: Value) -> Vec<String> {
    build(snapshot).err().unwrap_or_default().into_iter().map(|(at, _)| at).collect()
}

#[test]
fn a_static_answer_has_no_headers_of_the_connection() {
    for name in
        ["transfer-encoding", "Content-Length", "connection", "keep-alive", "upgrade", "te", "trailer"]
    {
        let answer = json!({"static": {"status": 200, "headers": {name: "chunked", "x-fine": "1"}}});
        assert_eq!(pointers(route(answer)), [format!("/routes/0/target/static/headers/{name}")]);
    }
    let answer = json!({"static": {"status": 200, "headers": {"a/b": "1"}}});
    assert_eq!(pointers(route(answer)), ["/routes/0/target/static/headers/a~1b"]);
}

#[test]
fn a_static_answer_has_a_final_status() {
    for status in [0, 99, 100, 101, 103, 199, 1000] {
        let answer = json!({"static": {"status": status}});
        assert_eq!(pointers(route(answer)), ["/routes/0/target/static/status"], "{status}");
    }
    assert!(build(route(json!({"static": {"status": 200}}))).is_ok());
}

#[test]
fn prefixes_are_spelled_as_request_paths_are() {
    let target = json!({"upstream": {"id": "node", "strip_prefix": "/café x", "add_prefix": "/%7euser/ü"}});
    let generation = build(route(target)).unwrap_or_else(|problems| panic!("{problems:?}"));
    let Target::Upstream { strip_prefix, add_prefix, .. } = &generation.routes.get("r").unwrap().target
    else {
        panic!("another target");
    };
    assert_eq!((&**strip_prefix, &**add_prefix), ("/caf%C3%A9%20x", "/~user/%C3%BC"));
}

#[test]
fn a_prefix_that_is_no_path_is_refused() {
    let target = json!({"upstream": {"id": "node", "strip_prefix": "/a?b", "add_prefix": "/%zz"}});
    let at = "/routes/0/target/upstream";
    assert_eq!(pointers(route(target)), [format!("{at}/strip_prefix"), format!("{at}/add_prefix")]);
}

#[test]
fn a_consumer_cannot_have_plugins_that_run_before_it_is_known() {
    let consumer = |name: &str| json!({"consumers": [{"username": "jack", "plugins": {name: {}}}]});
    for name in ["real-ip", "request-id", "cors", "key-auth"] {
        let problems = build(consumer(name)).err().unwrap_or_default();
        let [(at, why)] = problems.as_slice() else { panic!("{name}: {problems:?}") };
        assert_eq!(at, &format!("/consumers/0/plugins/{name}"));
        assert!(why.starts_with(&format!("{name} runs before the consumer is known")), "{why}");
    }
    assert!(build(consumer("prometheus")).is_ok());
}

#[test]
fn a_plugins_problem_names_the_field_and_points_to_it() {
    let plugins = |plugins: Value| json!({"global_rules": [{"id": "g", "plugins": plugins}]});
    for (settings, below, why) in [
        (
            json!({"limit-count": {"count": 0, "time_window": 1}}),
            "/limit-count/count",
            "count: invalid value",
        ),
        (json!({"proxy-rewrite": {"headers": {"remove": ["a", 1]}}}), "/proxy-rewrite/headers", "headers: "),
        (json!({"limit-count": {"count": 1}}), "/limit-count", "missing field `time_window`"),
    ] {
        let problems = build(plugins(settings)).err().unwrap_or_default();
        let [(at, message)] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(at.starts_with(&format!("/global_rules/0/plugins{below}")), "{at}");
        assert!(message.starts_with(why), "{message}");
    }
}
