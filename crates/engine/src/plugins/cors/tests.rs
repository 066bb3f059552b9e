//! What browsers are told, and every setting that is refused.

use crate::exchange::Exchange;
use crate::http::Response;
use crate::plugins::testing::{Bench, get};
use http::request::Builder;
use http_body::Body as _;
use serde_json::{Value, json};

fn run(config: Value, request: Builder) -> (Exchange, Option<Response>) {
    let bench = Bench::new(json!({"cors": config}));
    let mut exchange = bench.exchange(request);
    let response = bench.run(&mut exchange);
    (exchange, response)
}

fn from(origin: &str) -> Builder {
    get("/").header("Origin", origin)
}

fn preflight(origin: &str) -> Builder {
    from(origin).method("OPTIONS").header("Access-Control-Request-Method", "PUT")
}

fn header(exchange: &Exchange, name: &str) -> Option<String> {
    let values: Vec<_> =
        exchange.response_headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn allowed_origin(config: Value, request: Builder) -> Option<String> {
    header(&run(config, request).0, "access-control-allow-origin")
}

#[test]
fn allows_everybody_by_default() {
    for request in [get("/"), from("https://a.example")] {
        let (exchange, response) = run(json!({}), request);
        assert!(response.is_none());
        for (name, value) in [
            ("access-control-allow-origin", Some("*")),
            ("access-control-allow-methods", Some("*")),
            ("access-control-allow-headers", Some("*")),
            ("access-control-max-age", Some("5")),
            ("access-control-expose-headers", None),
            ("access-control-allow-credentials", None),
            ("vary", None),
        ] {
            assert_eq!(header(&exchange, name).as_deref(), value, "{name}");
        }
    }
}

#[test]
fn answers_a_preflight_itself() {
    let (exchange, response) = run(json!({"max_age": 600}), preflight("https://a.example"));
    let response = response.expect("an answer");
    assert_eq!(response.status(), 200);
    assert!(response.body().is_end_stream());
    assert_eq!(header(&exchange, "access-control-max-age").as_deref(), Some("600"));
}

#[test]
fn passes_on_what_is_no_preflight() {
    let asks = ("Access-Control-Request-Method", "PUT");
    let others = [
        get("/").method("OPTIONS"),
        get("/").method("OPTIONS").header(asks.0, asks.1),
        from("https://a.example").method("OPTIONS"),
        from("https://a.example").header(asks.0, asks.1),
    ];
    for request in others {
        assert!(run(json!({}), request).1.is_none());
    }
}

#[test]
fn allows_the_listed_origins_only() {
    let config = json!({"allow_origins": "https://a.example, http://b.example:8080"});
    for origin in ["https://a.example", "http://b.example:8080"] {
        assert_eq!(allowed_origin(config.clone(), from(origin)).as_deref(), Some(origin));
    }
    for request in [from("https://a.example.evil.org"), from("http://a.example"), from("null"), get("/")] {
        let (exchange, _) = run(config.clone(), request);
        assert_eq!(header(&exchange, "vary").as_deref(), Some("Origin"));
        assert_eq!(exchange.response_headers.len(), 1);
    }
    let (exchange, response) = run(config, preflight("https://evil.org"));
    assert!(response.is_some());
    assert_eq!(header(&exchange, "access-control-allow-origin"), None);
}

#[test]
fn echoes_what_is_asked_for_with_two_stars() {
    let config = json!({"allow_origins": "**", "allow_methods": "**", "allow_headers": "**", "allow_credential": true});
    let request = preflight("https://a.example").header("Access-Control-Request-Headers", "x-a,x-b");
    let (exchange, _) = run(config.clone(), request);
    for (name, value) in [
        ("access-control-allow-origin", Some("https://a.example")),
        ("access-control-allow-methods", Some(super::EVERY_METHOD)),
        ("access-control-allow-headers", Some("x-a,x-b")),
        ("access-control-allow-credentials", Some("true")),
        ("vary", Some("Origin")),
    ] {
        assert_eq!(header(&exchange, name).as_deref(), value, "{name}");
    }
    let (exchange, _) = run(config, get("/"));
    assert_eq!(header(&exchange, "access-control-allow-origin").as_deref(), Some("*"));
    assert_eq!(header(&exchange, "access-control-allow-headers"), None);
}

#[test]
fn a_pattern_must_match_the_whole_origin() {
    let config = json!({"allow_origins_by_regex": ["https://.*\\.a\\.example", "http://b|http://c"]});
    for origin in ["https://x.a.example", "http://b", "http://c"] {
        assert_eq!(allowed_origin(config.clone(), from(origin)).as_deref(), Some(origin));
    }
    for origin in ["https://x.a.example.evil.org", "http://bb", "https://a.example"] {
        assert_eq!(allowed_origin(config.clone(), from(origin)), None);
    }
    let (exchange, _) = run(config, get("/"));
    assert_eq!(header(&exchange, "vary").as_deref(), Some("Origin"));
}

#[test]
fn exposes_headers() {
    let (exchange, _) = run(json!({"expose_headers": "x-a,x-b"}), from("https://a.example"));
    assert_eq!(header(&exchange, "access-control-expose-headers").as_deref(), Some("x-a,x-b"));
}

#[test]
fn allows_the_private_network_to_a_preflight_that_asks() {
    let name = "access-control-allow-private-network";
    let asks = || preflight("https://a.example").header("Access-Control-Request-Private-Network", "true");
    let config = json!({"allow_private_network": true});
    assert_eq!(header(&run(config.clone(), asks()).0, name).as_deref(), Some("true"));
    assert_eq!(header(&run(config.clone(), preflight("https://a.example")).0, name), None);
    assert_eq!(header(&run(config, asks().method("GET")).0, name), None);
    assert_eq!(header(&run(json!({}), asks()).0, name), None);
}

#[test]
fn vary_is_added_to_the_upstreams() {
    let (mut exchange, _) = run(json!({"allow_origins": "https://a.example"}), from("https://a.example"));
    let mut response = Response::new(crate::http::Body::Empty);
    response.headers_mut().insert("vary", "Accept".parse().unwrap());
    response.headers_mut().insert("access-control-allow-origin", "*".parse().unwrap());
    exchange.set_response_headers(&mut response);
    let values = |name| response.headers().get_all(name).iter().collect::<Vec<_>>();
    assert_eq!(values("vary"), ["Accept", "Origin"]);
    assert_eq!(values("access-control-allow-origin"), ["https://a.example"]);
}

#[test]
fn pages_that_may_measure_are_told_apart_from_those_that_may_call() {
    let name = "timing-allow-origin";
    let config = json!({"timing_allow_origins": "https://a.example,https://b.example"});
    let (exchange, _) = run(config.clone(), from("https://b.example"));
    assert_eq!(header(&exchange, name).as_deref(), Some("https://b.example"));
    assert_eq!(header(&exchange, "vary").as_deref(), Some("Origin"));
    assert_eq!(header(&run(config, from("https://c.example")).0, name), None);
    assert_eq!(header(&run(json!({}), from("https://a.example")).0, name), None);
    let any = json!({"allow_origins": "https://a.example", "timing_allow_origins": "*"});
    assert_eq!(header(&run(any, from("https://c.example")).0, name).as_deref(), Some("*"));
    let matching = json!({"timing_allow_origins_by_regex": ["https://.*\\.example"]});
    assert_eq!(
        header(&run(matching.clone(), from("https://x.example")).0, name).as_deref(),
        Some("https://x.example")
    );
    assert_eq!(header(&run(matching, from("https://x.example.evil.org")).0, name), None);
}

#[test]
fn refuses_settings_that_cannot_hold() {
    let wrong = [
        (json!({"allow_credential": true}), "allow_origins: must not be `*`"),
        (json!({"allow_credential": true, "allow_origins": "https://a"}), "allow_methods: must not be `*`"),
        (
            json!({"allow_credential": true, "allow_origins": "**", "allow_methods": "GET"}),
            "allow_headers: must",
        ),
        (
            json!({"allow_credential": true, "allow_origins": "**", "allow_methods": "GET", "allow_headers": "**",
                "expose_headers": "*"}),
            "expose_headers: must not be `*`",
        ),
        (json!({"expose_headers": "**"}), "browsers know no `**`"),
        (json!({"allow_origins": "a.example"}), "is no origin"),
        (json!({"allow_origins": "https://a.example/"}), "is no origin"),
        (json!({"allow_origins": ""}), "is no origin"),
        (json!({"allow_origins": "https://*.example"}), "allow_origins_by_regex"),
        (json!({"allow_origins": "https://a.example,*"}), "allow_origins_by_regex"),
        (json!({"allow_origins_by_regex": []}), "must not be empty"),
        (json!({"allow_origins_by_regex": ["("]}), "regex parse error"),
        (json!({"allow_methods": "GET POST"}), "not a list of names"),
        (json!({"allow_headers": "x-a\r\n"}), "not a list of names"),
        (json!({"timing_allow_origins": "a"}), "timing_allow_origins: \"a\" is no origin"),
        (
            json!({"timing_allow_origins_by_regex": ["("]}),
            "timing_allow_origins_by_regex: \"^(?:()$\" cannot",
        ),
        (json!({"allow_origins_by_metadata": ["key"]}), "must stand in allow_origins by now"),
        (json!({"max_age": -2}), "-1 or more"),
        (json!({"alow_origins": "*"}), "unknown field"),
    ];
    for (config, why) in wrong {
        let message = Bench::problem(json!({"cors": config}));
        assert!(message.contains(why), "{config}: {message}");
    }
}
