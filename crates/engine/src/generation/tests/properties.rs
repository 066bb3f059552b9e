//! Random deltas one after the other give what the snapshot of the same state gives: the same answers, or a refusal.

use super::super::{Generation, Target};
use crate::plugins::testing::key;
use crate::state::State;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const SECTIONS: [&str; 6] = ["upstreams", "consumers", "apps", "routes", "global_rules", "ssls"];
const HOSTS: [&str; 3] = ["", "a.test", "x.b.test"];
const PATHS: [&str; 6] = ["/a", "/a/1", "/a/1/b", "/a/x.j", "/b", "/b/c/d"];

/// The entries of a snapshot, section by section, in order.
type Sections = Map<String, Value>;

fn entries<'s>(state: &'s mut Sections, section: &str) -> &'s mut Vec<Value> {
    state.entry(section).or_insert_with(|| json!([])).as_array_mut().unwrap()
}

fn id(entry: &Value) -> &str {
    entry.get("id").or_else(|| entry.get("username")).unwrap().as_str().unwrap()
}

/// What the delta's writer means it to do.
fn apply(state: &mut Sections, delta: &Value) {
    for section in SECTIONS {
        let entries = entries(state, section);
        for gone in delta["remove"][section].as_array().unwrap() {
            entries.retain(|entry| id(entry) != gone.as_str().unwrap());
        }
        for new in delta["put"][section].as_array().unwrap() {
            match entries.iter_mut().find(|entry| id(entry) == id(new)) {
                Some(entry) => *entry = new.clone(),
                None => entries.push(new.clone()),
            }
        }
    }
}

fn name(prefix: &'static str) -> impl Strategy<Value = String> {
    (0..4).prop_map(move |number| format!("{prefix}{number}"))
}

fn plugins() -> impl Strategy<Value = Value> {
    let limit =
        (prop::sample::select(vec![1, 1, 1, 2]), prop::option::of(name("g"))).prop_map(|(count, group)| {
            let mut settings = json!({"count": count, "time_window": 60});
            group.into_iter().for_each(|group| settings["group"] = json!(group));
            json!({"limit-count": settings})
        });
    prop_oneof![
        4 => Just(json!({})),
        2 => Just(json!({"cors": {}, "prometheus": {}})),
        3 => limit,
        1 => name("c").prop_map(|name| json!({"key-auth": {"anonymous_consumer": name}})),
    ]
}

fn upstream() -> impl Strategy<Value = Value> {
    (name("u"), 1..4u16).prop_map(|(id, port)| upstream_of(&id, port))
}

fn upstream_of(id: &str, port: u16) -> Value {
    json!({
        "id": id, "scheme": "http", "pass_host": "pass", "retries": 0, "tls_verify": true,
        "nodes": [{"host": "127.0.0.1", "port": port, "weight": 1}],
        "timeout": {"connect_ms": 1, "send_ms": 1, "read_ms": 1},
        "keepalive": {"size": 1, "idle_timeout_ms": 1, "requests": 1},
    })
}

fn consumer() -> impl Strategy<Value = Value> {
    (name("c"), prop::collection::vec(name("k"), 0..2)).prop_map(|(username, keys)| {
        let credential =
            |name: &String| json!({"id": name, "plugin": "key-auth", "config": {"key_sha256": key(name)}});
        json!({"username": username, "credentials": keys.iter().map(credential).collect::<Vec<_>>()})
    })
}

fn app() -> impl Strategy<Value = Value> {
    (name("a"), prop::collection::vec(name("r"), 0..2)).prop_map(|(id, mut routes)| {
        routes.dedup();
        let tool = |route: &String| {
            json!({"name": route, "route": route, "definition": {"name": route, "inputSchema": {"type": "object"}},
                "request": {"method": "GET", "host": "a", "path": "/", "accept": "*/*"}})
        };
        json!({"id": id, "name": id, "title": id, "version": "1", "max_result_characters": 1000,
            "tools": routes.iter().map(tool).collect::<Vec<_>>()})
    })
}

fn route() -> impl Strategy<Value = Value> {
    let uris = vec!["/a", "/a/*", "/a/:x", "/a/{x}", "/a/{x}.j", "/a/:x/b", "/b*", "/*", "/b/c/d"];
    let hosts = vec!["", "", "a.test", "*.b.test"];
    let target = prop_oneof![
        3 => name("u").prop_map(|id| json!({"upstream": {"id": id}})),
        1 => name("a").prop_map(|id| json!({"mcp": {"app": id}})),
        3 => Just(json!({"static": {"status": 200}})),
    ];
    let uris = prop::collection::vec(prop::sample::select(uris), 1..3);
    (name("r"), uris, prop::sample::select(hosts), 0..2, 0..2, plugins(), target).prop_map(
        |(id, uris, host, priority, order, plugins, target)| {
            let hosts: Vec<&str> = Some(host).into_iter().filter(|host| !host.is_empty()).collect();
            json!({"id": id, "uris": uris, "hosts": hosts, "priority": priority, "order": order, "plugins": plugins,
                "target": target})
        },
    )
}

fn rule() -> impl Strategy<Value = Value> {
    (name("g"), plugins()).prop_map(|(id, plugins)| json!({"id": id, "plugins": plugins}))
}

fn ssl() -> impl Strategy<Value = Value> {
    static PAIR: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| {
        let key = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        json!({"cert": key.cert.pem(), "key": key.signing_key.serialize_pem()})
    });
    let name_ = prop::sample::select(vec!["a.test", "*.b.test", "x.b.test"]);
    (name("s"), name_, any::<bool>()).prop_map(|(id, sni, default)| {
        json!({"id": id, "snis": [sni], "default": default, "certificates": [*PAIR], "protocols": ["TLSv1.3"]})
    })
}

/// Entries with ids of their own, and ids that go.
fn section<S: Strategy<Value = Value>>(
    entry: fn() -> S,
    prefix: &'static str,
) -> impl Strategy<Value = (Vec<Value>, Vec<String>)> {
    let many = prop_oneof![3 => Just(0), 2 => Just(1), 1 => 2..4usize];
    let put = many.prop_flat_map(move |many| prop::collection::vec(entry(), many)).prop_map(|mut put| {
        put.sort_by(|one, other| id(one).cmp(id(other)));
        put.dedup_by(|one, other| id(one) == id(other));
        put
    });
    let remove = prop_oneof![5 => Just(None), 1 => name(prefix).prop_map(Some)];
    (put, remove.prop_map(|gone| gone.into_iter().collect()))
}

fn delta() -> impl Strategy<Value = Value> {
    let sections = (
        section(upstream, "u"),
        section(consumer, "c"),
        section(app, "a"),
        section(route, "r"),
        section(rule, "g"),
        section(ssl, "s"),
    );
    sections.prop_map(|(upstreams, consumers, apps, routes, rules, ssls)| {
        let mut delta = json!({"version": 1, "put": {}, "remove": {}});
        for (name, (put, remove)) in
            SECTIONS.into_iter().zip([upstreams, consumers, apps, routes, rules, ssls])
        {
            delta["put"][name] = json!(put);
            delta["remove"][name] = json!(remove);
        }
        delta
    })
}

/// What a generation answers, as text.
fn answers(generation: &Generation) -> Vec<String> {
    let mut answers = Vec::new();
    for host in HOSTS {
        for path in PATHS {
            let mut offered = Vec::new();
            generation.router.find(host, path, |route| {
                let target = match &route.target {
                    Target::Upstream { upstream, .. } => {
                        let upstream = generation.upstreams.get(&**upstream).expect("the upstream");
                        format!("{}:{}", upstream.definition.id, upstream.roster().members[0].port)
                    }
                    Target::Mcp { app } => generation.apps.get(&**app).expect("the app").routes().collect(),
                    Target::Static(_) | Target::Document(_) => String::new(),
                };
                offered.push(format!("{} {:?} {target}", route.id, route.chain.names().collect::<Vec<_>>()));
                false
            });
            answers.push(format!("{host}{path}: {offered:?}"));
        }
        answers.push(format!("{host}: {:?}", generation.tls.find(Some(host)).map(|entry| entry.id())));
    }
    for number in 0..4 {
        let digest = crate::plugins::decode_digest(&key(&format!("k{number}"))).unwrap();
        let holder = generation.consumers.by_key(&digest).map(|identity| identity.consumer.username.clone());
        let known = generation.consumers.by_name(&format!("c{number}")).is_some();
        let route = generation.routes.contains(format!("r{number}"));
        answers.push(format!("{number}: {holder:?} {known} {route}"));
    }
    answers.push(format!(
        "{:?} {}",
        generation.global.names().collect::<Vec<_>>(),
        generation.upstreams.len()
    ));
    answers
}

fn whole(state: &Sections) -> String {
    let mut whole = json!({"version": 1, "gateway": {"listen": [], "workers": 1}});
    whole.as_object_mut().unwrap().extend(state.clone());
    whole.to_string()
}

proptest! {
    #[test]
    fn deltas_give_what_the_snapshot_of_the_same_state_gives(deltas in prop::collection::vec(delta(), 1..24)) {
        let engine: Arc<State> = Arc::default();
        let mut state = Sections::new();
        // Something to refer to, or most would be refused.
        let ids = || (0..4).map(|number| number.to_string());
        *entries(&mut state, "upstreams") = ids().map(|id| upstream_of(&format!("u{id}"), 80)).collect();
        *entries(&mut state, "consumers") = ids().map(|id| json!({"username": format!("c{id}")})).collect();
        let (_, mut generation) = Generation::from_json(&whole(&state), &engine).unwrap();
        for delta in deltas {
            let mut next = state.clone();
            apply(&mut next, &delta);
            let by_snapshot = Generation::from_json(&whole(&next), &engine);
            let by_delta = generation.changed(&delta.to_string(), &engine);
            match (by_snapshot, by_delta) {
                (Ok((_, by_snapshot)), Ok(by_delta)) => {
                    prop_assert_eq!(answers(&by_delta), answers(&by_snapshot));(state, generation) = (next, by_delta);
                }
                (Err(_), Err(_)) => {}
                (by_snapshot, by_delta) => prop_assert!(
                    false, "by snapshot: {:?}\nby delta: {:?}", by_snapshot.err(), by_delta.err()
                ),
            }
        }
    }
}
