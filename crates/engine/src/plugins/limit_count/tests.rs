//! `limit-count` on a worker: answers, headers, keys, groups, and what is refused when it is built.

use crate::generation::Generation;
use crate::plugins::testing::{Bench, body, get};
use serde_json::{Value, json};
use std::sync::Arc;

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
    let bench =
        bench(json!({"count": 1, "time_window": 9, "rejected_code": 429, "rejected_msg": "slow \"down\""}));
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
fn the_headers_may_have_other_names() {
    let names =
        json!({"limit_header": "RateLimit-Limit", "remaining_header": "Left", "reset_header": "Again"});
    let mut settings = json!({"count": 2, "time_window": 60});
    settings.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
    let bench = bench(settings);
    let mut exchange = bench.exchange(get("/"));
    assert!(bench.run(&mut exchange).is_none());
    let headers = &exchange.response_headers;
    assert_eq!(
        (&headers["ratelimit-limit"], &headers["left"], &headers["again"]),
        (&"2".parse().unwrap(), &"1".parse().unwrap(), &"60".parse().unwrap())
    );
    assert_eq!(headers.len(), 3);
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
        (json!({"count": 0}), "/limit-count/count: count: invalid value"),
        (json!({"count": 1.5}), "expected a nonzero"),
        (json!({"time_window": -1}), "/limit-count/time_window: time_window: invalid value"),
        (json!({"count": 1_u64 << 53}), "count: must be at most 9007199254740991"),
        (json!({"time_window": 3_153_600_001_u64}), "time_window: must be at most 3153600000 seconds"),
        (json!({"group": ""}), "group: must not be empty"),
        (json!({"rejected_code": 600}), "200 to 599"),
        (json!({"rejected_code": 199}), "200 to 599"),
        (json!({"rejected_msg": ""}), "rejected_msg: must not be empty"),
        (json!({"policy": "redis"}), "not supported yet"),
        (json!({"policy": "redis-cluster"}), "not supported yet"),
        (json!({"key": "remote_adr"}), "did you mean $remote_addr?"),
        (json!({"key": "$remote_addr $uri"}), "var_combination"),
        (json!({"key": "$1", "key_type": "var_combination"}), "$1 stands for nothing"),
        (json!({"kye": "uri"}), "unknown field `kye`"),
        (json!({"limit_header": "no header"}), "limit_header: \"no header\" is not a valid header name"),
        (json!({"reset_header": "Content-Length"}), "reset_header: content-length is HTTP's own"),
        (
            json!({"remaining_header": "Transfer-Encoding"}),
            "remaining_header: transfer-encoding is HTTP's own",
        ),
    ];
    for (change, why) in wrong {
        let mut config = whole.clone();
        config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let message = Bench::problem(json!({"limit-count": config}));
        assert!(message.contains(why), "{change}: {message}");
    }
    assert!(Bench::problem(json!({"limit-count": {"count": 1}})).contains("time_window"));
}

/// The problems of a snapshot with these `limit-count` settings, each on a route of its own: `a`, `b` and so on.
fn problems<const N: usize>(settings: [Value; N]) -> Vec<(String, String)> {
    let routes: Vec<Value> = settings
        .into_iter()
        .zip('a'..='z')
        .map(|(settings, id)| {
            json!({
                "id": id,
                "uris": [format!("/{id}")],
                "plugins": {"limit-count": settings},
                "target": {"static": {"status": 200}},
            })
        })
        .collect();
    let snapshot = json!({"version": 1, "gateway": {"listen": [], "workers": 1}, "routes": routes});
    let built = Generation::from_json(&snapshot.to_string(), &Arc::default());
    built.err().map(|error| error.problems).unwrap_or_default()
}

#[test]
fn a_group_whose_settings_differ_is_refused_with_both_places() {
    let one = json!({"count": 1, "time_window": 60, "group": "shared"});
    let same = json!({"count": 1, "time_window": 60, "group": "shared", "key": "remote_addr"});
    let other = json!({"count": 1, "time_window": 10, "group": "shared"});
    let apart = json!({"count": 1, "time_window": 10, "group": "apart"});
    assert_eq!(problems([one.clone(), same, apart]), []);
    let why = "group: the settings of the group \"shared\" at route:b are not those at route:a; places of one group \
               must have the same settings";
    assert_eq!(problems([one, other]), [("/routes/1/plugins/limit-count".to_owned(), why.to_owned())]);
}
