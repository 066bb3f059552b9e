//! Bodies that fit and that do not.

use super::*;

/// An operation that takes an Item in JSON, a form and a picture.
pub fn items() -> Value {
    let field = |name: &str, more: Value| {
        let mut field = json!({"name": name, "style": "form", "explode": true});
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        field
    };
    let size =
        json!({"values": {"types": ["integer"]}, "schema": {"$ref": "#/$defs/Size"}, "required": true});
    let fields = |more: &[Value]| {
        let all = [&[field("size", size.clone())], more].concat();
        json!({"fields": {"fields": all, "closed": true}})
    };
    json!({"body": {"required": true, "contents": [
        {"media_type": "application/json", "check": {"json": {"$ref": "#/$defs/Item"}}},
        {"media_type": "application/x-www-form-urlencoded", "check": fields(&[])},
        {"media_type": "multipart/form-data", "check": fields(&[field("file", json!({"file": true, "required": true}))])},
        {"media_type": "image/*", "check": "any"},
    ]}})
}

fn of_body(content_type: &str, content: &'static [u8]) -> Vec<String> {
    let request = get("/").header("Content-Type", content_type);
    told(answer(&bench(items(), json!({})), request, Body::from(bytes::Bytes::from_static(content))))
}

#[test]
fn a_json_body_is_held_against_its_schema() {
    let json = |content| of_body("application/json; charset=utf-8", content);
    assert_eq!(json(br#"{"name":"a","parts":[{"name":"b","price":0}]}"#), [""; 0]);
    assert_eq!(
        json(br#"{"name":"a","parts":[{"name":"b"},{"name":"","parts":[{"name":1}]}]}"#),
        [
            r#"body pointer /parts/1/name must be a text of at least 1 characters, not """#,
            r#"body pointer /parts/1/parts/0/name must be a text of at least 1 characters, not 1"#,
        ]
    );
    assert_eq!(json(b"[]"), ["the body must be an object, not []"]);
    assert_eq!(
        json(b"{\"name\":\"a\",\"pin\":\"12345\"}"),
        ["body pointer /pin must be a text of at most 4 characters"]
    );
}

#[test]
fn json_that_can_be_read_in_several_ways_is_refused() {
    let deep: &'static [u8] =
        Box::leak(format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes().into());
    for (content, why) in [
        (&b"{\"name\":\"a\",\"name\":1}"[..], "twice"),
        (b"{\"name\":\"a\",\"n\\u0061me\":1}", "twice"),
        (b"{\"name\":\"a\",\"price\":NaN}", "expected value"),
        (b"{\"name\":\"a\",\"price\":1e999}", "out of range"),
        (b"{\"name\":\"\xff\"}", "invalid unicode"),
        (b"{\"name\":\"a\"", "EOF"),
        (deep, "recursion limit"),
    ] {
        let told = of_body("application/json", content);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("the body must be JSON: ") && told[0].contains(why), "{told:?}");
    }
}

#[test]
fn fields_of_forms_are_read_by_their_types() {
    let form = |content| of_body("application/x-www-form-urlencoded", content);
    assert_eq!(form(b"size=9"), [""; 0]);
    assert_eq!(form(b"s%69ze=10"), [r#"form field "size" must be an integer between 1 and 9, not "10""#]);
    assert_eq!(
        form(b"sise=1"),
        [
            r#"form field "size" is required and missing: an integer between 1 and 9"#,
            r#"form field "sise" is not known here; did you mean "size"?"#,
        ]
    );
    let multipart = |content| of_body("multipart/form-data; boundary=B", content);
    let part = "--B\r\nContent-Disposition: form-data; name=\"size\"\r\n\r\n";
    let file =
        "\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\u{0}\r\n--B--\r\n";
    let leak = |text: String| &*Box::leak(text.into_bytes().into_boxed_slice());
    assert_eq!(multipart(leak(format!("{part}3{file}"))), [""; 0]);
    assert_eq!(
        multipart(leak(format!("{part}x{file}"))),
        [r#"form field "size" must be an integer between 1 and 9, not "x""#]
    );
    assert_eq!(
        multipart(leak(format!("{part}3\r\n--B--"))),
        [r#"form field "file" is required and missing"#]
    );
    assert_eq!(multipart(b"nothing").len(), 1);
    assert_eq!(
        of_body("multipart/form-data", b"--B--"),
        ["the body must have a boundary in its Content-Type"]
    );
}

#[test]
fn a_body_of_another_kind_is_answered_with_415() {
    assert_eq!(of_body("image/png", b"\xff"), [""; 0]);
    let bench = bench(items(), json!({}));
    let kinds = "application/json, application/x-www-form-urlencoded, multipart/form-data, image/*";
    for (request, found) in [
        (get("/").header("Content-Type", "text/plain"), "text/plain"),
        (get("/"), "without a Content-Type"),
        (
            get("/").header("Content-Type", "application/json").header("Content-Type", "image/png"),
            "application/json",
        ),
    ] {
        let response = answer(&bench, request, "x").unwrap();
        assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(response.headers()["x-toolway-error"], "unsupported_media_type");
        assert_eq!(told(Some(response)), [format!("the body must be {kinds}, not {found}")]);
    }
    let packed = get("/").header("Content-Type", "application/json").header("Content-Encoding", "gzip");
    assert_eq!(answer(&bench, packed, "x").unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let missing = answer(&bench, get("/").header("Content-Type", "application/json"), Body::Empty);
    assert_eq!(told(missing), [format!("the body is required and missing: {kinds}")]);
}

#[test]
fn a_large_body_is_refused_or_goes_on_as_it_came() {
    let request = || get("/").header("Content-Type", "application/json");
    let refusing = bench(items(), json!({"max_body_bytes": 4}));
    let response = answer(&refusing, request(), "12345").unwrap();
    assert_eq!(
        (response.status(), &response.headers()["connection"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &"close".parse().unwrap())
    );
    assert_eq!(response.headers()["x-toolway-error"], "body_too_large");
    let skipping = bench(items(), json!({"max_body_bytes": 4, "large_body": "skip"}));
    let mut exchange = skipping.exchange(request());
    exchange.body = "12345".into();
    assert!(skipping.run(&mut exchange).is_none());
    assert!(matches!(&exchange.body, Body::Bytes(bytes) if bytes == "12345"));
    assert_eq!(told(answer(&skipping, request(), "1234")), ["the body must be an object, not 1234"]);
}

#[test]
fn a_body_that_fits_goes_on_as_it_came() {
    let bench = bench(items(), json!({}));
    let mut exchange = bench.exchange(get("/").header("Content-Type", "application/json"));
    exchange.body = "{ \"name\" : \"\\u0061\" }".into();
    assert!(bench.run(&mut exchange).is_none());
    assert!(matches!(&exchange.body, Body::Bytes(bytes) if bytes == "{ \"name\" : \"\\u0061\" }"));
}
