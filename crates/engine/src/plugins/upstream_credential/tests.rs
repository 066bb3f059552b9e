use crate::exchange::Exchange;
use crate::plugins::testing::{Bench, get};
use http::request::Builder;
use serde_json::{Value, json};

fn run(plugins: Value, request: Builder) -> Exchange {
    let bench = Bench::new(plugins);
    let mut exchange = bench.exchange(request);
    assert!(bench.run(&mut exchange).is_none());
    exchange
}

fn shown(config: Value, request: Builder) -> Exchange {
    run(json!({"upstream-credential": config}), request)
}

#[test]
fn puts_headers_in_place_of_the_client_s_however_it_spells_them() {
    let request = get("/").header("x-key", "forged").header("x_key", "forged").header("x-other", "kept");
    let exchange = shown(json!({"header": {"X-Key": "sesame", "X-App": "shop"}}), request);
    let headers = &exchange.request.headers;
    assert_eq!(headers.get_all("x-key").iter().collect::<Vec<_>>(), ["sesame"]);
    assert_eq!(
        (&headers["x-app"], &headers["x-other"]),
        (&"shop".parse().unwrap(), &"kept".parse().unwrap())
    );
    assert!(!headers.contains_key("x_key"));
    assert!(headers["x-key"].is_sensitive());
}

#[test]
fn writes_bearer_and_basic() {
    let exchange = shown(json!({"bearer": "t0ken"}), get("/").header("authorization", "Bearer mine"));
    assert_eq!(exchange.request.headers["authorization"], "Bearer t0ken");
    let account = json!({"basic": {"username": "Aladdin", "password": "open sesame"}});
    let exchange = shown(account, get("/"));
    assert_eq!(exchange.request.headers["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

#[test]
fn puts_arguments_in_place_of_the_client_s_and_encodes_them() {
    let config = json!({"query": {"key": "a b&c=d"}});
    for (uri, expected) in [
        ("/x", "/x?key=a%20b%26c%3Dd"),
        ("/x?a=1&k%65y=forged&key&b", "/x?a=1&b&key=a%20b%26c%3Dd"),
        ("/x?", "/x?key=a%20b%26c%3Dd"),
    ] {
        assert_eq!(shown(config.clone(), get(uri)).request.uri, expected);
    }
}

#[test]
fn an_argument_is_there_also_where_another_plugin_has_made_the_uri() {
    let plugins = json!({
        "upstream-credential": {"query": {"key": "sesame"}},
        "proxy-rewrite": {"uri": "/inner?key=other&v=2"},
    });
    let exchange = run(plugins, get("/x?a=1"));
    assert_eq!(exchange.rewrite.uri.unwrap(), "/inner?v=2&a=1&key=sesame");
}

#[test]
fn puts_a_cookie_among_the_client_s() {
    let config = json!({"cookie": {"session": "sesame"}});
    let exchange =
        shown(config.clone(), get("/").header("cookie", "a=1; session=forged").header("cookie", "b=2"));
    let cookies: Vec<_> = exchange.request.headers.get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=1; b=2; session=sesame"]);
    assert_eq!(shown(config, get("/")).request.headers["cookie"], "session=sesame");
}

#[test]
fn takes_the_place_of_a_credential_that_is_withheld() {
    let plugins =
        json!({"key-auth": {"header": "authorization"}, "upstream-credential": {"bearer": "t0ken"}});
    let exchange =
        run(plugins, get("/").header("authorization", "Bearer alice-key").header("x-api-key", "k"));
    assert_eq!(exchange.withheld[..], ["x-api-key"]);
    assert_eq!(exchange.request.headers["authorization"], "Bearer t0ken");
    let plugins = json!({"jwt-auth": {"anonymous_consumer": "guest"}, "upstream-credential": {"cookie": {"jwt": "own"}}});
    let exchange = run(plugins, get("/").header("cookie", "jwt=mine"));
    assert!(exchange.withheld_cookies.is_empty());
    assert_eq!(exchange.request.headers["cookie"], "jwt=own");
}

#[test]
fn only_named_headers_of_the_client_s_go_on() {
    let plugins = json!({"key-auth": {}, "upstream-credential": {"pass_through": ["Authorization"]}});
    let request = get("/")
        .header("apikey", "alice-key")
        .header("x-api-key", "mine")
        .header("authorization", "Bearer of-the-client");
    let exchange = run(plugins.clone(), request);
    assert_eq!(exchange.withheld[..], ["apikey", "x-api-key"]);
    let bench = Bench::new(plugins);
    let headers: Vec<_> = bench.chain().credential_headers().cloned().collect();
    assert_eq!(headers, ["apikey", "authorization"], "a tool call passes them on");
}

#[test]
fn a_caller_without_a_token_cannot_have_one_exchanged() {
    let oauth2 = json!({
        "grant_type": "token_exchange", "token_endpoint": "http://127.0.0.1:1/token",
        "client_id": "gateway", "client_secret": "sesame",
    });
    let bench = Bench::new(json!({"key-auth": {}, "upstream-credential": {"oauth2": oauth2}}));
    let request = get("/").header("apikey", "alice-key").header("authorization", "Bearer unproven");
    let response = bench.run(&mut bench.exchange(request)).expect("a refusal");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["www-authenticate"]),
        (401, &"Bearer".parse().unwrap())
    );
}

#[test]
fn refuses_settings_that_cannot_hold_and_shows_no_secret() {
    let oauth2 = |more: Value| {
        let mut all = json!({"token_endpoint": "http://127.0.0.1:1/token", "client_id": "gateway"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"oauth2": all})
    };
    for (config, why) in [
        (json!({}), "expected one of header, bearer"),
        (json!({"header": {"no such": "sesame"}}), "not a valid header name"),
        (json!({"header": {"Host": "sesame"}}), "HTTP itself"),
        (json!({"header": {"Cookie": "sesame"}}), "use cookie"),
        (json!({"header": {"X-Key": "sesame\n"}}), "cannot stand in a header"),
        (json!({"header": {"X-Key": " sesame"}}), "cannot stand in a header"),
        (json!({"header": {"X-Key": "sesame", "x-key": "sesame"}}), "comes twice"),
        (json!({"header": {"X-Key": {"sesame": 1}}}), "expected a text"),
        (json!({"bearer": "sesame sesame"}), "not a token"),
        (
            json!({"bearer": "sesame", "basic": {"username": "a", "password": "sesame"}}),
            "expected one of bearer",
        ),
        (json!({"bearer": "sesame", "header": {"Authorization": "sesame"}}), "expected one of bearer"),
        (json!({"bearer": "sesame", "pass_through": ["authorization"]}), "cannot both"),
        (json!({"basic": {"username": "a:b", "password": "sesame"}}), "without colons"),
        (json!({"query": {"": "sesame"}}), "expected a name"),
        (json!({"cookie": {"a b": "sesame"}}), "not a valid name"),
        (json!({"cookie": {"a": "sesame;"}}), "cannot stand in a cookie"),
        (json!({"pass_through": ["Connection"]}), "HTTP itself"),
        (oauth2(json!({})), "expected client_secret"),
        (oauth2(json!({"client_secret": "sesame", "private_key": "sesame"})), "no private_key"),
        (oauth2(json!({"client_secret": "sesame", "token_endpoint": "idp.example"})), "http:// or https://"),
        (oauth2(json!({"client_secret": "sesame", "client_id": ""})), "client_id"),
        (oauth2(json!({"client_secret": "sesame", "timeout": 0})), "between 1 and 60"),
        (
            oauth2(json!({"client_secret": "sesame", "actor_token": "sesame"})),
            "only the grant_type token_exchange",
        ),
        (oauth2(json!({"token_endpoint_auth_method": "private_key_jwt"})), "wants private_key"),
        (
            oauth2(json!({"token_endpoint_auth_method": "private_key_jwt", "private_key": "sesame"})),
            "not a private key in PEM",
        ),
        (
            oauth2(
                json!({"client_secret": "sesame", "grant_type": "token_exchange", "actor_token_type": "urn:x"}),
            ),
            "no actor_token",
        ),
    ] {
        let message = Bench::problem(json!({"upstream-credential": config}));
        assert!(message.contains(why), "{config}: {message}");
        assert!(!message.contains("sesame"), "{message}");
    }
}
