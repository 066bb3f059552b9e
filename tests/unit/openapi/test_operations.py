"""Paths to operations: parameters, bodies, ids, servers, and what is set aside."""

from __future__ import annotations

from typing import Any

import pytest

from toolway.openapi import Parameter, PropertyEncoding, read

from .documents import document, notices_of, operation_of

_OK: dict[str, Any] = {"responses": {"200": {"description": "fine"}}}


def _parameter(value: dict[str, Any]) -> Parameter:
    [parameter] = operation_of({"parameters": [value]}).parameters
    return parameter


@pytest.mark.parametrize(
    ("location", "style", "explode"),
    [("query", "form", True), ("header", "simple", False), ("cookie", "form", True)],
)
def test_writes_out_the_defaults_of_each_location(location: str, style: str, explode: bool) -> None:
    parameter = _parameter({"name": "a", "in": location, "schema": {"type": "string"}})
    assert (parameter.style, parameter.explode, parameter.required) == (style, explode, False)


@pytest.mark.parametrize(
    ("style", "explode", "expected"),
    [("spaceDelimited", None, False), ("pipeDelimited", True, True), ("deepObject", None, True)],
)
def test_keeps_the_style_that_is_written(style: str, explode: bool | None, expected: bool) -> None:
    written: dict[str, Any] = {"name": "a", "in": "query", "style": style, "schema": {}}
    if explode is not None:
        written["explode"] = explode
    parameter = _parameter(written)
    assert (parameter.style, parameter.explode) == (style, expected)


def test_a_style_that_is_not_one_of_the_location_gives_way_to_the_default() -> None:
    written = {"parameters": [{"name": "a", "in": "header", "style": "matrix", "schema": {}}]}
    assert operation_of(written).parameters[0].style == "simple"
    assert "matrix" in notices_of(document({"/things": {"get": written}}))[0]


def test_a_parameter_with_content_keeps_its_media_type() -> None:
    media = {"schema": {"type": "object"}, "examples": {"first": {"value": {"a": 1}}}}
    parameter = _parameter({"name": "a", "in": "query", "content": {"application/json": media}})
    assert parameter.media_type == "application/json"
    assert parameter.schema == {"type": "object"}
    assert parameter.example == {"a": 1}


def test_headers_that_other_parts_speak_for_are_skipped() -> None:
    names = ("Accept", "content-type", "AUTHORIZATION", "X-Trace")
    written = {"parameters": [{"name": name, "in": "header", "schema": {}} for name in names]}
    assert [parameter.name for parameter in operation_of(written).parameters] == ["X-Trace"]


def test_parameters_of_the_operation_override_those_of_the_path() -> None:
    shared = [{"name": "a", "in": "query", "schema": {}}, {"name": "b", "in": "query", "schema": {}}]
    own = [
        {"name": "a", "in": "query", "required": True, "schema": {}},
        {"name": "a", "in": "cookie", "schema": {}},
    ]
    result = read(document({"/things": {"parameters": shared, "get": {"parameters": own}}}))
    read_ones = [(one.name, one.location, one.required) for one in result.operations[0].parameters]
    assert read_ones == [("a", "query", True), ("b", "query", False), ("a", "cookie", False)]


def test_references_to_parameters_bodies_and_responses_are_followed() -> None:
    components = {
        "parameters": {"Id": {"name": "id", "in": "path", "schema": {"type": "integer"}}},
        "requestBodies": {
            "Pet": {"$ref": "#/components/requestBodies/Real"},
            "Real": {"content": {"a/b": {}}},
        },
        "responses": {"Gone": {"description": "gone"}},
        "examples": {"One": {"value": 7}},
    }
    value = {
        "parameters": [{"$ref": "#/components/parameters/Id"}],
        "requestBody": {"$ref": "#/components/requestBodies/Pet"},
        "responses": {"410": {"$ref": "#/components/responses/Gone"}},
    }
    operation = operation_of(value, "/things/{id}", components=components)
    assert operation.parameters[0].required
    assert operation.body is not None
    assert operation.body.contents[0].media_type == "a/b"
    assert operation.responses[0].description == "gone"


def test_the_path_item_may_be_a_reference() -> None:
    paths = {"/a": {"$ref": "#/components/pathItems/A"}, "/b": {"$ref": "#/components/pathItems/Missing"}}
    result = read(document(paths, "3.1.0", components={"pathItems": {"A": {"get": _OK}}}))
    assert [operation.path for operation in result.operations] == ["/a"]
    assert [(aside.operation, aside.at) for aside in result.set_aside] == [("/b", "/paths/~1b")]


def test_what_stands_beside_the_reference_of_a_path_item_holds_too() -> None:
    shared = {"summary": "shared", "parameters": [{"name": "a", "in": "query"}], "get": _OK, "put": _OK}
    own = {"operationId": "own"}
    item = {
        "$ref": "#/components/pathItems/A",
        "parameters": [{"name": "b", "in": "query"}],
        "put": own,
        "post": own,
    }
    result = read(document({"/a": item}, components={"pathItems": {"A": shared}}))
    methods = [(operation.method, operation.source_id, operation.summary) for operation in result.operations]
    assert methods == [("GET", None, "shared"), ("PUT", "own", "shared"), ("POST", "own", "shared")]
    assert all([one.name for one in operation.parameters] == ["a", "b"] for operation in result.operations)
    assert (result.set_aside, result.notices[0].at) == ((), "/paths/~1a/post")


def test_a_name_in_the_path_without_parameter_is_a_text() -> None:
    operation = operation_of(_OK, "/things/{id}.json")
    assert [(one.name, one.location, one.required, one.schema) for one in operation.parameters] == [
        ("id", "path", True, {"type": "string"})
    ]
    assert "`id`" in notices_of(document({"/things/{id}.json": {"get": _OK}}))[0]


def test_a_path_parameter_without_a_place_is_left_out() -> None:
    written = {"parameters": [{"name": "id", "in": "path", "required": True, "schema": {}}]}
    assert operation_of(written).parameters == ()
    assert "`id`" in notices_of(document({"/things": {"get": written}}))[0]


@pytest.mark.parametrize(
    ("written", "path", "fixed_query"),
    [
        ("/a?b=1&c", "/a", "b=1&c"),
        ("/a#b", "/a", ""),
        ("a", "/a", ""),
        ("/a/", "/a/", ""),
        ("/{x}.{y}", "/{x}.{y}", ""),
        ("/", "/", ""),
    ],
)
def test_odd_paths_are_read(written: str, path: str, fixed_query: str) -> None:
    operation = operation_of(_OK, written)
    assert (operation.path, operation.fixed_query) == (path, fixed_query)


def test_a_parameter_in_the_query_of_a_path_becomes_a_query_parameter() -> None:
    written = {
        "parameters": [{"name": "text", "in": "path", "required": True, "schema": {"type": "integer"}}]
    }
    operation = operation_of(written, "/find?kind=a&q={text}")
    assert (operation.path, operation.fixed_query) == ("/find", "kind=a")
    [parameter] = operation.parameters
    assert (parameter.name, parameter.location, parameter.schema) == ("q", "query", {"type": "integer"})


@pytest.mark.parametrize(
    "path",
    [
        "/a b",
        "/{a}/{a}",
        "/{a",
        "/a}",
        "/{}",
        "/{a{b}}",
        "/{+a}",
        "https://a/b",
        "/a?b=x{c}",
        "/a/../b",
        "/\\a",
    ],
)
def test_paths_that_cannot_be_sent_are_set_aside(path: str) -> None:
    result = read(document({path: {"get": _OK}, "/fine": {"get": _OK}}))
    assert [operation.path for operation in result.operations] == ["/fine"]
    assert [aside.operation for aside in result.set_aside] == [f"GET {path}"]


def test_ids_are_made_where_there_are_none_or_unusable_ones() -> None:
    paths = {
        "/speaker/{id}/sessions": {"get": _OK},
        "/a": {"get": {**_OK, "operationId": "list"}, "post": {**_OK, "operationId": "list things!"}},
        "/b": {"get": {**_OK, "operationId": "list"}, "post": {**_OK, "operationId": "list_things"}},
        "/c": {"get": {**_OK, "operationId": "x" * 80}, "post": {**_OK, "operationId": "получить"}},
        "/d": {"get": {**_OK, "operationId": "2fa"}},
    }
    operations = read(document(paths)).operations
    assert [operation.id for operation in operations] == [
        "getSpeakerIdSessions",
        "list",
        "list_things_postA",
        "list_getB",
        "list_things",
        f"{'x' * 55}_d929cdee",
        "postC",
        "op_2fa",
    ]
    assert operations[0].source_id is None
    assert operations[2].source_id == "list things!"


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("text", ""),
        ({"parameters": {"a": 1}}, "/parameters"),
        ({"parameters": ["a"]}, "/parameters/0"),
        ({"parameters": [{"in": "query"}]}, "/parameters/0"),
        ({"parameters": [{"name": "a", "in": "somewhere"}]}, "/parameters/0"),
        ({"parameters": [{"$ref": "#/nowhere"}]}, "/parameters/0"),
        ({"requestBody": []}, "/requestBody"),
        ({"requestBody": {"content": {"json": {}}}}, "/requestBody/content"),
        (
            {"requestBody": {"content": {"a/b": {"schema": {"$ref": "#/no"}}}}},
            "/requestBody/content/a~1b/schema",
        ),
        ({"responses": []}, "/responses"),
        ({"responses": {"200": {"$ref": "other.yaml"}}}, "/responses/200"),
        ({"responses": {"200": {"$ref": "https://example.com/a.yaml"}}}, "/responses/200"),
        ({"security": {"key": []}}, "/security"),
        ({"security": ["key"]}, "/security/0"),
    ],
)
def test_a_malformed_operation_is_set_aside_alone(value: Any, at: str) -> None:
    result = read(document({"/bad": {"get": value}, "/good": {"get": _OK}}))
    assert [operation.path for operation in result.operations] == ["/good"]
    [aside] = result.set_aside
    assert (aside.operation, aside.at) == ("GET /bad", f"/paths/~1bad/get{at}")
    assert aside.reason


def test_a_broken_shared_schema_takes_with_it_only_those_who_need_it() -> None:
    schemas = {
        "Broken": {"properties": {"a": {"$ref": "#/components/schemas/Missing"}}},
        "User": {"items": {"$ref": "#/components/schemas/Broken"}},
        "Fine": {"type": "string"},
    }
    paths = {
        f"/{name}": {"get": {"parameters": [{"name": "a", "in": "query", "schema": _shared(name)}]}}
        for name in ("User", "Fine")
    }
    result = read(document(paths, components={"schemas": schemas}))
    assert [operation.path for operation in result.operations] == ["/Fine"]
    assert [(aside.operation, aside.at) for aside in result.set_aside] == [
        ("GET /User", "/components/schemas/Broken/properties/a")
    ]
    assert list(result.schemas) == ["Fine"]


def _shared(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_methods_that_are_not_supported_are_set_aside() -> None:
    item = {"trace": _OK, "GET": _OK, "head": _OK, "options": _OK, "x-more": {}, "fetch": {}}
    result = read(document({"/a": item}))
    assert [operation.method for operation in result.operations] == ["GET", "HEAD", "OPTIONS"]
    assert [aside.operation for aside in result.set_aside] == ["TRACE /a"]
    assert [notice.at for notice in result.notices] == ["/paths/~1a/fetch"]


def test_webhooks_and_callbacks_are_noticed() -> None:
    value = {**_OK, "callbacks": {"done": {}}}
    source = document({"/a": {"post": value}}, "3.1.0", webhooks={"news": {"post": _OK}})
    assert [notice.at for notice in read(source).notices] == ["/webhooks/news", "/paths/~1a/post/callbacks"]
    assert len(read(source).operations) == 1


def test_forms_tell_how_their_properties_are_written() -> None:
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Base"}],
        "properties": {
            "photo": {"type": "string", "format": "binary"},
            "more": {"type": "array", "items": {"type": "string", "format": "binary"}},
            "meta": {"type": "object"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    }
    encoding = {
        "meta": {"contentType": "application/json", "headers": {"X-A": {"schema": {"enum": ["one"]}}}},
        "tags": {"style": "pipeDelimited", "explode": False},
        "photo": {"contentType": "image/png"},
    }
    base = {"properties": {"scan": {"type": "string", "format": "binary"}}}
    media = {"schema": schema, "encoding": encoding}
    value = {"requestBody": {"required": True, "content": {"multipart/form-data": media}}}
    body = operation_of(value, components={"schemas": {"Base": base}}).body
    assert body is not None
    assert body.required
    assert body.contents[0].encoding == {
        "meta": PropertyEncoding("application/json", headers={"X-A": "one"}),
        "tags": PropertyEncoding(style="pipeDelimited", explode=False),
        "photo": PropertyEncoding("image/png", binary=True),
        "more": PropertyEncoding(binary=True),
        "scan": PropertyEncoding(binary=True),
    }


def test_one_bad_media_type_does_not_cost_the_operation() -> None:
    content = {"not a media type": {}, "application/json; charset=utf-8": {"example": 1}, "*/*": {}}
    value = {
        "requestBody": {"content": content},
        "responses": {"200": {"content": {"nonsense": {}}}, "2000": {}},
    }
    operation = operation_of(value)
    assert operation.body is not None
    assert [one.media_type for one in operation.body.contents] == [
        "application/json; charset=utf-8",
        "application/json",
    ]
    assert [(response.status, response.contents) for response in operation.responses] == [("200", ())]
    assert len(notices_of(document({"/things": {"get": value}}))) == 4


def test_servers_are_absolute_with_variables_filled_in() -> None:
    servers = [
        {"url": "https://{region}.example.com/v1/", "variables": {"region": {"default": "eu"}}},
        {"url": "/v2"},
        {"url": "https://{x}.example.com"},
        {"url": "ftp://example.com"},
        {},
        "nonsense",
    ]
    paths = {
        "/a": {"get": _OK, "servers": servers[:1]},
        "/b": {"get": {**_OK, "servers": [{"url": "http://b/"}]}},
    }
    result = read(document(paths, servers=servers))
    assert result.servers == ("https://eu.example.com/v1",)
    assert [operation.servers for operation in result.operations] == [(), ("http://b",)]
    assert len(result.notices) == 5


@pytest.mark.parametrize(
    ("urls", "base_path"),
    [
        (["/v2/"], "/v2"),
        (["https://a.example", "https://a.example/v2"], ""),
        (["ws://a.example/v1", "https://a.example/v2/"], "/v2"),
        (["/", "/v1"], ""),
    ],
)
def test_the_base_path_is_that_of_the_first_server(urls: list[str], base_path: str) -> None:
    assert read(document({}, servers=[{"url": url} for url in urls])).base_path == base_path


def test_security_is_that_of_the_operation_or_the_document() -> None:
    schemes = {
        "key": {"type": "apiKey", "in": "header", "name": "apikey"},
        "bad": {"type": 7},
        "gone": {"$ref": "#/x"},
    }
    paths = {
        "/a": {"get": _OK, "post": {**_OK, "security": []}, "put": {**_OK, "security": [{}, {"key": ["a"]}]}}
    }
    result = read(document(paths, components={"securitySchemes": schemes}, security=[{"key": []}]))
    assert [operation.security for operation in result.operations] == [
        ({"key": []},),
        (),
        ({}, {"key": ["a"]}),
    ]
    assert result.security_schemes["key"] == schemes["key"]
    assert "gone" not in result.security_schemes


def test_whether_an_operation_is_consequential_is_taken_from_its_extension() -> None:
    assert operation_of({**_OK, "x-openai-isConsequential": False}).consequential is False
    assert operation_of({**_OK, "x-openai-isConsequential": "yes"}).consequential is None


def test_operations_with_the_same_method_and_path_are_noticed() -> None:
    [fragment, same] = notices_of(document({"/a": {"get": _OK}, "/a#b": {"get": _OK}}))
    assert fragment.startswith("/paths/~1a#b: ")
    assert same == "/paths/~1a#b/get: method and path are the same as those of `getA`"
