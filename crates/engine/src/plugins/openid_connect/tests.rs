//! What callers present, what the provider does meanwhile, and what becomes of it.

use crate::exchange::Exchange;
use crate::http::Response;
use crate::outbound::testing::on_runtime;
use crate::plugins::key_set::testing::{Signer, published};
use crate::plugins::testing::{Bench, body, get, username};
use http::request::Builder;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use toolway_testkit::{ScriptedUpstream, Step, closed_address};

const PATH: &str = "/.well-known/openid-configuration";

/// An identity provider whose answers are scripted.
struct Provider {
    address: SocketAddr,
    server: ScriptedUpstream,
}

impl Provider {
    /// Answers the first question with its discovery document, and the others by `script`.
    async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        let address = closed_address().unwrap();
        let discovery = json!({
            "issuer": format!("http://{address}"), "jwks_uri": format!("http://{address}/keys"),
        });
        let steps: Vec<_> = [Step::ok(&discovery.to_string())].into_iter().chain(script).collect();
        Self { address, server: ScriptedUpstream::start_at(address, steps).await.unwrap() }
    }

    /// One that publishes the key of `signer`.
    async fn of(signer: &Signer) -> Self {
        Self::start([keys(&[signer])]).await
    }

    /// Settings that hold for all tests, and `more`.
    fn settings(&self, more: Value) -> Value {
        let mut settings = json!({
            "client_id": "gateway", "discovery": format!("http://{}{PATH}", self.address), "bearer_only": true,
            "timeout": 60,
        });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    }

    fn bench(&self, more: Value) -> Bench {
        Bench::new(json!({"openid-connect": self.settings(more)}))
    }

    /// The claims of a good token with `more`; null takes one out.
    fn claims(&self, more: Value) -> Value {
        let mut claims = json!({
            "iss": format!("http://{}", self.address), "aud": "gateway", "sub": "carol", "exp": now() + 60,
        });
        for (name, value) in more.as_object().unwrap() {
            match value {
                Value::Null => _ = claims.as_object_mut().unwrap().remove(name),
                value => claims[name] = value.clone(),
            }
        }
        claims
    }

    fn lines(&self) -> Vec<String> {
        let received = self.server.received();
        received.iter().map(|sent| sent.line().split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

fn keys(signers: &[&Signer]) -> Step {
    Step::ok(&published(signers).to_string())
}

fn json_step(value: Value) -> Step {
    Step::ok(&value.to_string())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn bearer(token: &str) -> Builder {
    get("/orders").header("Authorization", format!("Bearer {token}"))
}

fn run<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    on_runtime(&mut tokio::runtime::Builder::new_current_thread(), test)
}

async fn ask(bench: &Bench, request: Builder) -> (Exchange, Option<Response>) {
    let mut exchange = bench.exchange(request);
    let response = bench.answer(&mut exchange).await;
    (exchange, response)
}

/// Moves what is remembered into the past. Connections count by another clock, so they are given more time than this.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

async fn status(bench: &Bench, token: &str) -> u16 {
    ask(bench, bearer(token)).await.1.map_or(200, |response| response.status().as_u16())
}

fn challenge(response: &Response) -> &str {
    response.headers()["www-authenticate"].to_str().unwrap()
}

#[test]
fn lets_in_who_has_a_token_of_the_provider_and_keeps_it_to_itself() {
    run(|| async {
        let signer = Signer::es256("a");
        let provider = Provider::of(&signer).await;
        // One where clients put keys by custom, which the upstream gets all the same.
        let claim_headers = json!({"X-Subject": "sub", "X-Roles": "roles", "X-API-Key": "sub"});
        let bench = provider.bench(json!({"claim_headers": claim_headers}));
        let claims = provider.claims(json!({"roles": ["a", "b"]}));
        for _ in 0..3 {
            let smuggled = [
                ("X-Subject", "root"),
                ("x_subject", "root"),
                ("X-Userinfo", "e30="),
                ("X-Access-Token", "x"),
            ];
            let request = smuggled
                .iter()
                .fold(bearer(&signer.token(&claims)), |request, (name, value)| request.header(*name, *value));
            let (exchange, response) = ask(&bench, request).await;
            assert!(response.is_none());
            let headers = &exchange.request.headers;
            assert_eq!(
                (headers["x-subject"].as_bytes(), headers["x-roles"].as_bytes()),
                (&b"carol"[..], &b"a b"[..])
            );
            assert_eq!(headers["x-api-key"], "carol");
            assert!(!headers.contains_key("x-access-token") && !headers.contains_key("x_subject"));
            assert_ne!(headers["x-userinfo"], "e30=");
            assert_eq!(exchange.withheld[..], ["authorization"]);
            assert_eq!(exchange.claims.as_deref().map(|claims| &claims["sub"]), Some(&json!("carol")));
            assert!(exchange.identity.is_none());
        }
        assert_eq!(provider.lines(), [PATH, "/keys"]);
    });
}

#[test]
fn the_upstream_gets_the_token_only_where_that_is_said() {
    run(|| async {
        let signer = Signer::es256("a");
        let provider = Provider::of(&signer).await;
        let token = signer.token(&provider.claims(json!({})));
        let bench = provider.bench(json!({"set_access_token_header": true, "set_userinfo_header": false}));
        let (exchange, _) = ask(&bench, bearer(&token)).await;
        assert_eq!(exchange.request.headers["x-access-token"], token);
        assert!(!exchange.request.headers.contains_key("x-userinfo"));
        assert_eq!(exchange.withheld[..], ["authorization"]);
        let both = json!({"set_access_token_header": true, "access_token_in_authorization_header": true});
        let bench = bench.swapped("route", json!({"openid-connect": provider.settings(both)}));
        let (exchange, _) = ask(&bench, bearer(&token)).await;
        assert!(exchange.withheld.is_empty() && !exchange.request.headers.contains_key("x-access-token"));
        assert!(exchange.caller_token.is_some_and(|sent| sent == format!("Bearer {token}").as_str()));
    });
}

#[test]
fn refuses_forged_and_foreign_tokens() {
    run(|| async {
        let (signer, rsa, other) = (Signer::es256("a"), Signer::rs256("r"), Signer::es256("a"));
        let provider = Provider::start([keys(&[&signer, &rsa])]).await;
        let bench = provider.bench(json!({}));
        let good = provider.claims(json!({}));
        assert_eq!(status(&bench, &signer.token(&good)).await, 200);
        let url = format!("http://{}/evil", provider.address);
        let header = |more: Value| {
            let mut header = json!({"alg": "ES256", "kid": "a"});
            header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            header
        };
        let with = |more: Value| signer.token(&provider.claims(more));
        let whole = signer.token(&good);
        let unsigned = whole.rsplit_once('.').unwrap().0;
        let none = signer.with_header(&json!({"alg": "none"}), &good);
        for (what, token) in [
            ("alg none", none.clone()),
            ("alg none, without signature", format!("{}.", none.rsplit_once('.').unwrap().0)),
            ("no signature", format!("{unsigned}.")),
            ("another key", other.token(&good)),
            ("embedded key", other.with_header(&header(json!({"jwk": other.jwk})), &good)),
            ("jku", other.with_header(&header(json!({"jku": url})), &good)),
            ("x5u", other.with_header(&header(json!({"x5u": url})), &good)),
            ("kid is a path", other.with_header(&header(json!({"kid": "../../dev/null"})), &good)),
            ("kid is no text", signer.with_header(&header(json!({"kid": 1})), &good)),
            ("crit", signer.with_header(&header(json!({"crit": ["exp"]})), &good)),
            ("HS256 with the public key", signer.with_header(&json!({"alg": "HS256", "kid": "a"}), &good)),
            ("RS256 of an EC key", signer.with_header(&json!({"alg": "RS256", "kid": "a"}), &good)),
            ("logout token", signer.with_header(&header(json!({"typ": "logout+jwt"})), &good)),
            ("id token", with(json!({"at_hash": "x"}))),
            ("refresh token", with(json!({"typ": "Refresh"}))),
            ("expired", with(json!({"exp": now() - 60}))),
            ("no exp", with(json!({"exp": null}))),
            ("exp is a text", with(json!({"exp": "4000000000"}))),
            ("not yet", with(json!({"nbf": now() + 60}))),
            ("of the future", with(json!({"iat": now() + 60}))),
            ("another issuer", with(json!({"iss": "https://evil.example"}))),
            ("a longer issuer", with(json!({"iss": format!("http://{}/", provider.address)}))),
            ("no issuer", with(json!({"iss": null}))),
            ("another audience", with(json!({"aud": "other"}))),
            ("other audiences", with(json!({"aud": ["other", "gateway2"]}))),
            ("no audience", with(json!({"aud": null}))),
            ("audience is an object", with(json!({"aud": {"gateway": true}}))),
            ("padding", format!("{whole}=")),
            ("cut off", whole[..whole.len() - 2].to_owned()),
            ("huge", signer.token(&provider.claims(json!({"x": "y".repeat(20_000)})))),
            ("no token", "x".to_owned()),
            ("no bytes of a token", "{}".to_owned()),
        ] {
            let (exchange, response) = ask(&bench, bearer(&token)).await;
            let response = response.unwrap_or_else(|| panic!("{what} was let in"));
            assert_eq!(response.status(), 401, "{what}");
            let challenge = challenge(&response);
            assert!(
                challenge.starts_with("Bearer realm=\"apisix\", error=\"invalid_token\""),
                "{what}: {challenge}"
            );
            assert!(exchange.claims.is_none() && exchange.identity.is_none());
        }
        assert_eq!(status(&bench, &with(json!({"aud": ["other", "gateway"]}))).await, 200);
        assert!(!provider.lines().contains(&"/evil".to_owned()));
    });
}

#[test]
fn says_where_tokens_come_from_and_which_scopes_it_takes() {
    run(|| async {
        let signer = Signer::es256("a");
        let provider = Provider::of(&signer).await;
        let metadata = "https://api.example/.well-known/oauth-protected-resource/mcp";
        let settings =
            json!({"required_scopes": ["read", "write"], "resource_metadata": metadata, "realm": "shop"});
        let bench = provider.bench(settings);
        let start = format!("Bearer realm=\"shop\", resource_metadata=\"{metadata}\"");
        for request in
            [get("/"), get("/").header("Authorization", "Basic x"), get("/").header("Authorization", "")]
        {
            let response = ask(&bench, request).await.1.unwrap();
            assert_eq!(response.status(), 401);
            assert_eq!(challenge(&response), format!("{start}, scope=\"read write\""));
            assert_eq!(body(&response), json!({"message": "No bearer token found in request."}));
        }
        for scope in [
            json!({"scope": "read"}),
            json!({"scope": "readwrite write"}),
            json!({"scp": ["write"]}),
            json!({}),
        ] {
            let response = ask(&bench, bearer(&signer.token(&provider.claims(scope)))).await.1.unwrap();
            assert_eq!(response.status(), 403);
            assert_eq!(
                challenge(&response),
                format!("{start}, error=\"insufficient_scope\", scope=\"read write\"")
            );
            assert_eq!(body(&response), json!({"error": "required scopes read, write not present"}));
        }
        for scope in [json!({"scope": "write x read"}), json!({"scp": ["write", "read"]})] {
            assert_eq!(status(&bench, &signer.token(&provider.claims(scope))).await, 200);
        }
    });
}

#[test]
fn a_scheme_s_case_does_not_matter_and_a_second_header_does() {
    run(|| async {
        let signer = Signer::es256("a");
        let provider = Provider::of(&signer).await;
        let bench = provider.bench(json!({}));
        let token = signer.token(&provider.claims(json!({})));
        for (value, expected) in [
            (format!("bEARER   {token} "), 200),
            (format!("Bearer {token} x"), 401),
            (format!("Bearer{token}"), 401),
            ("Bearer".to_owned(), 401),
        ] {
            let response = ask(&bench, get("/").header("Authorization", &value)).await.1;
            assert_eq!(response.map_or(200, |response| response.status().as_u16()), expected, "{value}");
        }
        let twice = bearer(&token).header("Authorization", format!("Bearer {token}"));
        assert_eq!(ask(&bench, twice).await.1.unwrap().status(), 401);
    });
}

#[test]
fn a_new_key_is_fetched_once_when_a_token_names_it() {
    run(|| async {
        let (old, new) = (Signer::es256("old"), Signer::es256("new"));
        let provider = Provider::start([keys(&[&old]), keys(&[&old, &new])]).await;
        let bench = provider.bench(json!({}));
        let claims = provider.claims(json!({}));
        assert_eq!(status(&bench, &old.token(&claims)).await, 200);
        // The set was fetched just now, so whoever makes up key ids does not have it fetched again.
        for _ in 0..10 {
            assert_eq!(status(&bench, &new.token(&claims)).await, 401);
        }
        assert_eq!(provider.lines(), [PATH, "/keys"]);
        later(crate::plugins::key_set::TIMES.pause.as_secs()).await;
        assert_eq!(status(&bench, &new.token(&claims)).await, 200);
        assert_eq!(status(&bench, &old.token(&claims)).await, 200);
        assert_eq!(provider.lines(), [PATH, "/keys", "/keys"]);
    });
}

#[test]
fn nobody_is_let_in_where_the_keys_cannot_be_had() {
    run(|| async {
        let signer = Signer::es256("a");
        let huge = format!("{{\"keys\": [], \"x\": \"{}\"}}", "y".repeat(300_000));
        for answer in [
            Step::Close,
            Step::Answer("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".into()),
            Step::Answer("HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n".into()),
            Step::ok("<html>"),
            Step::ok(&huge),
            Step::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec()),
        ] {
            let provider = Provider::start([answer]).await;
            let bench = provider.bench(json!({"timeout": 1}));
            let (exchange, response) = ask(&bench, bearer(&signer.token(&provider.claims(json!({}))))).await;
            let response = response.unwrap();
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()["x-toolway-error"], "outbound_failed");
            let detail = exchange.record.error_detail.as_deref().unwrap();
            assert!(detail.starts_with(&format!("http://{}/keys: ", provider.address)), "{detail}");
        }
    });
}

#[test]
fn the_last_good_keys_serve_while_the_provider_is_down() {
    run(|| async {
        let (old, new) = (Signer::es256("old"), Signer::es256("new"));
        let provider = Provider::of(&old).await;
        let bench = provider.bench(json!({}));
        let claims = provider.claims(json!({"exp": now() + 100_000}));
        assert_eq!(status(&bench, &old.token(&claims)).await, 200);
        provider.server.stop().await;
        later(3700).await;
        assert_eq!(status(&bench, &old.token(&claims)).await, 200);
        assert_eq!(status(&bench, &new.token(&claims)).await, 401);
    });
}

#[test]
fn keys_of_another_server_must_be_public() {
    run(|| async {
        let signer = Signer::es256("a");
        let home = ScriptedUpstream::start([keys(&[&signer])]).await.unwrap();
        for url in [format!("http://{}/", home.address()), format!("https://{}/", home.address())] {
            let address = closed_address().unwrap();
            let discovery = json!({"issuer": format!("http://{address}"), "jwks_uri": url});
            let server = ScriptedUpstream::start_at(address, [json_step(discovery)]).await.unwrap();
            let provider = Provider { address, server };
            assert_eq!(
                status(&provider.bench(json!({})), &signer.token(&provider.claims(json!({})))).await,
                503
            );
        }
        assert_eq!(home.connections(), 0);
    });
}

#[test]
fn a_provider_that_calls_itself_another_is_not_believed_unless_it_is_expected() {
    run(|| async {
        let signer = Signer::es256("a");
        let address = closed_address().unwrap();
        let other = "https://id.example";
        let discovery = json!({"issuer": other, "jwks_uri": format!("http://{address}/keys")});
        let script = [json_step(discovery), keys(&[&signer])];
        let server = ScriptedUpstream::start_at(address, script).await.unwrap();
        let provider = Provider { address, server };
        let token = signer.token(&provider.claims(json!({"iss": other})));
        let bench = provider.bench(json!({}));
        assert_eq!(status(&bench, &token).await, 503);
        let valid = json!({"claim_validator": {"issuer": {"valid_issuers": [other]}}});
        let bench = bench.swapped("route", json!({"openid-connect": provider.settings(valid)}));
        assert_eq!(status(&bench, &token).await, 200);
        let own = signer.token(&provider.claims(json!({})));
        assert_eq!(status(&bench, &own).await, 401);
    });
}

#[test]
fn a_public_key_needs_no_key_set() {
    run(|| async {
        let (signer, other) = (Signer::es256("a"), Signer::es256("a"));
        let settings = json!({
            "client_id": "gateway", "discovery": "http://127.0.0.1:9/.well-known/openid-configuration",
            "bearer_only": true, "public_key": signer.pem,
            "claim_validator": {"issuer": {"valid_issuers": ["https://id.example"]}},
        });
        let bench = Bench::new(json!({"openid-connect": settings}));
        let claims = json!({"iss": "https://id.example", "aud": "gateway", "exp": now() + 60});
        assert_eq!(status(&bench, &signer.token(&claims)).await, 200);
        assert_eq!(status(&bench, &other.token(&claims)).await, 401);
        assert_eq!(status(&bench, &signer.with_header(&json!({"alg": "ES384"}), &claims)).await, 401);
    });
}

#[test]
fn a_claim_can_say_which_consumer_it_is() {
    run(|| async {
        let signer = Signer::es256("a");
        let provider = Provider::of(&signer).await;
        let bench = provider.bench(json!({"consumer_claim": "preferred_username"}));
        let with = |more: Value| signer.token(&provider.claims(more));
        let (exchange, response) = ask(&bench, bearer(&with(json!({"preferred_username": "alice"})))).await;
        assert!(response.is_none());
        assert_eq!(username(&exchange), Some("alice"));
        for more in
            [json!({}), json!({"preferred_username": "nobody"}), json!({"preferred_username": ["alice"]})]
        {
            assert_eq!(status(&bench, &with(more)).await, 403);
        }
    });
}

/// A place that asks a server with this script about tokens, whose issuer may be anybody.
async fn introspecting(script: impl Into<Vec<Step>>, more: Value) -> (Bench, ScriptedUpstream) {
    let server = ScriptedUpstream::start(script).await.unwrap();
    let mut settings = json!({
        "client_id": "gateway", "client_secret": "a/b c", "bearer_only": true, "timeout": 60,
        "discovery": "http://127.0.0.1:9/.well-known/openid-configuration",
        "introspection_endpoint": format!("http://{}/introspect", server.address()),
        "claim_validator": {
            "issuer": {"valid_issuers": ["https://id.example"]}, "audience": {"required": false},
        },
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (Bench::new(json!({"openid-connect": settings})), server)
}

#[test]
fn asks_the_provider_about_a_token_once() {
    run(|| async {
        for (method, authorization, form) in [
            ("client_secret_basic", Some("Basic Z2F0ZXdheTphJTJGYiUyMGM="), ""),
            ("client_secret_post", None, "&client_id=gateway&client_secret=a%2Fb%20c"),
        ] {
            let told = json!({"active": true, "sub": "carol", "exp": now() + 60});
            let more = json!({"introspection_endpoint_auth_method": method});
            let (bench, server) = introspecting([json_step(told)], more).await;
            for _ in 0..5 {
                let (exchange, response) = ask(&bench, bearer("opaque+/=")).await;
                assert!(response.is_none());
                assert_eq!(exchange.claims.unwrap()["sub"], "carol");
                assert_eq!(exchange.withheld[..], ["authorization"]);
            }
            let [sent] = &server.received()[..] else { panic!("it was asked again") };
            assert_eq!(sent.line(), "POST /introspect HTTP/1.1");
            assert_eq!(sent.header("authorization"), authorization);
            assert_eq!(sent.header("content-type"), Some("application/x-www-form-urlencoded"));
            let expected = format!("token=opaque%2B%2F%3D&token_type_hint=access_token{form}");
            assert_eq!(String::from_utf8(sent.body()).unwrap(), expected);
        }
    });
}

#[test]
fn what_was_told_holds_for_the_interval_and_never_longer_than_the_token() {
    run(|| async {
        let active = |exp: u64| json_step(json!({"active": true, "exp": exp}));
        let inactive = || json_step(json!({"active": false}));
        for (first, more, seconds) in [
            (active(now() + 1000), json!({"introspection_interval": 5}), 6),
            (active(now() + 20), json!({"introspection_interval": 0}), 21),
            (active(now() + 20), json!({}), 21),
            (active(now() + 1000), json!({"introspection_cache_ignore": true}), 0),
            (json_step(json!({"active": true})), json!({"introspection_interval": 0}), 0),
        ] {
            let (bench, server) = introspecting([first, inactive()], more.clone()).await;
            assert_eq!(status(&bench, "opaque").await, 200, "{more}");
            if seconds > 0 {
                assert_eq!(status(&bench, "opaque").await, 200, "{more}");
                assert_eq!(server.received().len(), 1);
                later(seconds).await;
            }
            assert_eq!(status(&bench, "opaque").await, 401, "{more}");
        }
    });
}

#[test]
fn what_is_told_about_a_token_must_fit_too() {
    run(|| async {
        for (told, expected) in [
            (json!({"active": true}), 200),
            (json!({"active": true, "iss": "https://id.example", "aud": ["gateway"]}), 200),
            (json!({"active": "true"}), 401),
            (json!({"active": 1}), 401),
            (json!({"active": false}), 401),
            (json!({}), 401),
            (json!({"active": true, "iss": "https://evil.example"}), 401),
            (json!({"active": true, "aud": "other"}), 401),
            (json!({"active": true, "exp": now() - 60}), 401),
            (json!({"active": true, "nbf": now() + 60}), 401),
            (json!({"active": true, "typ": "Refresh"}), 401),
            (json!([true]), 503),
        ] {
            let (bench, _server) = introspecting([json_step(told.clone())], json!({})).await;
            assert_eq!(status(&bench, "opaque").await, expected, "{told}");
        }
        let (bench, _server) = introspecting(
            [json_step(json!({"active": true}))],
            json!({"claim_validator": {"issuer": {"valid_issuers": ["x"]}}}),
        )
        .await;
        assert_eq!(status(&bench, "opaque").await, 401, "an audience is required by default");
    });
}

#[test]
fn nobody_is_let_in_where_the_provider_cannot_be_asked() {
    run(|| async {
        for answer in [
            Step::Close,
            Step::Answer("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".into()),
            Step::ok("true"),
            Step::ok(&format!("{{\"active\": true, \"x\": \"{}\"}}", "y".repeat(100_000))),
            Step::Stall(Vec::new()),
        ] {
            let (bench, server) = introspecting([answer], json!({"timeout": 1})).await;
            let (exchange, response) = ask(&bench, bearer("opaque-token")).await;
            assert_eq!(response.unwrap().status(), 503);
            let detail = exchange.record.error_detail.as_deref().unwrap();
            assert!(detail.starts_with(&format!("http://{}/introspect: ", server.address())), "{detail}");
            assert!(!detail.contains("opaque") && !detail.contains("a/b"), "{detail}");
        }
    });
}

#[test]
fn an_answer_from_before_does_not_outlive_a_provider_that_is_down() {
    run(|| async {
        let told = json!({"active": true, "exp": now() + 1000});
        let (bench, server) = introspecting([json_step(told)], json!({"introspection_interval": 20})).await;
        assert_eq!(status(&bench, "opaque").await, 200);
        server.stop().await;
        later(30).await;
        assert_eq!(status(&bench, "opaque").await, 503);
    });
}

#[test]
fn within_multi_auth_nobody_smuggles_its_headers() {
    run(|| async {
        let signer = Signer::es256("a");
        let provider = Provider::of(&signer).await;
        let plugins = json!([{"key-auth": {}}, {"openid-connect": provider.settings(json!({}))}]);
        let bench = Bench::new(json!({"multi-auth": {"auth_plugins": plugins}}));
        let request = get("/").header("apikey", "alice-key").header("X-Userinfo", "e30=");
        let (exchange, response) = ask(&bench, request).await;
        assert!(response.is_none() && !exchange.request.headers.contains_key("x-userinfo"));
        let (exchange, response) = ask(&bench, bearer(&signer.token(&provider.claims(json!({}))))).await;
        assert!(response.is_none() && exchange.claims.is_some());
        let response = ask(&bench, get("/")).await.1.unwrap();
        assert_eq!(response.headers().get_all("www-authenticate").iter().count(), 2);
    });
}

#[test]
fn says_what_is_wrong_with_its_settings() {
    let good = json!({"client_id": "a", "discovery": "http://127.0.0.1:9/x", "bearer_only": true});
    for (more, why) in [
        (json!({"bearer_only": false}), "bearer_only: must be true"),
        (json!({"discovery": "id.example"}), "discovery: the URL must begin with"),
        (json!({"introspection_endpoint": "http://127.0.0.1:9/x"}), "client_secret: "),
        (json!({"introspection_endpoint": "ftp://x", "client_secret": "s"}), "introspection_endpoint: "),
        (json!({"public_key": "x"}), "public_key: expected a public key"),
        (json!({"realm": "a\"b"}), "realm: "),
        (json!({"required_scopes": ["a b"]}), "required_scopes: "),
        (json!({"resource_metadata": "/x"}), "resource_metadata: "),
        (json!({"claim_headers": {"a b": "sub"}}), "claim_headers: \"a b\""),
        (json!({"claim_headers": {"Host": "sub"}}), "claim_headers: host"),
        (json!({"claim_validator": {"issuer": {"valid_issuers": []}}}), "valid_issuers: "),
        (json!({"token_signing_alg_values_expected": "none"}), "unknown variant `none`"),
        (json!({"token_signing_alg_values_expected": "HS256"}), "unknown variant `HS256`"),
        (json!({"session": {}}), "unknown field `session`"),
    ] {
        let mut settings = good.clone();
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let message = Bench::problem(json!({"openid-connect": settings}));
        assert!(message.contains(why), "{message}");
    }
}
