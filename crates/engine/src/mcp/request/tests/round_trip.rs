//! What is written for an operation's parameter is what the gateway reads when it holds a request against the operation.

use super::super::RequestTemplate;
use crate::plugins::testing::{Bench, body};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Location, style and explode, and which values have a form in it: scalars, lists, objects.
const FORMS: [(&str, &str, bool, &str); 18] = [
    ("path", "simple", false, "slo"),
    ("path", "simple", true, "slo"),
    ("path", "label", false, "slo"),
    ("path", "label", true, "slo"),
    ("path", "matrix", false, "slo"),
    ("path", "matrix", true, "slo"),
    ("query", "form", false, "slo"),
    ("query", "form", true, "slo"),
    ("query", "spaceDelimited", false, "l"),
    ("query", "pipeDelimited", false, "l"),
    ("query", "deepObject", true, "o"),
    ("header", "simple", false, "slo"),
    ("header", "simple", true, "slo"),
    ("cookie", "form", false, "slo"),
    ("cookie", "form", true, "slo"),
    ("query", "json", false, "slo"),
    ("header", "json", false, "slo"),
    ("cookie", "json", false, "slo"),
];

/// Text without what separates values, for two of the styles cannot tell it from a separator.
fn text(location: &str) -> &'static str {
    if location == "header" { "x[a-z0-9%+/-]{0,8}" } else { "x[a-zé&?#%+/\"-]{0,8}" }
}

fn scalar(location: &str) -> impl Strategy<Value = Value> + use<> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        text(location).prop_map(Value::from)
    ]
}

fn value(location: &'static str, kind: char) -> BoxedStrategy<Value> {
    match kind {
        's' => scalar(location).boxed(),
        'l' => proptest::collection::vec(scalar(location), 1..4).prop_map(Value::from).boxed(),
        _ => (scalar(location), scalar(location))
            .prop_map(|(one, two)| json!({"red": one, "green": two}))
            .boxed(),
    }
}

fn case() -> impl Strategy<Value = (usize, Value)> {
    let kinds =
        FORMS.iter().enumerate().flat_map(|(index, form)| form.3.chars().map(move |kind| (index, kind)));
    proptest::sample::select(kinds.collect::<Vec<_>>())
        .prop_flat_map(|(index, kind)| (Just(index), value(FORMS[index].0, kind)))
}

fn types(value: &Value) -> Value {
    let of = |value: &Value| match value {
        Value::Bool(_) => json!(["boolean"]),
        Value::Number(_) => json!(["integer"]),
        _ => json!(["string"]),
    };
    match value {
        // Each item is text or what it looks like.
        Value::Array(items) if items.iter().all(|item| of(item) == of(&items[0])) => {
            json!({"types": ["array"], "items": of(&items[0])})
        }
        Value::Array(_) => json!({"types": ["array"], "items": ["boolean", "integer", "string"]}),
        Value::Object(members) => {
            let properties: Map<_, _> =
                members.iter().map(|(name, value)| (name.clone(), of(value))).collect();
            json!({"types": ["object"], "properties": properties})
        }
        scalar => json!({"types": of(scalar)}),
    }
}

/// What is said of a request that is made for `value`, which alone the schema allows.
fn told(form: &(&str, &str, bool, &str), value: &Value) -> Option<Value> {
    let (location, style, explode, _) = *form;
    let is_json = style == "json";
    let style = match (is_json, location) {
        (false, _) => style,
        (true, "header") => "simple",
        (true, _) => "form",
    };
    let path = if location == "path" { "/a/{q}/b" } else { "/a" };
    let media_type = is_json.then_some("application/json");
    let parameter = json!({"argument": "q", "in": location, "name": "q", "style": style, "explode": explode,
        "media_type": media_type});
    let request =
        json!({"method": "GET", "host": "a", "path": path, "parameters": [parameter], "accept": "*/*"});
    let template =
        RequestTemplate::build(&serde_json::from_value(request).unwrap()).unwrap_or_else(|_| panic!());
    let arguments = Map::from_iter([("q".to_owned(), value.clone())]);
    let request = template.request(&arguments).unwrap_or_else(|why| panic!("{why:?}"));
    let shape = json!({"in": location, "name": "q", "style": style, "explode": explode, "json": is_json,
        "required": true, "values": types(value), "schema": {"const": value}});
    let operation = json!({"method": "GET", "path": path, "parameters": [shape]});
    let api = json!({"id": "shop", "operations": {"op": operation}});
    let bench = Bench::with_api(api, json!({"oas-validator": {"api": "shop", "operation": "op"}}));
    let (head, _) = request.into_parts();
    let mut builder = http::Request::builder().uri(head.uri);
    *builder.headers_mut().unwrap() = head.headers;
    bench.run(&mut bench.exchange(builder)).map(|response| body(&response))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_written_is_read((index, value) in case()) {
        prop_assert_eq!(told(&FORMS[index], &value), None, "{:?} {}", FORMS[index], value);
    }
}
