//! The plugins on the wire: what a client gets, what the upstream sees, and what metrics and access log tell of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use toolway_engine::Engine;
use toolway_testkit::{RawClient, Response, ScriptedUpstream, Step};

/// The SHA-256 of `alice-key`.
const KEY: &str = "72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20";

struct Gateway {
    engine: Engine,
    upstream: ScriptedUpstream,
    address: SocketAddr,
}

impl Gateway {
    /// A gateway with one route `/shop/*`, whose prefix is taken off, and an upstream that answers all with 200.
    async fn start(plugins: Value, settings: Value) -> Self {
        let answers: Vec<_> = (0..8).map(|_| Step::ok("fine")).collect();
        let upstream = ScriptedUpstream::start(answers).await.unwrap();
        let engine = Engine::new(&snapshot(upstream.address(), plugins, settings)).unwrap();
        engine.start().unwrap();
        let address = engine.listen_addresses()[0];
        Self { engine, upstream, address }
    }

    fn apply(&self, plugins: Value) {
        self.engine.apply(&snapshot(self.upstream.address(), plugins, json!({}))).unwrap();
    }

    async fn send(&self, line: &str, headers: &str) -> Response {
        let request = format!("{line} HTTP/1.1\r\nHost: gateway.test\r\n{headers}\r\n");
        RawClient::exchange(self.address, request).await.unwrap()
    }
}

fn snapshot(node: SocketAddr, plugins: Value, settings: Value) -> String {
    let mut gateway = json!({"listen": ["127.0.0.1:0"], "workers": 1});
    gateway.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let snapshot = json!({
        "version": 1,
        "gateway": gateway,
        "upstreams": [{
            "id": "up", "scheme": "http", "pass_host": "pass", "retries": 0,
            "nodes": [{"host": "127.0.0.1", "port": node.port(), "weight": 1}],
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000}, "tls_verify": true,
        }],
        "consumers": [{
            "username": "alice",
            "credentials": [{"id": "one", "plugin": "key-auth", "config": {"key_sha256": KEY}}],
        }],
        "routes": [{
            "id": "shop", "uris": ["/shop/*"], "plugins": plugins,
            "target": {"upstream": {"id": "up", "strip_prefix": "/shop"}},
        }],
    });
    snapshot.to_string()
}

#[tokio::test]
async fn a_key_in_the_query_is_known_and_kept_from_the_upstream() {
    let gateway = Gateway::start(json!({"key-auth": {}}), json!({})).await;
    let response = gateway.send("GET /shop/orders?apikey=alice-key&page=2", "").await;
    assert_eq!(response.status(), 200);
    let received = gateway.upstream.received().remove(0);
    assert_eq!(received.line(), "GET /orders?page=2 HTTP/1.1");
    assert_eq!(received.header("x-consumer-username"), Some("alice"));
    assert_eq!(received.header("x-credential-identifier"), Some("one"));
    let refused = gateway.send("GET /shop/orders", "").await;
    assert_eq!(
        (refused.status(), refused.text().as_str()),
        (401, r#"{"message":"Missing API key in request"}"#)
    );
    assert_eq!(refused.header("www-authenticate"), Some("apikey realm=\"key\""));
    assert_eq!(gateway.upstream.received().len(), 1);
}

#[tokio::test]
async fn an_anonymous_caller_has_a_name_and_no_credential() {
    let plugins = json!({"key-auth": {"anonymous_consumer": "alice"}});
    let gateway = Gateway::start(plugins, json!({})).await;
    gateway.send("GET /shop/orders", "X-Credential-Identifier: forged\r\n").await;
    let received = gateway.upstream.received().remove(0);
    assert_eq!(received.header("x-consumer-username"), Some("alice"));
    assert_eq!(received.header("x-credential-identifier"), None);
}

#[tokio::test]
async fn a_limit_is_told_on_every_answer_and_holds_over_a_swap() {
    let plugins = json!({"limit-count": {"count": 1, "time_window": 3600, "rejected_code": 429}});
    let gateway = Gateway::start(plugins.clone(), json!({})).await;
    let first = gateway.send("GET /shop/a", "").await;
    assert_eq!((first.status(), first.header("x-ratelimit-remaining")), (200, Some("0")));
    gateway.apply(plugins);
    let second = gateway.send("GET /shop/a", "").await;
    assert_eq!((second.status(), second.header("retry-after")), (429, second.header("x-ratelimit-reset")));
    assert_eq!(second.header("x-ratelimit-limit"), Some("1"));
    assert_eq!(gateway.upstream.received().len(), 1);
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_key_and_goes_nowhere() {
    let plugins = json!({"key-auth": {}, "cors": {"allow_origins": "https://chatgpt.com"}});
    let gateway = Gateway::start(plugins, json!({})).await;
    let asks = "Origin: https://chatgpt.com\r\nAccess-Control-Request-Method: POST\r\n";
    let response = gateway.send("OPTIONS /shop/orders", asks).await;
    assert_eq!((response.status(), response.text().as_str()), (200, ""));
    assert_eq!(response.header("access-control-allow-origin"), Some("https://chatgpt.com"));
    assert_eq!(response.header("vary"), Some("Origin"));
    let refused =
        gateway.send("POST /shop/orders", "Origin: https://chatgpt.com\r\nContent-Length: 0\r\n").await;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://chatgpt.com"));
    assert!(gateway.upstream.received().is_empty());
}

#[tokio::test]
async fn the_upstream_sees_the_request_as_rewritten() {
    let plugins = json!({"proxy-rewrite": {
        "regex_uri": ["^/shop/(.*)$", "/v2/$1"], "method": "PUT", "host": "api.internal:8080",
        "headers": {"set": {"X-From": "$remote_addr", "X-Part": "$1"}, "remove": ["X-Secret"]},
    }});
    let gateway = Gateway::start(plugins, json!({})).await;
    gateway.send("GET /shop/orders?a=1", "X-Secret: 1\r\nX-From: forged\r\n").await;
    let received = gateway.upstream.received().remove(0);
    assert_eq!(received.line(), "PUT /v2/orders?a=1 HTTP/1.1");
    for (name, value) in [
        ("host", Some("api.internal:8080")),
        ("x-from", Some("127.0.0.1")),
        ("x-part", Some("orders")),
        ("x-secret", None),
    ] {
        assert_eq!(received.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn metrics_and_access_log_tell_of_every_exchange() {
    let path = std::env::temp_dir().join(format!("toolway-plugins-{}.log", std::process::id()));
    let settings = json!({"metrics": "127.0.0.1:0", "access_log": path.to_str().unwrap()});
    let plugins = json!({"key-auth": {}, "request-id": {}, "prometheus": {}});
    let gateway = Gateway::start(plugins, settings).await;
    gateway.send("GET /shop/a?apikey=alice-key", "X-Request-Id: mine\r\n").await;
    gateway.send("GET /shop/a", "").await;
    let metrics = gateway.engine.metrics_address().unwrap();
    let scrape = "GET /apisix/prometheus/metrics HTTP/1.1\r\nHost: metrics\r\n\r\n";
    let text = RawClient::exchange(metrics, scrape).await.unwrap().text();
    let node = gateway.upstream.address();
    for line in [
        format!(
            "apisix_http_status{{code=\"200\",route=\"shop\",matched_uri=\"/shop/*\",matched_host=\"\",service=\"\",\
             consumer=\"alice\",node=\"{node}\"}} 1"
        ),
        "apisix_http_status{code=\"401\",route=\"shop\",matched_uri=\"/shop/*\",matched_host=\"\",service=\"\",\
         consumer=\"\",node=\"\"} 1"
            .into(),
        format!(
            "apisix_bandwidth{{type=\"egress\",route=\"shop\",service=\"\",consumer=\"alice\",node=\"{node}\"}} 4"
        ),
        "apisix_http_requests_total 2".into(),
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is missing from\n{text}");
    }
    assert!(gateway.engine.drain(Duration::from_secs(10)));
    let log = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["consumer"], &lines[0]["request_id"]), (&json!("alice"), &json!("mine")));
    assert_eq!((&lines[0]["status"], &lines[0]["bytes_out"]), (&json!(200), &json!(4)));
    assert_eq!((&lines[1]["consumer"], &lines[1]["status"]), (&Value::Null, &json!(401)));
    assert!(!log.contains("alice-key"));
}

#[tokio::test]
async fn one_key_serves_a_global_rule_and_a_route_and_is_kept_from_the_upstream() {
    let gateway = Gateway::start(json!({}), json!({})).await;
    let mut both: Value =
        serde_json::from_str(&snapshot(gateway.upstream.address(), json!({"key-auth": {}}), json!({})))
            .unwrap();
    both["global_rules"] = json!([{"id": "everywhere", "plugins": {"key-auth": {}}}]);
    gateway.engine.apply(&both.to_string()).unwrap();
    let response = gateway.send("GET /shop/orders", "apikey: alice-key\r\n").await;
    assert_eq!(response.status(), 200);
    let received = gateway.upstream.received().remove(0);
    assert_eq!((received.header("apikey"), received.header("x-consumer-username")), (None, Some("alice")));
}

#[tokio::test]
async fn a_rewritten_header_reaches_the_upstream_in_place_of_the_withheld_key() {
    let plugins = json!({
        "key-auth": {"header": "Authorization"},
        "proxy-rewrite": {"headers": {"set": {"Authorization": "Bearer upstream-token"}}},
    });
    let gateway = Gateway::start(plugins, json!({})).await;
    gateway.send("GET /shop/orders", "Authorization: Bearer alice-key\r\n").await;
    let received = gateway.upstream.received().remove(0);
    assert_eq!(received.header("authorization"), Some("Bearer upstream-token"));
}

#[tokio::test]
async fn a_client_cannot_have_removed_what_plugins_set() {
    let plugins = json!({"request-id": {}, "proxy-rewrite": {"headers": {"set": {"X-Internal": "token"}}}});
    let gateway = Gateway::start(plugins, json!({})).await;
    gateway.send("GET /shop/a", "Connection: X-Internal, X-Request-Id\r\n").await;
    let received = gateway.upstream.received().remove(0);
    assert_eq!(received.header("x-internal"), Some("token"));
    assert!(received.header("x-request-id").is_some());
}

#[tokio::test]
async fn a_global_rewrite_does_not_carry_the_key_of_a_route() {
    let gateway = Gateway::start(json!({}), json!({})).await;
    let plugins = json!({"key-auth": {}});
    let mut changed: Value =
        serde_json::from_str(&snapshot(gateway.upstream.address(), plugins, json!({}))).unwrap();
    changed["global_rules"] = json!([{"id": "all", "plugins": {"proxy-rewrite": {"uri": "/v2"}}}]);
    gateway.engine.apply(&changed.to_string()).unwrap();
    gateway.send("GET /shop/a?apikey=alice-key&x=1", "").await;
    assert_eq!(gateway.upstream.received().remove(0).line(), "GET /v2?x=1 HTTP/1.1");
}

#[tokio::test]
async fn a_cookie_of_a_plugin_stands_beside_those_of_the_upstream() {
    let gateway = Gateway::start(json!({"csrf": {"key": "k"}}), json!({})).await;
    let answer = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n";
    let upstream = ScriptedUpstream::start([Step::Answer(answer.into())]).await.unwrap();
    let plugins = json!({"csrf": {"key": "k"}});
    gateway.engine.apply(&snapshot(upstream.address(), plugins, json!({}))).unwrap();
    let response = gateway.send("GET /shop/a", "").await;
    let text = String::from_utf8_lossy(&response.bytes).to_ascii_lowercase();
    let cookies: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("set-cookie: ")).collect();
    assert_eq!(cookies[..2], ["a=1", "b=2"]);
    assert!(cookies[2].starts_with("apisix-csrf-token="), "{cookies:?}");
    assert_eq!(cookies.len(), 3);
}

#[tokio::test]
async fn a_consumers_own_restriction_holds_beside_that_of_the_route() {
    let open = json!({"whitelist": ["127.0.0.0/8"]});
    let plugins = json!({"key-auth": {}, "ip-restriction": open});
    let gateway = Gateway::start(plugins.clone(), json!({})).await;
    assert_eq!(gateway.send("GET /shop/a", "apikey: alice-key\r\n").await.status(), 200);
    let mut held: Value =
        serde_json::from_str(&snapshot(gateway.upstream.address(), plugins, json!({}))).unwrap();
    held["consumers"][0]["plugins"] = json!({"ip-restriction": {"whitelist": ["192.0.2.0/24"]}});
    gateway.engine.apply(&held.to_string()).unwrap();
    let forged = "apikey: alice-key\r\nX-Forwarded-For: 192.0.2.1\r\n";
    let refused = gateway.send("GET /shop/a", forged).await;
    assert_eq!(
        (refused.status(), refused.text().as_str()),
        (403, r#"{"message":"Your IP address is not allowed"}"#)
    );
    assert_eq!(gateway.send("GET /shop/a", "").await.status(), 401);
    assert_eq!(gateway.upstream.received().len(), 1);
}
