//! Requests that fit and that do not, argument by argument and body by body, and what becomes of them.

mod bodies;

use crate::http::{Body, Response};
use crate::plugins::testing::{Bench, body, get};
use bodies::items;
use http::StatusCode;
use http::request::Builder;
use serde_json::{Value, json};

/// A bench with the one operation `op` of the api `shop`, and the plugin with these settings.
fn bench(operation: Value, settings: Value) -> Bench {
    let mut shape = json!({"method": "POST"});
    shape.as_object_mut().unwrap().extend(operation.as_object().unwrap().clone());
    let mut plugin = json!({"api": "shop", "operation": "op"});
    plugin.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let schemas = json!({
        "Size": {"type": "integer", "minimum": 1, "maximum": 9},
        "Item": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1},
                "price": {"type": "number", "minimum": 0},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
                "pin": {"type": "string", "format": "password", "maxLength": 4},
            },
            "required": ["name"],
            "additionalProperties": false,
        },
    });
    let api = json!({"id": "shop", "schemas": schemas, "operations": {"op": shape}});
    Bench::with_api(api, json!({"oas-validator": plugin}))
}

fn answer(bench: &Bench, request: Builder, content: impl Into<Body>) -> Option<Response> {
    let mut exchange = bench.exchange(request);
    exchange.body = content.into();
    bench.run(&mut exchange)
}

/// What a refusal tells, each by itself.
fn told(response: Option<Response>) -> Vec<String> {
    let Some(response) = response else { return Vec::new() };
    assert!(response.headers().contains_key("x-toolway-error"));
    let body = body(&response);
    let problems = body["problems"].as_array().unwrap();
    let messages: Vec<_> =
        problems.iter().map(|problem| problem["message"].as_str().unwrap().to_owned()).collect();
    let whole = body["error_msg"].as_str().unwrap();
    assert!(whole.ends_with(&messages.join("; ")), "{whole}");
    messages
}

/// What is said of one parameter.
fn of_parameter(parameter: &Value, path: &str, request: Builder) -> Vec<String> {
    told(answer(&bench(json!({"parameters": [parameter], "path": path}), json!({})), request, Body::Empty))
}

fn in_query(schema: Value, types: &[&str], more: Value) -> Value {
    let mut parameter = json!({"in": "query", "name": "q", "style": "form", "explode": true, "values": {"types": types}, "schema": schema});
    parameter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parameter
}

#[test]
fn tells_what_is_wrong_with_a_query_argument_and_what_was_expected() {
    let limit = in_query(json!({"type": "integer", "minimum": 1, "maximum": 100}), &["integer"], json!({}));
    let required = in_query(json!({"$ref": "#/$defs/Size"}), &["integer"], json!({"required": true}));
    let choice = in_query(json!({"type": "string", "enum": ["asc", "desc"]}), &["string"], json!({}));
    let flag = in_query(json!({"type": "boolean"}), &["boolean"], json!({}));
    let either = in_query(
        json!({"anyOf": [{"type": "integer"}, {"type": "string", "enum": ["all"]}]}),
        &["integer", "string"],
        json!({}),
    );
    let expected = r#"query argument "q" must be an integer between 1 and 100"#;
    let cases: Vec<(&Value, &str, Option<String>)> = vec![
        (&limit, "/?q=100", None),
        (&limit, "/?%71=1&other=x", None),
        (&limit, "/", None),
        (&limit, "/?q=abc", Some(format!(r#"{expected}, not "abc""#))),
        (&limit, "/?q=101", Some(format!(r#"{expected}, not "101""#))),
        (&limit, "/?%71=101", Some(format!(r#"{expected}, not "101""#))),
        (&limit, "/?q=", Some(format!(r#"{expected}, not """#))),
        (&limit, "/?q", Some(format!(r#"{expected}, not """#))),
        (&limit, "/?q=1&q=2", Some(r#"query argument "q" is given 2 times, and may be given once"#.into())),
        (&limit, "/?q=1&%71=x", Some(r#"query argument "q" is given 2 times, and may be given once"#.into())),
        (&limit, "/?q=NaN", Some(format!(r#"{expected}, not "NaN""#))),
        (&limit, "/?q=Infinity", Some(format!(r#"{expected}, not "Infinity""#))),
        (&limit, "/?q=1e999", Some(format!(r#"{expected}, not "1e999""#))),
        (&limit, "/?q=99999999999999999999", Some(format!(r#"{expected}, not "99999999999999999999""#))),
        (&limit, "/?q=+5", Some(format!(r#"{expected}, not " 5""#))),
        (&limit, "/?q=5%0A", Some(format!(r#"{expected}, not "5\n""#))),
        (&limit, "/?q=0x10", Some(format!(r#"{expected}, not "0x10""#))),
        (&limit, "/?q=%FF", Some(expected.replace("must be", "must be UTF-8; it must be"))),
        (&required, "/?q=9", None),
        (
            &required,
            "/?Q=9",
            Some(r#"query argument "q" is required and missing: an integer between 1 and 9"#.into()),
        ),
        (
            &required,
            "/?q=10",
            Some(r#"query argument "q" must be an integer between 1 and 9, not "10""#.into()),
        ),
        (&choice, "/?q=asc", None),
        (&choice, "/?q=up", Some(r#"query argument "q" must be one of "asc", "desc", not "up""#.into())),
        (&flag, "/?q=true", None),
        (&flag, "/?q=True", Some(r#"query argument "q" must be true or false, not "True""#.into())),
        (&either, "/?q=7", None),
        (&either, "/?q=all", None),
        (&either, "/?q=any", Some(r#"query argument "q" must be an integer or "all", not "any""#.into())),
    ];
    for (parameter, uri, expected) in cases {
        let told = of_parameter(parameter, "/", get(uri));
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{uri}");
    }
}

#[test]
fn reads_lists_and_objects_by_their_styles() {
    let list = json!({"type": "array", "items": {"type": "integer"}, "minItems": 2});
    let object = json!({"type": "object", "properties": {"r": {"type": "integer"}}, "required": ["r"]});
    let of = |location: &str, style: &str, explode: bool, schema: &Value| {
        let values = match schema["type"] == "array" {
            true => json!({"types": ["array"], "items": ["integer"]}),
            false => json!({"types": ["object"], "properties": {"r": ["integer"], "g": ["string"]}}),
        };
        json!({"in": location, "name": "q", "style": style, "explode": explode, "schema": schema, "values": values})
    };
    // Each with a text that fits and one that does not.
    for (location, style, explode, schema, good, bad) in [
        ("query", "form", true, &list, "q=1&q=2", "q=1&q=x"),
        ("query", "form", false, &list, "q=1,2", "q=1,x"),
        ("query", "form", false, &list, "q=1%2C2", "q=1%2Cx"),
        ("query", "spaceDelimited", false, &list, "q=1%202", "q=1%20x"),
        ("query", "spaceDelimited", false, &list, "q=1+2", "q=1+x"),
        ("query", "pipeDelimited", false, &list, "q=1%7C2", "q=1|x"),
        ("query", "tabDelimited", false, &list, "q=1%092", "q=1%09x"),
        ("query", "form", true, &object, "r=1&g=x", "g=x"),
        ("query", "form", true, &object, "r=1", "r=x"),
        ("query", "form", false, &object, "q=r,1,g,x", "q=r,x"),
        ("query", "deepObject", true, &object, "q%5Br%5D=1&q[g]=x", "q[r]=x"),
        ("path", "simple", false, &list, "1,2", "1,x"),
        ("path", "simple", false, &object, "r,1,g,x", "g,1"),
        ("path", "simple", true, &object, "r=1,g=x", "r=x"),
        ("path", "label", false, &list, ".1,2", ".1,x"),
        ("path", "label", true, &list, ".1.2", ".1.x"),
        ("path", "label", true, &object, ".r=1.g=x", ".r=x"),
        ("path", "label", false, &object, ".r,1", ".r,x"),
        ("path", "matrix", false, &list, ";q=1,2", ";q=1,x"),
        ("path", "matrix", true, &list, ";q=1;q=2", ";q=1;q=x"),
        ("path", "matrix", true, &object, ";r=1;g=x", ";r=x"),
        ("path", "matrix", false, &object, ";q=r,1", ";q=r,x"),
        ("header", "simple", false, &list, "1, 2", "1, x"),
        ("header", "simple", false, &object, "r,1", "r,x"),
        ("header", "simple", true, &object, "r=1,g=2", "r=x"),
        ("cookie", "form", true, &list, "q=1; q=2; other=x", "q=1; q=x"),
        ("cookie", "form", false, &list, "q=1%2C2", "q=1%2Cx"),
        ("cookie", "form", true, &object, "r=1; g=x", "r=x; g=x"),
    ] {
        let parameter = of(location, style, explode, schema);
        let request = |text: &str| match location {
            "query" => get(&format!("/?{text}")),
            "path" => get(&format!("/{text}")),
            "header" => get("/").header("Q", text),
            _ => get("/").header("Cookie", text),
        };
        let path = if location == "path" { "/{q}" } else { "/" };
        assert_eq!(
            of_parameter(&parameter, path, request(good)),
            [""; 0],
            "{location} {style} {explode} {good}"
        );
        let told = of_parameter(&parameter, path, request(bad));
        assert_eq!(told.len(), 1, "{location} {style} {explode} {bad}: {told:?}");
        assert!(told[0].contains("an integer"), "{told:?}");
    }
}

#[test]
fn a_value_within_an_argument_is_pointed_to() {
    let parameter = json!({"in": "query", "name": "ids", "style": "form", "explode": false,
        "values": {"types": ["array"], "items": ["integer"]},
        "schema": {"type": "array", "items": {"type": "integer"}, "maxItems": 3}});
    let told = |uri: &str| of_parameter(&parameter, "/", get(uri));
    assert_eq!(told("/?ids=1,b,3"), [r#"query argument "ids" pointer /1 must be an integer, not "b""#]);
    assert_eq!(
        told("/?ids=1,2,3,4"),
        [r#"query argument "ids" must be a list of at most 3 items, not [1,2,3,4]"#]
    );
}

#[test]
fn arguments_with_content_are_json() {
    let parameter = in_query(json!({"$ref": "#/$defs/Item"}), &["object"], json!({"json": true}));
    let told = |uri: &str| of_parameter(&parameter, "/", get(uri));
    assert_eq!(told("/?q=%7B%22name%22:%22a%22%7D"), [""; 0]);
    assert_eq!(
        told("/?q=%7B%22name%22:1%7D"),
        [r#"query argument "q" pointer /name must be a text of at least 1 characters, not 1"#]
    );
    assert!(told("/?q=%7B")[0].starts_with(r#"query argument "q" must be JSON: EOF"#));
}

#[test]
fn all_mistakes_are_told_at_once_up_to_a_number() {
    let parameters: Vec<_> = (0..20)
        .map(|index| json!({"in": "query", "name": format!("a{index}"), "style": "form", "required": true}))
        .collect();
    let contents = json!([{"media_type": "application/json", "check": {"json": {"$ref": "#/$defs/Item"}}}]);
    let operation = json!({"parameters": parameters[..2], "body": {"contents": contents}});
    let request = || get("/?a0=1").header("Content-Type", "application/json");
    let response = answer(&bench(operation, json!({})), request(), r#"{"price":"x","prise":1}"#).unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let mut told = told(Some(response));
    told.sort();
    assert_eq!(
        told,
        [
            r#"body pointer /name is required and missing: a text of at least 1 characters"#,
            r#"body pointer /price must be a number of at least 0, not "x""#,
            r#"query argument "a1" is required and missing"#,
            r#"the body must not have "prise"; did you mean "price"?"#,
        ]
    );
    for most in [1, 10] {
        let bench = bench(json!({"parameters": parameters}), json!({"max_mistakes": most}));
        assert_eq!(self::told(answer(&bench, get("/"), Body::Empty)).len(), most);
    }
}

#[test]
fn what_is_only_reported_goes_on_and_logs_no_value() {
    let bench = bench(items(), json!({"mode": "report"}));
    let mut exchange = bench.exchange(get("/").header("Content-Type", "application/json"));
    exchange.body = r#"{"name":"", "price": "sesame"}"#.into();
    assert!(bench.run(&mut exchange).is_none());
    let text = bench.state().metrics.text(&bench.worker.shared.connections, 0);
    assert!(
        text.contains("toolway_invalid_requests_total{route=\"route\",outcome=\"reported\"} 1"),
        "{text}"
    );
    assert_eq!(exchange.record.error, None);
    let told = exchange.record.invalid.clone().unwrap();
    assert!(told.contains("body pointer /price must be a number of at least 0"), "{told}");
    assert!(!told.contains("sesame"));
    let refused = self::bench(items(), json!({}));
    let mut exchange = refused.exchange(get("/").header("Content-Type", "application/json"));
    exchange.body = r#"{"name":"", "price": "sesame"}"#.into();
    assert!(refused.run(&mut exchange).is_some());
    assert_eq!(exchange.record.error, Some("invalid_request"));
    assert!(!exchange.record.error_detail.clone().unwrap().contains("sesame"));
}

#[test]
fn unknown_query_arguments_are_refused_where_that_is_set_but_for_credentials() {
    let parameter = in_query(json!({"type": "integer"}), &["integer"], json!({"name": "limit"}));
    let deep = json!({"in": "query", "name": "f", "style": "deepObject", "explode": true, "values": {"types": ["object"]}});
    let operation = json!({"parameters": [parameter, deep]});
    assert!(answer(&bench(operation.clone(), json!({})), get("/?limt=1"), Body::Empty).is_none());
    let api =
        json!({"id": "shop", "operations": {"op": {"method": "GET", "parameters": operation["parameters"]}}});
    let plugin = json!({"api": "shop", "operation": "op", "unknown_query": "refuse"});
    let bench = Bench::with_api(
        api,
        json!({"oas-validator": plugin, "key-auth": {"query": "key", "anonymous_consumer": "guest"}}),
    );
    assert_eq!(
        told(answer(&bench, get("/?limt=1&f[a]=1&%66%5Bb%5D=2&key=alice-key"), Body::Empty)),
        [r#"query argument "limt" is not known here; did you mean "limit"?"#]
    );
}

#[test]
fn a_preflight_is_no_call_of_the_operation() {
    let parameter = in_query(json!({"type": "integer"}), &["integer"], json!({"required": true}));
    let bench = bench(json!({"parameters": [parameter]}), json!({}));
    assert!(answer(&bench, http::Request::options("/"), Body::Empty).is_none());
    assert!(answer(&bench, http::Request::head("/"), Body::Empty).is_some());
}

#[test]
fn a_schema_of_many_branches_costs_no_more_than_the_meter_allows() {
    let tree = json!({"anyOf": [
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/Tree"}}, "required": ["x"]},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/Tree"}}, "required": ["y"]},
    ]});
    let contents = json!([{"media_type": "application/json", "check": {"json": {"$ref": "#/$defs/Tree"}}}]);
    let operations = json!({"op": {"method": "POST", "body": {"contents": contents}}});
    let api = json!({"id": "shop", "schemas": {"Tree": tree}, "operations": operations});
    let bench = Bench::with_api(api, json!({"oas-validator": {"api": "shop", "operation": "op"}}));
    let content = format!("{}1{}", "{\"a\":".repeat(60), "}".repeat(60));
    let request = get("/").header("Content-Type", "application/json");
    let told = told(answer(&bench, request, Body::from(content.into_bytes())));
    assert_eq!(
        told,
        ["the body is not as described, in a place that is nested too deeply for each mistake to be told"]
    );
}

#[test]
fn schemas_that_lead_to_many_others_are_compiled_once_for_the_api_and_say_the_same() {
    let schemas = (0..40).map(|index| {
        let next = json!({"$ref": format!("#/$defs/M-{}", (index + 1) % 40)});
        let name = json!({"type": "string", "maxLength": 3});
        let schema =
            json!({"type": "object", "properties": {"name": name, "next": next}, "required": ["name"]});
        (format!("M-{index}"), schema)
    });
    let schemas: serde_json::Map<_, _> = schemas.collect();
    let contents = json!([{"media_type": "application/json", "check": {"json": {"$ref": "#/$defs/M-7"}}}]);
    let operations = json!({"op": {"method": "POST", "body": {"contents": contents}}});
    let api = json!({"id": "shop", "schemas": schemas, "operations": operations});
    let bench = Bench::with_api(api, json!({"oas-validator": {"api": "shop", "operation": "op"}}));
    let say = |content: &'static str| {
        told(answer(&bench, get("/").header("Content-Type", "application/json"), content))
    };
    assert_eq!(say(r#"{"name":"a","next":{"name":"b"}}"#), [""; 0]);
    assert_eq!(say("[]"), ["the body must be an object, not []"]);
    assert_eq!(
        say(r#"{"name":"a","next":{"name":"long","next":{}}}"#),
        [
            r#"body pointer /next/name must be a text of at most 3 characters, not "long""#,
            "body pointer /next/next/name is required and missing: a text of at most 3 characters",
        ]
    );
}

#[test]
fn an_operation_that_there_is_not_is_refused_with_its_near_name() {
    let plugins = json!({"oas-validator": {"api": "shop", "operation": "op"}});
    assert!(Bench::problem(plugins).contains("there is no api \"shop\""));
    assert!(Bench::problem(json!({"oas-validator": {}})).contains("needs both"));
    assert!(Bench::problem(json!({"oas-validator": {"max_mistakes": 0}})).contains("1 to 100"));
}
