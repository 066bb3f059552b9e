use super::{Expression, Predicates, Verdict};
use crate::http::Body;
use crate::network::Networks;
use crate::plugins::testing::{Bench, get};
use http::request::Builder;
use serde_json::{Value, json};

fn compile(rules: &Value) -> Result<Option<Expression>, Vec<(String, String)>> {
    Expression::compile(rules.as_array().unwrap())
}

fn holds(rules: &Value, request: Builder) -> bool {
    let exchange = Bench::new(json!({})).exchange(request);
    let expression = compile(rules).unwrap_or_else(|problems| panic!("{rules}: {problems:?}"));
    expression.is_none_or(|expression| expression.holds(&exchange))
}

fn request() -> Builder {
    get("/a%20b/c?name=jack&age=9&age=11&flag&empty=&big=1e3&word=ten&text=%61%2B")
        .header("Host", "API.example:9080")
        .header("X-Tenant", "Blue")
        .header("X-Role", "reader")
        .header("X-Role", "writer")
        .header("Cookie", "session=s1; other=o")
}

#[test]
fn a_comparison_holds_by_the_types_of_its_literal() {
    for (rule, expected) in [
        (json!(["arg_name", "==", "jack"]), true),
        (json!(["arg_name", "jack"]), true),
        (json!(["arg_name", "==", "Jack"]), false),
        (json!(["arg_name", "~=", "jack"]), false),
        (json!(["arg_name", "~=", "jill"]), true),
        (json!(["arg_text", "==", "a+"]), true),
        (json!(["arg_age", "==", 9]), true),
        (json!(["arg_age", "==", "9.0"]), false),
        (json!(["arg_age", "==", 9.0]), true),
        (json!(["arg_big", "==", 1000]), true),
        (json!(["arg_word", "==", 10]), false),
        (json!(["arg_word", "~=", 10]), true),
        (json!(["arg_age", ">", 8]), true),
        // As numbers, not as texts.
        (json!(["arg_age", ">", 10]), false),
        (json!(["arg_age", ">", "8"]), true),
        (json!(["arg_age", ">=", 9]), true),
        (json!(["arg_age", "<", 9]), false),
        (json!(["arg_age", "<=", 9]), true),
        (json!(["arg_word", ">", 0]), false),
        (json!(["arg_word", "<", 0]), false),
        (json!(["arg_name", "~~", "^j.c"]), true),
        (json!(["arg_name", "~~", "J"]), false),
        (json!(["arg_name", "~*", "^JACK$"]), true),
        (json!(["arg_name", "in", ["jill", "jack"]]), true),
        (json!(["arg_name", "IN", ["jill"]]), false),
        (json!(["arg_age", "in", ["x", 9]]), true),
        (json!(["arg_age", "has", 11]), true),
        (json!(["arg_age", "has", 12]), false),
        (json!(["http_x_role", "has", "writer"]), true),
        (json!(["http_x_role", "==", "reader"]), true),
        (json!(["remote_addr", "ipmatch", ["10.0.0.0/8", "192.0.2.0/24"]]), true),
        (json!(["remote_addr", "ipmatch", "192.0.2.8"]), false),
        (json!(["arg_name", "ipmatch", ["0.0.0.0/0"]]), false),
        (json!(["arg_name", "!", "~~", "x"]), true),
        (json!(["arg_name", "!", "in", ["jack"]]), false),
        (json!(["arg_age", "!", ">", 10]), true),
    ] {
        assert_eq!(holds(&json!([rule]), request()), expected, "{rule}");
    }
}

#[test]
fn a_variable_without_value_differs_from_everything_and_else_nothing_holds_of_it() {
    for (operator, literal, expected) in [
        ("==", json!(""), false),
        ("~=", json!(""), true),
        ("~=", json!(1), true),
        ("<", json!(1), false),
        ("~~", json!(""), false),
        ("in", json!([""]), false),
        ("has", json!(""), false),
        ("ipmatch", json!("::/0"), false),
    ] {
        for name in ["arg_none", "http_none", "cookie_none", "consumer_name", "post_arg_none", "graphql_name"]
        {
            assert_eq!(holds(&json!([[name, operator, literal]]), request()), expected, "{name} {operator}");
            let negated = json!([[name, "!", operator, literal]]);
            assert_eq!(holds(&negated, request()), !expected, "{negated}");
        }
    }
    assert!(holds(&json!([["arg_empty", "==", ""], ["arg_flag", "==", ""]]), request()));
}

#[test]
fn every_variable_can_be_compared() {
    for (name, value) in [
        ("uri", json!("/a%20b/c")),
        ("request_uri", json!("/a%20b/c?name=jack&age=9&age=11&flag&empty=&big=1e3&word=ten&text=%61%2B")),
        ("host", json!("api.example")),
        ("method", json!("GET")),
        ("request_method", json!("GET")),
        ("scheme", json!("http")),
        ("remote_addr", json!("192.0.2.7")),
        ("server_port", json!(9080)),
        ("server_port", json!("9080")),
        ("http_x_tenant", json!("Blue")),
        ("cookie_other", json!("o")),
    ] {
        assert!(holds(&json!([[name, "==", value]]), request()), "{name}");
    }
}

#[test]
fn expressions_nest() {
    let yes = || json!(["arg_name", "==", "jack"]);
    let no = || json!(["arg_name", "==", "jill"]);
    for (rules, expected) in [
        (json!([]), true),
        (json!([yes(), yes()]), true),
        (json!([yes(), no()]), false),
        (json!([["OR", no(), yes()]]), true),
        (json!([["or", no(), no()]]), false),
        (json!([["AND", yes(), yes()]]), true),
        (json!([["!AND", yes(), no()]]), true),
        (json!([["!AND", yes(), yes()]]), false),
        (json!([["!OR", no(), no()]]), true),
        (json!([["!OR", no(), yes()]]), false),
        (json!(["OR", no(), yes()]), true),
        (json!(["!OR", no(), ["AND", yes(), ["!OR", no(), no()]]]), false),
        (json!([yes(), ["OR", no(), [yes(), yes()]]]), true),
    ] {
        assert_eq!(holds(&rules, request()), expected, "{rules}");
    }
}

#[test]
fn refuses_what_cannot_hold_and_says_where() {
    for (rules, pointer, why) in [
        (json!(["arg_a", "==", "b"]), "", "in a list of its own"),
        (json!([["arg_a"]]), "/0", "a comparison is [variable, operator, value]"),
        (json!([["arg_a", "?", "==", "b"]]), "/0", "a comparison is"),
        (json!([["arg_a", "=", "b"]]), "/0/1", "did you mean \"==\"?"),
        (json!([["arg_a", "!", "!=", "b"]]), "/0/2", "did you mean \"~=\"?"),
        (json!([["arg_a", "ipmach", "b"]]), "/0/1", "did you mean \"ipmatch\"?"),
        (json!([["remote_adr", "==", "b"]]), "/0/0", "did you mean $remote_addr?"),
        (json!([["arg_a", "==", null]]), "/0/2", "a text or a number, and this is null"),
        (json!([["arg_a", "==", ["b"]]]), "/0/2", "a text or a number"),
        (json!([["arg_a", ">", "b"]]), "/0/2", "compares with a number, and this is \"b\""),
        (json!([["arg_a", "in", "b"]]), "/0/2", "takes a list"),
        (json!([["arg_a", "!", "in", [null]]]), "/0/3", "takes a list"),
        (json!([["arg_a", "~~", "("]]), "/0/2", "the regular expression cannot be used: unclosed group"),
        (json!([["arg_a", "~~", "(?=b)"]]), "/0/2", "look-around"),
        (json!([["arg_a", "~*", 1]]), "/0/2", "expected a regular expression"),
        (json!([["remote_addr", "ipmatch", ["10.0.0.0/64"]]]), "/0/2", "no address and no network"),
        (json!([["OR", ["arg_a", "b"]]]), "/0", "takes two expressions or more"),
        (json!([["AND", ["arg_a", "b"], "c"]]), "/0/2", "expected an expression"),
        (json!([[]]), "/0", "must not be empty"),
        (json!([[1, "==", 1]]), "/0/0", "expected the name of a variable"),
        (json!([["arg_a", "b"], 1]), "/1", "expected an expression"),
    ] {
        let problems = compile(&rules).expect_err("a refusal");
        let (at, text) = problems.first().unwrap();
        assert_eq!((at.as_str(), problems.len()), (pointer, 1), "{rules}: {problems:?}");
        assert!(text.contains(why), "{rules}: {text}");
    }
}

#[test]
fn tells_every_problem_at_once() {
    let problems = compile(&json!([["nothing", "=", "a"], ["OR", ["arg_a", ">", "x"], []]])).unwrap_err();
    let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(places, ["/0/0", "/0/1", "/1/1/2", "/1/2"]);
}

fn verdict(rules: Value, inspect: Option<(&str, &str, usize)>) -> Verdict {
    let predicates = Predicates { expression: compile(&rules).unwrap(), ..Predicates::default() };
    let (media_type, body, limit) = inspect.unwrap_or_default();
    let mut exchange =
        Bench::new(json!({})).exchange(get("/").method("POST").header("Content-Type", media_type));
    exchange.body = Body::from(body.as_bytes().to_vec());
    if inspect.is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(exchange.inspect(limit)).unwrap();
        let kept = runtime.block_on(http_body_util::BodyExt::collect(exchange.body)).unwrap();
        assert_eq!(kept.to_bytes(), body);
        exchange.body = Body::Empty;
    }
    predicates.test(&exchange)
}

#[test]
fn a_body_is_asked_for_and_then_compared() {
    let rules = json!([["post_arg_name", "==", "a b"]]);
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    assert_eq!(verdict(rules.clone(), None), Verdict::NeedsBody);
    assert_eq!(verdict(rules.clone(), Some((form, "x=1&name=a+b", 100))), Verdict::Holds);
    assert_eq!(verdict(rules.clone(), Some((form, "name=c", 100))), Verdict::Fails);
    assert_eq!(verdict(rules, Some(("text/plain", "name=a+b", 100))), Verdict::Fails);
}

#[test]
fn a_graphql_operation_is_compared() {
    let body = json!({"query": "mutation M { pay { id } note }", "operationName": "M"}).to_string();
    for rule in [
        json!(["graphql_operation", "==", "mutation"]),
        json!(["graphql_name", "==", "M"]),
        json!(["graphql_root_fields", "has", "note"]),
        json!(["graphql_root_fields", "!", "has", "id"]),
    ] {
        let found = verdict(json!([rule]), Some(("application/json", &body, 100)));
        assert_eq!(found, Verdict::Holds, "{rule}");
    }
    let plain = ("application/graphql", "{ a }", 100);
    assert_eq!(verdict(json!([["graphql_operation", "query"]]), Some(plain)), Verdict::Holds);
}

#[test]
fn a_body_that_is_too_long_fails_negated_or_not() {
    let sent = ("application/x-www-form-urlencoded", "name=abc", 7);
    assert_eq!(verdict(json!([["post_arg_name", "==", "abc"]]), Some(sent)), Verdict::Fails);
    assert_eq!(verdict(json!([["post_arg_name", "~=", "x"]]), Some(sent)), Verdict::Fails);
}

#[test]
fn a_route_takes_clients_of_its_networks() {
    for (networks, expected) in [(["192.0.2.0/24"], Verdict::Holds), (["10.0.0.0/8"], Verdict::Fails)] {
        let addresses = Some(Networks::parse(&networks).unwrap());
        let predicates = Predicates { addresses, ..Predicates::default() };
        assert_eq!(predicates.test(&Bench::new(json!({})).exchange(get("/"))), expected);
    }
}
