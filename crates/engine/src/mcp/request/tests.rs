//! Whole requests from whole templates: what goes over the wire for given arguments.

mod round_trip;

use super::*;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use serde_json::json;

fn template(request: Value) -> RequestTemplate {
    let mut definition =
        json!({"method": "GET", "host": "api.example.com", "path": "/", "accept": "application/json"});
    definition.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
    RequestTemplate::build(&serde_json::from_value(definition).unwrap())
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn made(request: Value, arguments: Value) -> Result<Request, Vec<String>> {
    template(request).request(arguments.as_object().unwrap())
}

fn parameter(name: &str, location: &str, style: &str) -> Value {
    json!({"argument": name, "name": name, "in": location, "style": style, "explode": false})
}

fn body_of(request: Request) -> String {
    let body = request.into_body();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes = runtime.block_on(async { body.collect().await.map(|body| body.to_bytes()) });
    String::from_utf8(bytes.unwrap_or_else(|error| panic!("{error}")).to_vec()).unwrap()
}

fn with_body(body: Value, arguments: Value) -> (String, String) {
    let request = made(json!({"method": "POST", "body": body}), arguments).unwrap();
    let content_type = request.headers()["content-type"].to_str().unwrap().to_owned();
    let length = request.headers()["content-length"].to_str().unwrap().to_owned();
    let body = body_of(request);
    assert_eq!(length, body.len().to_string());
    (content_type, body)
}

#[test]
fn fixed_query_parts_come_first_and_absent_and_null_parameters_are_left_out() {
    let parameters = json!([
        parameter("limit", "query", "form"),
        parameter("tag", "query", "form"),
        parameter("page", "query", "form")
    ]);
    let request = json!({"path": "/a?action=list&v=2", "parameters": parameters});
    let uri = made(request, json!({"limit": 5, "tag": null})).unwrap().uri().to_string();
    assert_eq!(uri, "/a?action=list&v=2&limit=5");
}

#[test]
fn headers_and_cookies_are_written_with_host_and_accept() {
    let parameters = json!([
        parameter("X-Trace", "header", "simple"),
        parameter("session", "cookie", "form"),
        parameter("theme", "cookie", "form")
    ]);
    let arguments = json!({"X-Trace": ["a", "b"], "session": "1; admin=1", "theme": "dark"});
    let request = made(json!({"parameters": parameters}), arguments).unwrap();
    assert_eq!(request.headers()["x-trace"], "a,b");
    assert_eq!(request.headers()["cookie"], "session=1%3B%20admin=1; theme=dark");
    assert_eq!(request.headers()["host"], "api.example.com");
    assert_eq!(request.headers()["accept"], "application/json");
    assert!(!request.headers().contains_key("content-length"));
}

#[test]
fn a_parameter_with_content_travels_as_json() {
    let mut filter = parameter("filter", "query", "form");
    filter["media_type"] = json!("application/json");
    let arguments = json!({"filter": {"a": [1, {"b": "c&d"}]}});
    let request = made(json!({"parameters": [filter]}), arguments).unwrap();
    let uri = request.uri().to_string();
    assert_eq!(uri, "/?filter=%7B%22a%22%3A%5B1%2C%7B%22b%22%3A%22c%26d%22%7D%5D%7D");
}

#[test]
fn allow_reserved_holds_for_the_query_alone() {
    let mut next = parameter("next", "query", "form");
    next["allow_reserved"] = json!(true);
    let mut id = parameter("id", "path", "simple");
    id["allow_reserved"] = json!(true);
    let request = json!({"path": "/a/{id}", "parameters": [next, id]});
    let uri = made(request, json!({"next": "/x?y=1&z", "id": "a/b"})).unwrap().uri().to_string();
    assert_eq!(uri, "/a/a%2Fb?next=/x?y=1%26z");
}

#[test]
fn every_problem_is_told_and_names_its_argument() {
    let parameters = json!([parameter("filter", "query", "deepObject"), parameter("tags", "query", "form")]);
    let arguments = json!({"filter": "x", "tags": [[1]]});
    let problems = made(json!({"parameters": parameters}), arguments).err().unwrap();
    assert_eq!(
        problems,
        [
            "`filter` must be an object, and is \"x\"",
            "`tags` may only hold plain values here, not lists or objects within it"
        ]
    );
}

#[test]
fn headers_that_frame_or_route_a_message_are_no_arguments() {
    for name in
        ["Host", "Content-Length", "Transfer-Encoding", "Authorization", "Cookie", "Connection", "a b"]
    {
        let definition = json!({"method": "GET", "host": "a", "path": "/", "accept": "*/*",
            "parameters": [parameter(name, "header", "simple")]});
        let problems = RequestTemplate::build(&serde_json::from_value(definition).unwrap()).err().unwrap();
        assert_eq!(problems[0].0, "/parameters/0/name", "{name}");
    }
}

#[test]
fn a_json_body_is_whole_or_made_of_properties_and_keeps_null() {
    let whole = json!({"media_type": "application/json", "arguments": {"whole": "body"}});
    let (content_type, body) = with_body(whole.clone(), json!({"body": [1, {"a": null}]}));
    assert_eq!((content_type.as_str(), body.as_str()), ("application/json", "[1,{\"a\":null}]"));
    let properties = json!({"media_type": "application/merge-patch+json", "arguments": {"properties": [
        {"argument": "item_id", "name": "item.id"}, {"argument": "count", "name": "count"}]}});
    let (_, body) =
        with_body(properties.clone(), json!({"count": 9_007_199_254_740_993_i64, "item_id": null}));
    assert_eq!(body, "{\"item.id\":null,\"count\":9007199254740993}");
    assert_eq!(with_body(properties, json!({})).1, "{}");
    let without = made(json!({"method": "POST", "body": whole}), json!({})).unwrap();
    assert_eq!(without.headers()["content-length"], "0");
    assert!(!without.headers().contains_key("content-type"));
}

#[test]
fn a_form_repeats_lists_writes_objects_as_json_and_follows_a_style() {
    let body = json!({
        "media_type": "application/x-www-form-urlencoded",
        "arguments": {"properties": [
            {"argument": "name", "name": "name"}, {"argument": "tags", "name": "tags"},
            {"argument": "address", "name": "address"}, {"argument": "meta", "name": "meta"},
            {"argument": "csv", "name": "csv"}, {"argument": "rows", "name": "rows"}]},
        "encoding": {"meta": {"style": "deepObject", "explode": true}, "csv": {"style": "form", "explode": false}},
    });
    let arguments = json!({"name": "a b&c", "tags": ["x", "y"], "address": {"city": "Bern"}, "meta": {"k": "v"},
        "csv": [1, 2], "rows": [{"a": 1}], "extra": 1});
    let (_, body) = with_body(body, arguments);
    assert_eq!(
        body,
        "name=a+b%26c&tags=x&tags=y&address=%7B%22city%22%3A%22Bern%22%7D&meta%5Bk%5D=v&csv=1,2&rows=%7B%22a%22%3A1%7D"
    );
}

#[test]
fn multipart_sends_files_from_base64_and_objects_as_json() {
    let definition = json!({
        "media_type": "multipart/form-data",
        "arguments": {"properties": [
            {"argument": "file", "name": "file"}, {"argument": "note", "name": "note"},
            {"argument": "meta", "name": "meta"}]},
        "encoding": {"file": {"binary": true, "content_type": "image/*, image/png", "headers": {"X-Kind": "logo"}}},
    });
    let arguments = json!({"file": "data:image/png;base64,aGV5", "note": "hi", "meta": {"a": 1}});
    let (content_type, body) = with_body(definition.clone(), arguments);
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
         Content-Type: image/png\r\nX-Kind: logo\r\n\r\nhey\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n\
         {{\"a\":1}}\r\n--{boundary}--\r\n"
    );
    assert_eq!(body, expected);
    let problems = made(json!({"method": "POST", "body": definition}), json!({"file": "%%"})).err().unwrap();
    assert_eq!(problems, ["`file` must be base64: it is sent as a file"]);
}

#[test]
fn text_and_bytes_are_sent_as_they_are() {
    let text = json!({"media_type": "text/csv", "arguments": {"whole": "body"}});
    assert_eq!(with_body(text, json!({"body": "a,b\n"})), ("text/csv".into(), "a,b\n".into()));
    let bytes = json!({"media_type": "image/png", "arguments": {"whole": "body"}, "binary": true});
    assert_eq!(with_body(bytes, json!({"body": "aGV5"})).1, "hey");
}

proptest! {
    #[test]
    fn a_header_argument_never_breaks_its_line(value in any::<String>()) {
        let request = json!({"parameters": [parameter("x-note", "header", "simple"), parameter("c", "cookie", "form")]});
        if let Ok(request) = made(request, json!({"x-note": value.clone(), "c": value})) {
            for value in request.headers().values() {
                prop_assert!(!value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
            }
            let cookie = request.headers()["cookie"].to_str().unwrap();
            prop_assert_eq!(cookie.matches([';', ',']).count(), 0);
        }
    }

    #[test]
    fn a_query_argument_never_adds_a_pair(value in any::<String>(), allow_reserved in any::<bool>()) {
        let mut q = parameter("q", "query", "form");
        q["allow_reserved"] = json!(allow_reserved);
        let request = made(json!({"path": "/a", "parameters": [q]}), json!({"q": value})).unwrap();
        prop_assert_eq!(request.uri().path(), "/a");
        let query = request.uri().query().unwrap();
        prop_assert!(query.starts_with("q=") && !query.contains(['&', '#', '+', ' ']));
    }
}
