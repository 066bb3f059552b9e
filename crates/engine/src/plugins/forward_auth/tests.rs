use crate::exchange::Exchange;
use crate::http::{Body, Response};
use crate::outbound::testing::on_runtime;
use crate::plugins::testing::{Bench, body, get};
use http::request::Builder;
use serde_json::{Value, json};
use toolway_testkit::{ScriptedUpstream, Step, closed_address};

fn run<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    on_runtime(&mut tokio::runtime::Builder::new_current_thread(), test)
}

fn answer(status: &str, headers: &str, body: &str) -> Step {
    let length = body.len();
    Step::Answer(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes())
}

async fn asking(script: impl Into<Vec<Step>>, more: Value) -> (Bench, ScriptedUpstream) {
    let server = ScriptedUpstream::start(script).await.unwrap();
    let mut settings = json!({"uri": format!("http://{}/auth?realm=a", server.address())});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (Bench::new(json!({"forward-auth": settings})), server)
}

async fn ask(bench: &Bench, request: Builder) -> (Exchange, Option<Response>) {
    let mut exchange = bench.exchange(request);
    exchange.path = exchange.request.uri.path().to_owned();
    let response = bench.answer(&mut exchange).await;
    (exchange, response)
}

#[test]
fn tells_the_service_of_the_request_and_no_more_than_it_is_told_to() {
    run(|| async {
        let settings = json!({
            "request_headers": ["Authorization", "X-Tenant"],
            "extra_headers": {"X-Route": "$route_id of $remote_addr", "X-Forwarded-For": "198.51.100.1"},
        });
        let (bench, server) = asking([answer("204 No", "", "")], settings).await;
        let request = get("/orders?id=1").header("Authorization", "Bearer t").header("X-Tenant", "7");
        let request = request.header("Cookie", "a=b").header("X-Forwarded-Uri", "/open");
        let (exchange, response) = ask(&bench, request).await;
        assert!(response.is_none());
        assert_eq!(exchange.withheld[..], ["authorization"]);
        let sent = server.received().remove(0);
        assert_eq!(sent.line(), "GET /auth?realm=a HTTP/1.1");
        for (name, value) in [
            ("authorization", Some("Bearer t")),
            ("x-tenant", Some("7")),
            ("cookie", None),
            ("x-route", Some("route of 192.0.2.7")),
            ("x-forwarded-for", Some("192.0.2.7")),
            ("x-forwarded-method", Some("GET")),
            ("x-forwarded-proto", Some("http")),
            ("x-forwarded-uri", Some("/orders?id=1")),
        ] {
            assert_eq!(sent.header(name), value, "{name}");
        }
    });
}

#[test]
fn the_upstream_gets_what_the_service_says_and_nothing_like_it_of_the_client() {
    run(|| async {
        let settings = json!({"upstream_headers": ["X-User", "X-Role"], "allow_degradation": true});
        let script = [answer("200 OK", "X-User: carol\r\nX-Other: 1\r\n", "ignored"), Step::Close];
        let (bench, _server) = asking(script, settings).await;
        let smuggled =
            || get("/").header("X-User", "root").header("X-Role", "admin").header("x_role", "admin");
        let (exchange, response) = ask(&bench, smuggled()).await;
        assert!(response.is_none());
        let headers = &exchange.request.headers;
        assert_eq!(headers["x-user"], "carol");
        assert!(["x-role", "x_role", "x-other"].iter().all(|name| !headers.contains_key(*name)));
        let (exchange, response) = ask(&bench, smuggled()).await;
        assert!(response.is_none() && !exchange.request.headers.contains_key("x-user"));
    });
}

#[test]
fn the_client_s_own_credential_goes_on_only_where_that_is_said() {
    run(|| async {
        let request = || get("/").header("Authorization", "Bearer mine");
        for (more, withheld) in [
            (json!({"request_headers": ["Authorization"], "hide_credentials": false}), false),
            (json!({"request_headers": ["Authorization"], "upstream_headers": ["Authorization"]}), false),
            (json!({"request_headers": ["Authorization"]}), true),
        ] {
            let script = [answer("200 OK", "Authorization: Bearer other\r\n", "")];
            let (bench, _server) = asking(script, more.clone()).await;
            let (exchange, _) = ask(&bench, request()).await;
            assert_eq!(!exchange.withheld.is_empty(), withheld, "{more}");
            let replaced = more.get("upstream_headers").is_some();
            let expected = if replaced { "Bearer other" } else { "Bearer mine" };
            assert_eq!(exchange.request.headers["authorization"], expected);
        }
    });
}

#[test]
fn a_refusal_is_the_service_s_own() {
    run(|| async {
        let headers = "Location: /login\r\nX-Secret: 1\r\nContent-Type: text/html\r\n";
        let settings = json!({"client_headers": ["Location"]});
        let (bench, _server) = asking([answer("302 Found", headers, "<a>")], settings).await;
        let response = ask(&bench, get("/")).await.1.unwrap();
        assert_eq!(response.status(), 302);
        let mut names: Vec<_> = response.headers().keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "location"]);
        assert!(matches!(response.body(), Body::Bytes(bytes) if bytes == "<a>"));
    });
}

#[test]
fn a_service_that_cannot_be_asked_lets_nobody_through_unless_it_may() {
    run(|| async {
        let nobody = format!("http://{}/", closed_address().unwrap());
        for (more, status) in [
            (json!({}), Some(403)),
            (json!({"status_on_error": 503}), Some(503)),
            (json!({"allow_degradation": true}), None),
        ] {
            let mut settings = json!({"uri": nobody});
            settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let bench = Bench::new(json!({"forward-auth": settings}));
            let (exchange, response) = ask(&bench, get("/")).await;
            assert_eq!(response.as_ref().map(|response| response.status().as_u16()), status);
            if let Some(response) = response {
                assert_eq!(response.headers()["x-toolway-error"], "outbound_failed");
                assert_eq!(
                    body(&response),
                    json!({"message": "The authorization service could not be asked"})
                );
                assert!(exchange.record.error_detail.as_deref().unwrap().starts_with(&nobody));
            }
        }
        for slow in [Step::Stall(Vec::new()), answer("200 OK", "", &"x".repeat(2 << 20))] {
            let (bench, _server) = asking([slow], json!({"timeout": 200})).await;
            assert_eq!(ask(&bench, get("/")).await.1.unwrap().status(), 403);
        }
    });
}

#[test]
fn a_post_sends_the_body_and_leaves_it_for_the_upstream() {
    run(|| async {
        let (bench, server) = asking([answer("200 OK", "", "")], json!({"request_method": "POST"})).await;
        let mut exchange = bench.exchange(get("/").header("Content-Type", "text/plain"));
        exchange.body = Body::from("order");
        assert!(bench.answer(&mut exchange).await.is_none());
        let sent = server.received().remove(0);
        assert_eq!((sent.line(), sent.body()), ("POST /auth?realm=a HTTP/1.1".into(), b"order".to_vec()));
        assert_eq!(sent.header("content-type"), Some("text/plain"));
        let rest = exchange.read_ahead(100).await.unwrap().unwrap();
        assert_eq!(rest, "order");
        exchange.body = Body::from("x".repeat((1 << 20) + 1).into_bytes());
        assert_eq!(bench.answer(&mut exchange).await.unwrap().status(), 413);
        assert_eq!(server.received().len(), 1);
    });
}

#[test]
fn says_what_is_wrong_with_its_settings() {
    for (settings, why) in [
        (json!({}), "missing field `uri`"),
        (json!({"uri": "/auth"}), "uri: "),
        (json!({"uri": "http://127.0.0.1/", "request_method": "PUT"}), "unknown variant"),
        (json!({"uri": "http://127.0.0.1/", "request_headers": ["a b"]}), "request_headers: "),
        (json!({"uri": "http://127.0.0.1/", "request_headers": ["Host"]}), "request_headers: host"),
        (json!({"uri": "http://127.0.0.1/", "upstream_headers": ["Content-Length"]}), "upstream_headers: "),
        (json!({"uri": "http://127.0.0.1/", "extra_headers": {"X": "$nothing"}}), "extra_headers: X: "),
        (json!({"uri": "http://127.0.0.1/", "extra_headers": {"X": "$1"}}), "extra_headers: X: "),
        (json!({"uri": "http://127.0.0.1/", "status_on_error": 99}), "status_on_error: "),
    ] {
        let message = Bench::problem(json!({"forward-auth": settings}));
        assert!(message.contains(why), "{message}");
    }
}
