//! Every field of the plugin, and everything that it refuses.

use crate::exchange::Exchange;
use crate::plugins::testing::{Bench, body, get};
use serde_json::{Value, json};

fn run(config: Value, request: http::request::Builder) -> Exchange {
    let bench = Bench::new(json!({"proxy-rewrite": config}));
    let mut exchange = bench.exchange(request);
    assert!(bench.run(&mut exchange).is_none());
    exchange
}

fn uri(config: Value, request: &str) -> Option<String> {
    run(config, get(request)).rewrite.uri.map(|uri| uri.to_string())
}

#[track_caller]
fn assert_uri(config: Value, request: &str, expected: &str) {
    assert_eq!(uri(config, request).as_deref(), Some(expected));
}

#[test]
fn changes_nothing_when_nothing_is_set() {
    let exchange = run(json!({}), get("/a?b").header("x-a", "1"));
    assert!(exchange.rewrite.uri.is_none() && exchange.rewrite.host.is_none());
    assert_eq!((exchange.request.method.as_str(), exchange.request.headers.len()), ("GET", 1));
}

#[test]
fn sets_the_path_and_keeps_the_query() {
    assert_uri(json!({"uri": "/fixed"}), "/a", "/fixed");
    assert_uri(json!({"uri": "/fixed"}), "/a?b=1&c", "/fixed?b=1&c");
    assert_uri(json!({"uri": "/fixed?x=1"}), "/a?b=1", "/fixed?x=1&b=1");
    assert_uri(json!({"uri": "/fixed?x=1"}), "/a", "/fixed?x=1");
}

#[test]
fn puts_variables_into_the_path() {
    assert_uri(json!({"uri": "/v2$uri"}), "/a%20b/c", "/v2/a%20b/c");
    assert_uri(json!({"uri": "$uri"}), "/a", "/a");
    assert_uri(json!({"uri": "/x$request_uri"}), "/a?b=1", "/x/a?b=1");
    assert_uri(json!({"uri": "/users/${arg_id}.json"}), "/?id=7", "/users/7.json?id=7");
}

#[test]
fn what_a_client_puts_into_a_variable_stays_in_its_place() {
    assert_uri(
        json!({"uri": "/users/$arg_id"}),
        "/?id=a/b?c%23%0d%0a+d%C3%A9",
        "/users/a%2Fb%3Fc%23%0D%0A%20d%C3%A9?id=a/b?c%23%0d%0a+d%C3%A9",
    );
    let bench = Bench::new(json!({"proxy-rewrite": {"uri": "/users/$arg_id/x"}}));
    for id in ["..", ".", "%2e%2e", "..%2f..%2fetc", "a%2f..", "..%5cetc"] {
        let response = bench.run(&mut bench.exchange(get(&format!("/?id={id}")))).expect("a refusal");
        assert_eq!(response.status(), 400, "{id}");
        assert_eq!(body(&response), json!({"message": "The rewritten path is not valid"}));
    }
}

#[test]
fn escapes_what_may_not_stand_in_a_uri() {
    assert_uri(json!({"uri": "/a b\"<é>%41%4%#{x}"}), "/", "/a%20b%22%3C%C3%A9%3E%41%254%25%23%7Bx%7D");
    assert_uri(json!({"uri": "/costs/\\$5"}), "/", "/costs/$5");
}

#[test]
fn replaces_what_the_first_matching_expression_matches() {
    let config =
        json!({"regex_uri": ["^/old/(.*)/(\\d+)$", "/new/$2/$1", "^/old/", "/other/", "y", "z?q=1"]});
    assert_uri(config.clone(), "/old/a/7", "/new/7/a");
    assert_uri(config.clone(), "/old/a?b", "/other/a?b");
    assert_uri(config.clone(), "/xy?b=2", "/xz?q=1&b=2");
    assert_eq!(uri(config, "/nothing"), None);
}

#[test]
fn a_replacement_may_lack_its_slash_and_have_variables() {
    assert_uri(json!({"regex_uri": ["^/(a)(b)?", "$1$2-$method$0"]}), "/a", "/a-GET/a");
    assert_uri(json!({"regex_uri": ["^/a(.*)", "/$1st"]}), "/a1", "/1st");
}

#[test]
fn uri_goes_before_regex_uri() {
    assert_uri(json!({"uri": "/x", "regex_uri": ["^/a", "/b"]}), "/a", "/x");
}

#[test]
fn sets_method_and_host() {
    let exchange = run(json!({"method": "PUT", "host": "api.internal:8443"}), get("/"));
    assert_eq!(exchange.request.method, "PUT");
    assert_eq!(exchange.rewrite.host.unwrap(), "api.internal:8443");
}

#[test]
fn a_plain_map_sets_headers() {
    let request = get("/").header("x-a", "client").header("x-a", "again").header("x-b", "kept");
    let headers = run(json!({"headers": {"X-A": "set", "X-N": 7, "X-E": ""}}), request).request.headers;
    assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["set"]);
    assert_eq!(
        (&headers["x-b"], &headers["x-n"], &headers["x-e"]),
        (&"kept".parse().unwrap(), &"7".parse().unwrap(), &"".parse().unwrap())
    );
}

#[test]
fn adds_removes_and_sets_headers() {
    let config = json!({"headers": {"add": {"x-a": "2"}, "remove": ["X-B", "x-c"], "set": {"x-c": "new"}}});
    let request = get("/").header("x-a", "1").header("x-b", "1").header("x-c", "1");
    let headers = run(config, request).request.headers;
    assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert!(!headers.contains_key("x-b"));
    assert_eq!(headers["x-c"], "new");
}

#[test]
fn puts_variables_and_groups_into_headers() {
    let config = json!({
        "regex_uri": ["^/(\\w+)/(\\w+)", "/$2"],
        "headers": {"set": {"x-who": "$remote_addr via ${host}", "x-first": "<$1>", "x-cost": "\\$5"}},
    });
    let headers = run(config.clone(), get("/a/b").header("host", "API.example:80")).request.headers;
    assert_eq!(headers["x-who"], "192.0.2.7 via api.example");
    assert_eq!(headers["x-first"], "<a>");
    assert_eq!(headers["x-cost"], "$5");
    assert_eq!(run(config, get("/").header("host", "h")).request.headers["x-first"], "<>");
}

#[test]
fn a_value_that_no_header_may_have_leaves_the_header_out() {
    let config = json!({"headers": {"set": {"x-user": "$arg_user"}, "add": {"x-more": "$arg_user"}}});
    let request = get("/?user=a%0d%0aX-Admin:%201").header("x-user", "forged");
    let headers = run(config, request).request.headers;
    assert!(headers.is_empty(), "{headers:?}");
}

#[test]
fn refuses_settings_that_cannot_hold() {
    let wrong = [
        (json!({"uri": "relative"}), "must begin with /"),
        (json!({"uri": "$arg_x"}), "must begin with /"),
        (json!({"uri": "/$1"}), "use it in regex_uri"),
        (json!({"uri": "/$urri"}), "did you mean $uri?"),
        (json!({"regex_uri": ["^/a"]}), "must have pairs"),
        (json!({"regex_uri": []}), "must have pairs"),
        (json!({"regex_uri": ["^/a", "/b", "^/c"]}), "has 3 items"),
        (json!({"regex_uri": ["(", "/b"]}), "regex parse error"),
        (json!({"regex_uri": ["^/(a)", "/$2"]}), "no group $2"),
        (json!({"method": "GE T"}), "not a method"),
        (json!({"method": "get"}), "upper case"),
        (json!({"method": "HEAD"}), "HEAD cannot be set"),
        (json!({"method": "CONNECT"}), "CONNECT cannot be sent"),
        (json!({"host": "a/b"}), "is not a host"),
        (json!({"host": ""}), "is not a host"),
        (json!({"host": "user@a"}), "is not a host"),
        (json!({"headers": {"Host": "a"}}), "use `host`"),
        (json!({"headers": {"Content-Length": 5}}), "belongs to the connection"),
        (json!({"headers": {"set": {"Transfer-Encoding": "chunked"}}}), "belongs to the connection"),
        (json!({"headers": {"add": {"Connection": "x"}}}), "belongs to the connection"),
        (json!({"headers": {"remove": ["Upgrade"]}}), "belongs to the connection"),
        (json!({"headers": {"a b": "x"}}), "not a valid header name"),
        (json!({"headers": {"x": "a\r\nb: c"}}), "no header may have"),
        (json!({"headers": {"x": "$1"}}), "regex_uri does not have"),
        (json!({"headers": {"x": "$nope_at_all"}}), "there is no variable"),
        (json!({"headers": {"set": {}, "delete": {}}}), "unknown field `delete`"),
        (json!({"headers": {"x": true}}), "headers"),
        (json!({"use_real_request_uri_unsafe": true}), "unknown field"),
    ];
    for (config, why) in wrong {
        let message = Bench::problem(json!({"proxy-rewrite": config}));
        assert!(message.contains(why), "{config}: {message}");
    }
}
