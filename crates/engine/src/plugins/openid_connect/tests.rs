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

mod introspection;
mod keys;

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
        Self::start([key_step(&[signer])]).await
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

fn key_step(signers: &[&Signer]) -> Step {
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
        let upstream_headers = json!({"X-Subject": "sub", "X-Roles": "roles", "X-API-Key": "sub"});
        let bench = provider.bench(json!({"upstream_headers": upstream_headers}));
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
        let provider = Provider::start([key_step(&[&signer, &rsa])]).await;
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
        (json!({"upstream_headers": {"a b": "sub"}}), "upstream_headers: \"a b\""),
        (json!({"upstream_headers": {"Host": "sub"}}), "upstream_headers: host"),
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
