"""Swagger 2.0 becomes the same shape as OpenAPI 3."""

from __future__ import annotations

from typing import Any

import pytest

from toolway.openapi import Body, Content, Operation, PropertyEncoding, read

from .documents import notices_of, swagger


def _operation(value: dict[str, Any], **members: Any) -> Operation:
    [operation] = read(swagger({"/things": {"post": value}}, **members)).operations
    return operation


@pytest.mark.parametrize(
    ("members", "servers"),
    [
        ({"host": "a.example", "basePath": "/v1/"}, ("https://a.example/v1",)),
        ({"host": "a.example", "schemes": ["http", "https"]}, ("https://a.example", "http://a.example")),
        ({"host": "a.example:81", "schemes": ["http"]}, ("http://a.example:81",)),
        ({"basePath": "/v1"}, ()),
    ],
)
def test_host_and_schemes_become_servers(members: dict[str, Any], servers: tuple[str, ...]) -> None:
    assert read(swagger({}, **members)).servers == servers


@pytest.mark.parametrize(
    ("collection", "style", "explode"),
    [
        (None, "form", False),
        ("csv", "form", False),
        ("ssv", "spaceDelimited", False),
        ("tsv", "tabDelimited", False),
        ("pipes", "pipeDelimited", False),
        ("multi", "form", True),
    ],
)
def test_collection_formats_become_styles(collection: str | None, style: str, explode: bool) -> None:
    written = {
        "name": "a",
        "in": "query",
        "type": "array",
        "items": {"type": "string"},
        "description": "text",
    }
    if collection:
        written["collectionFormat"] = collection
    [parameter] = _operation({"parameters": [written]}).parameters
    assert (parameter.style, parameter.explode) == (style, explode)
    assert parameter.schema == {"type": "array", "items": {"type": "string"}}
    assert parameter.description == "text"


def test_a_body_has_the_media_types_that_are_consumed() -> None:
    body = {"name": "body", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Pet"}}
    members = {
        "definitions": {"Pet": {"type": "object"}},
        "consumes": ["application/json", "application/xml"],
    }
    schema = {"$ref": "#/$defs/Pet"}
    assert _operation({"parameters": [body]}, **members).body == Body(
        True, (Content("application/json", schema), Content("application/xml", schema))
    )
    own = _operation({"parameters": [body], "consumes": ["text/plain"]}, **members).body
    assert own == Body(True, (Content("text/plain", schema),))


def test_a_body_without_consumes_is_json() -> None:
    body = {"name": "body", "in": "body", "schema": {"type": "string"}}
    assert _operation({"parameters": [body]}).body == Body(
        False, (Content("application/json", {"type": "string"}),), also=("*/*",)
    )


def test_form_parameters_become_a_form() -> None:
    fields = [
        {"name": "a", "in": "formData", "type": "string", "required": True, "description": "text"},
        {
            "name": "b",
            "in": "formData",
            "type": "array",
            "items": {"type": "string"},
            "collectionFormat": "multi",
        },
    ]
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "description": "text"},
            "b": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["a"],
    }
    encoding = {"b": PropertyEncoding(style="form", explode=True)}
    contents = (Content("application/x-www-form-urlencoded", schema, encoding),)
    expected = Body(True, contents, also=("multipart/form-data",))
    assert _operation({"parameters": fields}).body == expected
    assert _operation({"parameters": fields, "consumes": ["application/json"]}).body == expected


def test_a_file_makes_the_form_multipart() -> None:
    fields = [{"name": "a", "in": "formData", "type": "file"}]
    body = _operation({"parameters": fields, "consumes": ["application/x-www-form-urlencoded"]}).body
    assert body is not None
    [content] = body.contents
    assert content.media_type == "multipart/form-data"
    assert content.encoding == {"a": PropertyEncoding(binary=True)}
    assert content.schema["properties"]["a"]["type"] == "string"


def test_responses_have_the_media_types_that_are_produced() -> None:
    response = {"description": "ok", "schema": {"type": "string"}, "examples": {"text/csv": "a,b"}}
    value = {"produces": ["text/csv"], "responses": {"200": response, "default": {"$ref": "#/responses/Bad"}}}
    [fine, bad] = _operation(value, responses={"Bad": {"description": "bad"}}).responses
    assert fine.contents == (Content("text/csv", {"type": "string"}, example="a,b"),)
    assert (bad.status, bad.description, bad.contents) == ("default", "bad", ())


def test_security_definitions_become_security_schemes() -> None:
    definitions = {
        "basic": {"type": "basic", "description": "password"},
        "key": {"type": "apiKey", "in": "query", "name": "k", "x-a": 1},
        "oauth": {
            "type": "oauth2",
            "flow": "accessCode",
            "authorizationUrl": "a",
            "tokenUrl": "t",
            "scopes": {"s": "d"},
        },
    }
    assert read(swagger({}, securityDefinitions=definitions)).security_schemes == {
        "basic": {"type": "http", "scheme": "basic", "description": "password"},
        "key": {"type": "apiKey", "in": "query", "name": "k"},
        "oauth": {
            "type": "oauth2",
            "flows": {"authorizationCode": {"authorizationUrl": "a", "tokenUrl": "t", "scopes": {"s": "d"}}},
        },
    }


def test_a_form_beside_a_body_is_left_out() -> None:
    described = [{"name": "b", "in": "body", "schema": {}}, {"name": "a", "in": "formData", "type": "string"}]
    [notice] = notices_of(swagger({"/a": {"post": {"parameters": described}}}))
    assert notice.startswith("/paths/~1a/post/parameters/1: ")


def test_a_cookie_parameter_sets_the_operation_aside() -> None:
    value = {"parameters": [{"name": "a", "in": "cookie", "type": "string"}]}
    result = read(swagger({"/a": {"get": value}}))
    assert [aside.at for aside in result.set_aside] == ["/paths/~1a/get/parameters/0"]
