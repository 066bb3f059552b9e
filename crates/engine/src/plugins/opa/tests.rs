use crate::exchange::Exchange;
use crate::http::{Body, Response};
use crate::outbound::testing::on_runtime;
use crate::plugins::testing::{Bench, get};
use http::request::Builder;
use serde_json::{Value, json};
use toolway_testkit::{ScriptedUpstream, Step, closed_address};

fn run<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    on_runtime(&mut tokio::runtime::Builder::new_current_thread(), test)
}

fn result(value: Value) -> Step {
    Step::ok(&json!({"result": value}).to_string())
}

/// A route with key-auth too, so that there may be a consumer.
async fn asking(script: impl Into<Vec<Step>>, more: Value) -> (Bench, ScriptedUpstream) {
    let server = ScriptedUpstream::start(script).await.unwrap();
    let mut settings = json!({"host": format!("http://{}/", server.address()), "policy": "shop/orders"});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (Bench::new(json!({"opa": settings, "key-auth": {}})), server)
}

fn request() -> Builder {
    get("/orders?id=1&tag=a&tag=b%20c").header("apikey", "alice-key")
}

async fn ask(bench: &Bench, request: Builder) -> (Exchange, Option<Response>) {
    let mut exchange = bench.exchange(request);
    exchange.path = exchange.request.uri.path().to_owned();
    let response = bench.answer(&mut exchange).await;
    (exchange, response)
}

fn text(response: &Response) -> &[u8] {
    match response.body() {
        Body::Empty => b"",
        Body::Bytes(bytes) => bytes,
        _ => panic!("the body is not in memory"),
    }
}

#[test]
fn the_policy_learns_what_it_is_to_decide_about() {
    run(|| async {
        let settings =
            json!({"with_route": true, "with_service": true, "with_consumer": true, "with_body": true});
        let (bench, server) = asking([result(json!({"allow": true}))], settings).await;
        let mut exchange = bench.exchange(request().header("X-Two", "1").header("X-Two", "2"));
        (exchange.path, exchange.body) = ("/orders".into(), Body::from("order"));
        assert!(bench.answer(&mut exchange).await.is_none());
        let sent = server.received().remove(0);
        assert_eq!(sent.line(), "POST /v1/data/shop/orders HTTP/1.1");
        assert_eq!(sent.header("content-type"), Some("application/json"));
        let mut input = serde_json::from_slice::<Value>(&sent.body()).unwrap()["input"].take();
        assert!(input["var"]["timestamp"].take().is_u64());
        assert_eq!(
            input,
            json!({
                "type": "http",
                "request": {
                    "scheme": "http", "method": "GET", "host": "", "port": 9080, "path": "/orders",
                    "headers": {"apikey": "alice-key", "x-two": ["1", "2"]},
                    "query": {"id": "1", "tag": ["a", "b c"]}, "body": "order",
                },
                "var": {
                    "timestamp": null, "server_port": "9080", "remote_addr": "192.0.2.7", "remote_port": "4711",
                },
                "route": {"id": "route", "name": "A route", "uris": ["/*"], "hosts": ["api.example"]},
                "service": {"id": "shop"},
                "consumer": {"username": "alice", "group_id": "staff", "custom_id": null},
            })
        );
        assert_eq!(exchange.read_ahead(100).await.unwrap().unwrap(), "order");
    });
}

#[test]
fn by_default_the_policy_learns_of_the_request_alone() {
    run(|| async {
        let (bench, server) = asking([result(json!({"allow": true}))], json!({})).await;
        assert!(ask(&bench, request()).await.1.is_none());
        let input = serde_json::from_slice::<Value>(&server.received()[0].body()).unwrap();
        let names: Vec<_> = input["input"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["type", "request", "var"]);
        assert!(input["input"]["request"].get("body").is_none());
    });
}

#[test]
fn a_policy_that_refuses_says_how() {
    run(|| async {
        let object = json!({"code": 7});
        for (decision, status, body) in [
            (json!({"allow": false}), 403, &b""[..]),
            (json!({"allow": false, "reason": "no", "status_code": 401}), 401, b"no"),
            (json!({"allow": false, "reason": object}), 403, b"{\"code\":7}"),
            (json!({"allow": false, "status_code": 42}), 403, b""),
        ] {
            let (bench, _server) = asking([result(decision.clone())], json!({})).await;
            let response = ask(&bench, request()).await.1.unwrap();
            assert_eq!((response.status().as_u16(), text(&response)), (status, body), "{decision}");
        }
        let headers = json!({"Location": "/login", "X-Left": 3, "Transfer-Encoding": "chunked", "a b": "c", "X-List": []});
        let decision = json!({"allow": false, "status_code": 302, "headers": headers});
        let (bench, _server) = asking([result(decision)], json!({})).await;
        let response = ask(&bench, request()).await.1.unwrap();
        let found: Vec<_> =
            response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(found, [("location", &b"/login"[..]), ("x-left", b"3")]);
    });
}

#[test]
fn what_is_no_decision_lets_nobody_through() {
    run(|| async {
        for (answer, status) in [
            (Step::ok("{}"), 503),
            (Step::ok("true"), 503),
            (result(json!(true)), 503),
            (result(json!({})), 503),
            (result(json!({"allow": "true"})), 503),
            (result(json!({"allow": 1})), 503),
            (Step::Answer("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".into()), 503),
            (Step::ok("<html>"), 503),
            (Step::Close, 403),
            (Step::ok(&"x".repeat(2 << 20)), 403),
            (Step::Stall(Vec::new()), 403),
        ] {
            let (bench, server) = asking([answer], json!({"timeout": 300})).await;
            let (exchange, response) = ask(&bench, request()).await;
            let response = response.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["x-toolway-error"], "outbound_failed");
            let url = format!("http://{}/v1/data/shop/orders: ", server.address());
            assert!(exchange.record.error_detail.as_deref().unwrap().starts_with(&url));
        }
        let settings = json!({"host": format!("http://{}", closed_address().unwrap()), "policy": "x"});
        let bench = Bench::new(json!({"opa": settings}));
        assert_eq!(ask(&bench, request()).await.1.unwrap().status(), 403);
    });
}

#[test]
fn the_upstream_gets_the_headers_that_are_listed_and_none_of_them_from_clients() {
    run(|| async {
        let decision = json!({"allow": true, "headers": {"X-User": "carol", "X-Other": "1"}});
        let settings = json!({"send_headers_upstream": ["X-User", "X-Role"]});
        let (bench, _server) = asking([result(decision)], settings).await;
        let smuggled = request().header("X-User", "root").header("X-Role", "admin").header("x_role", "admin");
        let (exchange, response) = ask(&bench, smuggled).await;
        assert!(response.is_none());
        let headers = &exchange.request.headers;
        assert_eq!(headers["x-user"], "carol");
        assert!(["x-role", "x_role", "x-other"].iter().all(|name| !headers.contains_key(*name)));
    });
}

#[test]
fn a_body_that_is_too_large_is_refused_unasked() {
    run(|| async {
        let (bench, server) = asking([result(json!({"allow": true}))], json!({"with_body": true})).await;
        let mut exchange = bench.exchange(request());
        exchange.body = Body::from("x".repeat((1 << 20) + 1).into_bytes());
        assert_eq!(bench.answer(&mut exchange).await.unwrap().status(), 413);
        assert!(server.received().is_empty());
    });
}

#[test]
fn says_what_is_wrong_with_its_settings() {
    for (settings, why) in [
        (json!({"host": "http://127.0.0.1"}), "missing field `policy`"),
        (json!({"host": "127.0.0.1", "policy": "a"}), "host: "),
        (json!({"host": "http://127.0.0.1?a=b", "policy": "a"}), "host: "),
        (json!({"host": "http://127.0.0.1", "policy": "../v1/policies"}), "policy: "),
        (json!({"host": "http://127.0.0.1", "policy": "/a"}), "policy: "),
        (json!({"host": "http://127.0.0.1", "policy": "a?explain=full"}), "policy: "),
        (
            json!({"host": "http://127.0.0.1", "policy": "a", "send_headers_upstream": ["TE"]}),
            "send_headers_upstream: ",
        ),
    ] {
        let message = Bench::problem(json!({"opa": settings}));
        assert!(message.contains(why), "{settings}: {message}");
    }
}
