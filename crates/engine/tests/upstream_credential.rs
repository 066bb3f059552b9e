//! What the gateway shows upstreams, and what of its clients' own reaches them, on the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use toolway_engine::Engine;
use toolway_testkit::{RawClient, Response, ScriptedUpstream, Step};

/// The SHA-256 of `alice-key`.
const KEY: &str = "72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20";
const TOKEN_SECRET: &[u8] = b"a secret for tokens of the tests";

struct Gateway {
    engine: Engine,
    upstream: ScriptedUpstream,
    address: SocketAddr,
}

impl Gateway {
    /// A gateway of two workers with one route `/*` to an upstream that always answers with 200.
    async fn start(plugins: Value) -> Self {
        Self::to(plugins, [Step::ok("fine")]).await
    }

    async fn to(plugins: Value, steps: impl Into<Vec<Step>>) -> Self {
        let upstream = ScriptedUpstream::start(steps).await.unwrap();
        let engine = Engine::new(&snapshot(upstream.address(), &plugins)).unwrap();
        engine.start().unwrap();
        let address = engine.listen_addresses()[0];
        Self { engine, upstream, address }
    }

    fn apply(&self, plugins: &Value) {
        self.engine.apply(&snapshot(self.upstream.address(), plugins)).unwrap();
    }

    async fn get(&self, target: &str, headers: &str) -> Response {
        let request = format!("GET {target} HTTP/1.1\r\nHost: gateway.test\r\n{headers}\r\n");
        RawClient::exchange(self.address, request).await.unwrap()
    }

    /// What the upstream got in Authorization, in the order of the requests.
    fn authorizations(&self) -> Vec<Option<String>> {
        let received = self.upstream.received();
        received.iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
    }
}

fn snapshot(node: SocketAddr, plugins: &Value) -> String {
    let secret = BASE64_STANDARD.encode(TOKEN_SECRET);
    let token = json!({"key": "bob", "algorithm": "HS256", "secret": secret});
    json!({
        "version": 1,
        "gateway": {"listen": ["127.0.0.1:0"], "workers": 2},
        "upstreams": [{
            "id": "up", "scheme": "http", "pass_host": "pass", "retries": 0,
            "nodes": [{"host": "127.0.0.1", "port": node.port(), "weight": 1}],
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000}, "tls_verify": true,
        }],
        "consumers": [
            {
                "username": "alice",
                "credentials": [{"id": "one", "plugin": "key-auth", "config": {"key_sha256": KEY}}],
            },
            {"username": "bob", "credentials": [{"id": "two", "plugin": "jwt-auth", "config": token}]},
        ],
        "routes": [{"id": "shop", "uris": ["/*"], "plugins": plugins, "target": {"upstream": {"id": "up"}}}],
    })
    .to_string()
}

/// A server that gives tokens, and the settings by which it is asked.
async fn token_server(steps: impl Into<Vec<Step>>, more: Value) -> (ScriptedUpstream, Value) {
    let server = ScriptedUpstream::start(steps).await.unwrap();
    let mut oauth2 = json!({
        "token_endpoint": format!("http://{}/token", server.address()),
        "client_id": "the gateway", "client_secret": "s&same",
    });
    oauth2.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (server, json!({"upstream-credential": {"oauth2": oauth2}}))
}

fn granted(token: &str, expires_in: u32) -> Step {
    Step::ok(&json!({"access_token": token, "token_type": "bearer", "expires_in": expires_in}).to_string())
}

fn status(line: &str, body: &str) -> Step {
    Step::Answer(format!("HTTP/1.1 {line}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

/// A token of bob's, told from others by `id`.
fn bobs_token(id: &str) -> String {
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(json!({"alg": "HS256"})), part(json!({"key": "bob", "jti": id})));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, TOKEN_SECRET), signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

#[tokio::test]
async fn the_upstream_gets_exactly_what_the_gateway_shows_it() {
    let plugins = json!({"upstream-credential": {
        "header": {"X-Key": "sesame"}, "bearer": "t0ken", "query": {"key": "a&b"}, "cookie": {"session": "s"},
    }});
    let gateway = Gateway::start(plugins).await;
    let headers =
        "X-Key: forged\r\nX_Key: forged\r\nCookie: a=1; session=forged\r\nAuthorization: Bearer mine\r\n";
    assert_eq!(gateway.get("/orders?key=forged&page=2", headers).await.status(), 200);
    let received = gateway.upstream.received().remove(0);
    let text = String::from_utf8(received.bytes).unwrap();
    let (line, rest) = text.split_once("\r\n").unwrap();
    assert_eq!(line, "GET /orders?page=2&key=a%26b HTTP/1.1");
    assert!(!text.contains("forged") && !text.contains("mine"), "{text}");
    let mut lines: Vec<_> =
        rest.lines().filter(|line| !line.is_empty()).map(str::to_ascii_lowercase).collect();
    lines.sort_unstable();
    let expected =
        ["authorization: bearer t0ken", "cookie: a=1; session=s", "host: gateway.test", "x-key: sesame"];
    assert_eq!(
        lines
            .iter()
            .filter(|line| !line.starts_with("x-forwarded") && !line.starts_with("x-real"))
            .collect::<Vec<_>>(),
        expected
    );
}

#[tokio::test]
async fn the_client_s_own_credential_stays_where_a_plugin_authenticates() {
    let sent = "apikey: alice-key\r\nX-API-Key: mine\r\nAuthorization: Bearer mine\r\n";
    for (plugins, expected) in [
        (json!({"key-auth": {}}), [None, None, None]),
        (json!({"key-auth": {"hide_credentials": false}}), [Some("alice-key"), None, None]),
        (
            json!({"key-auth": {}, "upstream-credential": {"pass_through": ["Authorization"]}}),
            [None, None, Some("Bearer mine")],
        ),
        (
            json!({"key-auth": {}, "proxy-rewrite": {"headers": {"set": {"Authorization": "Bearer own"}}}}),
            [None, None, Some("Bearer own")],
        ),
        // What the API behind does its own authentication with; a consumer's key is never meant for it.
        (json!({}), [None, Some("mine"), Some("Bearer mine")]),
    ] {
        let gateway = Gateway::start(plugins.clone()).await;
        assert_eq!(gateway.get("/", sent).await.status(), 200, "{plugins}");
        let received = gateway.upstream.received().remove(0);
        let seen = ["apikey", "x-api-key", "authorization"].map(|name| received.header(name));
        assert_eq!(seen, expected, "{plugins}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_in_the_gateway_s_name_and_kept_over_a_swap() {
    let more = json!({"scope": "read write", "audience": ["shop"], "resource": ["https://shop.example/"]});
    let (server, plugins) = token_server([granted("t1", 3600), granted("t2", 3600)], more).await;
    let gateway = Gateway::start(plugins.clone()).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/", "Authorization: Bearer mine\r\n").await.status(), 200);
    }
    gateway.apply(&plugins);
    assert_eq!(gateway.get("/", "").await.status(), 200);
    assert_eq!(gateway.authorizations(), vec![Some("Bearer t1".to_owned()); 4]);
    let asked = server.received();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line(), "POST /token HTTP/1.1");
    // Id and secret are encoded before (RFC 6749 section 2.3.1).
    let basic = format!("Basic {}", BASE64_STANDARD.encode("the%20gateway:s%26same"));
    assert_eq!(asked[0].header("authorization"), Some(basic.as_str()));
    assert_eq!(asked[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    let form = "grant_type=client_credentials&scope=read%20write&audience=shop&resource=https%3A%2F%2Fshop.example%2F";
    assert_eq!(String::from_utf8_lossy(&asked[0].body()), form);
}

#[tokio::test]
async fn other_settings_have_a_token_of_their_own() {
    let more = json!({"token_endpoint_auth_method": "client_secret_post"});
    let (server, plugins) = token_server([granted("t1", 3600), granted("t2", 3600)], more).await;
    let gateway = Gateway::start(plugins.clone()).await;
    gateway.get("/", "").await;
    let mut other = plugins;
    other["upstream-credential"]["oauth2"]["client_secret"] = json!("other");
    gateway.apply(&other);
    gateway.get("/", "").await;
    assert_eq!(gateway.authorizations(), [Some("Bearer t1".into()), Some("Bearer t2".into())]);
    let forms: Vec<_> =
        server.received().iter().map(|asked| String::from_utf8_lossy(&asked.body()).into_owned()).collect();
    let expected = |secret: &str| {
        format!("grant_type=client_credentials&client_id=the%20gateway&client_secret={secret}")
    };
    assert_eq!(forms, [expected("s%26same"), expected("other")]);
    assert!(server.received().iter().all(|asked| asked.header("authorization").is_none()));
}

#[tokio::test]
async fn a_hundred_requests_on_all_workers_wait_for_one_token() {
    let body = json!({"access_token": "t1", "token_type": "Bearer", "expires_in": 60}).to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let slow = Step::AnswerSlowly(vec![head.into_bytes(), body.into_bytes()]);
    let (server, plugins) = token_server([slow], json!({})).await;
    let gateway = Gateway::start(plugins).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let address = gateway.address;
        waiting.spawn(async move {
            let request = "GET / HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n";
            RawClient::exchange(address, request).await.unwrap().status()
        });
    }
    server.wait_for_requests(1).await.unwrap();
    server.release();
    server.release();
    assert_eq!(waiting.join_all().await, [200; 100]);
    assert_eq!(gateway.authorizations(), vec![Some("Bearer t1".to_owned()); 100]);
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_token_that_is_over_at_once_is_fetched_for_each_request() {
    let (server, plugins) = token_server([granted("t1", 0), granted("t2", 0)], json!({})).await;
    let gateway = Gateway::start(plugins).await;
    gateway.get("/", "").await;
    gateway.get("/", "").await;
    assert_eq!(gateway.authorizations(), [Some("Bearer t1".into()), Some("Bearer t2".into())]);
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn without_a_token_nothing_goes_upstream_and_the_failure_is_remembered() {
    let moved = Step::Answer("HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".into());
    for (step, timeout) in [
        (status("401 Unauthorized", r#"{"error":"invalid_client","error_description":"s&same"}"#), 5),
        (status("500 Internal Server Error", "s&same"), 5),
        (moved, 5),
        (Step::ok("s&same"), 5),
        (Step::ok(r#"{"access_token":"","token_type":"bearer"}"#), 5),
        (Step::ok(r#"{"access_token":"a\r\nX-Evil: b","token_type":"bearer"}"#), 5),
        (Step::ok(r#"{"access_token":"a","token_type":"mac"}"#), 5),
        (Step::ok(r#"{"access_token":"a"}"#), 5),
        (Step::ok(r#"{"access_token":"a","token_type":"bearer","expires_in":"soon"}"#), 5),
        (granted(&"x".repeat(65_536), 60), 5),
        (Step::Stall("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".into()), 1),
    ] {
        let (server, plugins) = token_server([step.clone()], json!({"timeout": timeout})).await;
        let gateway = Gateway::start(plugins).await;
        let started = Instant::now();
        for _ in 0..3 {
            let response = gateway.get("/", "").await;
            let seen = (response.status(), response.header("x-toolway-error"));
            assert_eq!(seen, (503, Some("outbound_failed")), "{step:?}");
            assert!(!response.text().contains("s&same"), "{}", response.text());
        }
        assert!(gateway.upstream.received().is_empty(), "{step:?}");
        // One more for each second that it took, on a slow machine.
        let most = 1 + usize::try_from(started.elapsed().as_secs()).unwrap();
        assert!(server.received().len() <= most, "{step:?}");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_told_with_a_code() {
    let nobody = toolway_testkit::closed_address().unwrap();
    let (_, mut plugins) = token_server([granted("t", 60)], json!({})).await;
    plugins["upstream-credential"]["oauth2"]["token_endpoint"] = json!(format!("http://{nobody}/token"));
    let gateway = Gateway::start(plugins).await;
    let response = gateway.get("/", "").await;
    assert_eq!((response.status(), response.header("x-toolway-error")), (503, Some("outbound_failed")));
}

#[tokio::test]
async fn a_token_that_the_upstream_refuses_is_replaced_and_the_answer_passed_on() {
    let (server, plugins) = token_server([granted("t1", 3600), granted("t2", 3600)], json!({})).await;
    let refusal = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\nContent-Length: 0\r\n\r\n";
    let gateway = Gateway::to(plugins, [Step::Answer(refusal.into()), Step::ok("fine")]).await;
    let response = gateway.get("/", "").await;
    assert_eq!((response.status(), response.header("x-toolway-error")), (401, None));
    // Not more than once in a moment, so that an upstream that refuses every token does no harm to the server.
    let patience = Instant::now() + Duration::from_secs(20);
    while gateway.authorizations().last() != Some(&Some("Bearer t2".into())) {
        assert!(Instant::now() < patience, "{:?}", gateway.authorizations());
        assert_eq!(gateway.get("/", "").await.status(), 200);
    }
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn a_caller_s_token_is_exchanged_once_for_each_caller() {
    let more = json!({
        "grant_type": "token_exchange", "audience": ["shop"], "actor_token": "actor",
        "requested_token_type": "urn:ietf:params:oauth:token-type:jwt",
    });
    let (server, mut plugins) = token_server([granted("for-1", 3600), granted("for-2", 3600)], more).await;
    plugins["jwt-auth"] = json!({});
    let gateway = Gateway::start(plugins).await;
    let [first, second] = ["1", "2"].map(bobs_token);
    for (target, authorization) in [
        ("/".to_owned(), format!("Authorization: Bearer {first}\r\n")),
        (format!("/?jwt={first}"), String::new()),
        ("/".to_owned(), format!("Cookie: jwt={first}\r\n")),
        ("/".to_owned(), format!("Authorization: Bearer {second}\r\n")),
    ] {
        assert_eq!(gateway.get(&target, &authorization).await.status(), 200);
    }
    let seen: Vec<_> = gateway.authorizations().into_iter().flatten().collect();
    assert_eq!(seen, ["Bearer for-1", "Bearer for-1", "Bearer for-1", "Bearer for-2"]);
    assert!(gateway.upstream.received().iter().all(|request| {
        let text = String::from_utf8_lossy(&request.bytes);
        !text.contains(&first) && !text.contains(&second)
    }));
    let asked = server.received();
    assert_eq!(asked.len(), 2);
    let urn = "urn%3Aietf%3Aparams%3Aoauth%3A";
    let form = format!(
        "grant_type={urn}grant-type%3Atoken-exchange&subject_token_type={urn}token-type%3Aaccess_token\
         &requested_token_type={urn}token-type%3Ajwt&actor_token=actor&actor_token_type={urn}token-type%3Aaccess_token\
         &audience=shop&subject_token={first}"
    );
    assert_eq!(String::from_utf8_lossy(&asked[0].body()), form);
}

#[tokio::test]
async fn who_has_no_token_or_one_that_the_server_does_not_want_is_refused() {
    let denied = status("400 Bad Request", r#"{"error":"invalid_request"}"#);
    let more = json!({"grant_type": "token_exchange"});
    let (server, mut plugins) = token_server([denied], more).await;
    plugins["multi-auth"] = json!({"auth_plugins": [{"key-auth": {}}, {"jwt-auth": {}}]});
    let gateway = Gateway::start(plugins).await;
    let by_key = gateway.get("/", "apikey: alice-key\r\nAuthorization: Bearer unproven\r\n").await;
    assert_eq!((by_key.status(), by_key.header("www-authenticate")), (401, Some("Bearer")));
    assert!(server.received().is_empty());
    for _ in 0..3 {
        let by_token = gateway.get("/", &format!("Authorization: Bearer {}\r\n", bobs_token("1"))).await;
        assert_eq!(by_token.status(), 403);
    }
    assert_eq!(server.received().len(), 1);
    assert!(gateway.upstream.received().is_empty());
}
