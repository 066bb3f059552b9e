//! Requests that fit and that do not, and what is said of them.

use crate::http::{Body, Response};
use crate::plugins::testing::{Bench, get};
use http::request::Builder;
use serde_json::{Value, json};

fn run(settings: Value, request: Builder, content: impl Into<Body>) -> Option<Response> {
    let bench = Bench::new(json!({"request-validation": settings}));
    let mut exchange = bench.exchange(request);
    exchange.body = content.into();
    bench.run(&mut exchange)
}

/// Status and text of a refusal.
fn refusal(settings: Value, request: Builder, content: impl Into<Body>) -> Option<(u16, String)> {
    run(settings, request, content).map(|response| match response.body() {
        Body::Bytes(bytes) => (response.status().as_u16(), String::from_utf8_lossy(bytes).into_owned()),
        _ => panic!("the body is not in memory"),
    })
}

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^[a-z]*$"},
            "age": {"type": "integer", "minimum": 1, "maximum": 9},
            "kind": {"enum": ["a", "b"]},
            "tags": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string"}},
            "inner": {"type": "object", "additionalProperties": false, "properties": {"x": {"type": "boolean"}}},
        },
    })
}

#[test]
fn a_json_body_is_held_against_its_schema_and_told_in_apisix_s_words() {
    for (content, why) in [
        (r#"{"name":"a","age":3,"kind":"a","tags":["x"],"inner":{"x":true}}"#, None),
        (r#"{"age":3}"#, Some(r#"property "name" is required"#)),
        (
            r#"{"name":1}"#,
            Some(r#"property "name" validation failed: wrong type: expected string, got number"#),
        ),
        (
            r#"{"name":""}"#,
            Some(r#"property "name" validation failed: string too short, expected at least 1, got 0"#),
        ),
        (
            r#"{"name":"abcd"}"#,
            Some(r#"property "name" validation failed: string too long, expected at most 3, got 4"#),
        ),
        (
            r#"{"name":"A"}"#,
            Some(r#"property "name" validation failed: failed to match pattern "^[a-z]*$" with "A""#),
        ),
        (r#"{"name":"a","age":0}"#, Some(r#"property "age" validation failed: expected 0 to be at least 1"#)),
        (
            r#"{"name":"a","age":10}"#,
            Some(r#"property "age" validation failed: expected 10 to be at most 9"#),
        ),
        (
            r#"{"name":"a","kind":"c"}"#,
            Some(r#"property "kind" validation failed: matches none of the enum values"#),
        ),
        (
            r#"{"name":"a","tags":[]}"#,
            Some(r#"property "tags" validation failed: expect array to have at least 1 items"#),
        ),
        (
            r#"{"name":"a","tags":["x","x"]}"#,
            Some(r#"property "tags" validation failed: expected unique items"#),
        ),
        (
            r#"{"name":"a","tags":["x",1]}"#,
            Some(
                r#"property "tags" validation failed: failed to validate item 2: wrong type: expected string, got number"#,
            ),
        ),
        (
            r#"{"name":"a","inner":{"y":1}}"#,
            Some(r#"property "inner" validation failed: additional properties forbidden, found y"#),
        ),
        ("[]", Some("wrong type: expected object, got array")),
        (
            r#"{"name":"a","name":"b"}"#,
            Some(r#"the name "name" comes twice in one object at line 1 column 18"#),
        ),
        ("{", Some("EOF while parsing an object at line 1 column 1")),
        ("", Some("the body is missing")),
    ] {
        let expected = why.map(|why| (400, why.to_owned()));
        assert_eq!(refusal(json!({"body_schema": schema()}), get("/"), content), expected, "{content}");
    }
}

#[test]
fn a_form_is_an_object_of_texts() {
    let settings = json!({"body_schema": {"properties": {
        "name": {"type": "string", "pattern": "^a b$"},
        "tags": {"type": "array"},
        "flag": {"const": true},
    }}});
    let form = |content: &'static str| {
        let request = get("/").header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
        refusal(settings.clone(), request, content)
    };
    assert_eq!(form("n%61me=a+b&tags=1&tags=2&flag"), None);
    let why = r#"property "name" validation failed: failed to match pattern "^a b$" with "c""#;
    assert_eq!(form("name=c"), Some((400, why.to_owned())));
}

#[test]
fn headers_are_held_against_their_schema_whatever_their_letter_case() {
    let settings = json!({"header_schema": {
        "type": "object",
        "required": ["X-Tenant"],
        "properties": {"X-TENANT": {"type": "string", "enum": ["t1"]}, "X-Many": {"type": "array"}},
        "anyOf": [{"required": ["X-Tenant"]}],
    }});
    let request = || get("/").header("x-many", "1").header("X-Many", "2");
    assert_eq!(refusal(settings.clone(), request().header("x-tenant", "t1"), Body::Empty), None);
    let missing = r#"property "x-tenant" is required"#.to_owned();
    assert_eq!(refusal(settings.clone(), request(), Body::Empty), Some((400, missing)));
    let wrong = r#"property "x-tenant" validation failed: matches none of the enum values"#.to_owned();
    assert_eq!(refusal(settings, request().header("X-TENANT", "t2"), Body::Empty), Some((400, wrong)));
}

#[test]
fn status_and_text_of_a_refusal_are_as_set() {
    let settings = json!({"body_schema": schema(), "rejected_code": 422, "rejected_msg": "mind the schema"});
    assert_eq!(refusal(settings, get("/"), "[]"), Some((422, "mind the schema".to_owned())));
}

#[test]
fn a_body_that_is_large_or_packed_is_refused() {
    let settings = json!({"body_schema": {}, "max_body_bytes": 2});
    assert_eq!(refusal(settings.clone(), get("/"), "[]"), None);
    let response = run(settings.clone(), get("/"), "[1]").unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["x-toolway-error"].to_str().unwrap()),
        (413, "body_too_large")
    );
    assert_eq!(refusal(settings, get("/").header("Content-Encoding", "gzip"), "[]").unwrap().0, 400);
}

#[test]
fn schemas_of_older_drafts_are_read_and_bad_ones_refused() {
    let older = json!({"body_schema": {"properties": {"a": {"minimum": 1, "exclusiveMinimum": true}}}});
    assert_eq!(refusal(older.clone(), get("/"), r#"{"a":2}"#), None);
    assert_eq!(refusal(older, get("/"), r#"{"a":1}"#).unwrap().0, 400);
    for (settings, why) in [
        (json!({}), "needs header_schema or body_schema"),
        (json!({"body_schema": {"type": "text"}}), "body_schema: is not a valid JSON Schema"),
        (json!({"body_schema": {"pattern": "(?=a)"}}), "body_schema: is not a valid JSON Schema"),
        (json!({"body_schema": {"$ref": "http://127.0.0.1:1/x"}}), "body_schema: is not a valid JSON Schema"),
        (json!({"body_schema": {}, "rejected_code": 199}), "rejected_code: must be 200 to 599"),
        (json!({"body_schema": {}, "rejected_msg": ""}), "rejected_msg: must have 1 to 256 characters"),
    ] {
        let problem = Bench::problem(json!({"request-validation": settings}));
        assert!(problem.contains(why), "{problem}");
    }
}
