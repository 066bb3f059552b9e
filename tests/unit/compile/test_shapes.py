"""What requests must be like, made of documents of every version."""

from __future__ import annotations

from typing import Any

import pytest

from toolway import openapi
from toolway.compile.shapes import Shapes, is_constrained


def read(paths: dict[str, Any], version: str = "3.0.3", **members: Any) -> Shapes:
    document = {"info": {"title": "T", "version": "1"}, "paths": paths, **members}
    document["swagger" if version.startswith("2") else "openapi"] = version
    return Shapes(openapi.read(document))


def shape(operation: dict[str, Any], path: str = "/things", version: str = "3.0.3", **members: Any) -> Any:
    operation = {"responses": {"200": {"description": "Done."}}, **operation}
    made = read({path: {"post": operation}}, version, **members)
    document = made._document
    return made.of(document.operations[0], path)


def parameter(schema: dict[str, Any], **fields: Any) -> Any:
    """The shape of one parameter; none where it has none."""
    described = {"name": "q", "in": "query", "schema": schema, **fields}
    path = "/things/{q}" if described["in"] == "path" else "/things"
    parameters = shape({"parameters": [described]}, path).get("parameters", [])
    return parameters[0] if parameters else None


def test_a_parameter_has_schema_types_and_style() -> None:
    assert parameter({"type": "integer", "minimum": 1, "maximum": 9, "description": "x"}, required=True) == {
        "in": "query",
        "name": "q",
        "style": "form",
        "explode": True,
        "values": {"types": ["integer"]},
        "schema": {"type": "integer", "minimum": 1, "maximum": 9},
        "required": True,
    }


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"type": "integer", "nullable": True}, {"types": ["integer", "null"]}),
        ({"anyOf": [{"type": "integer"}, {"enum": ["all"]}]}, {"types": ["integer", "string"]}),
        ({"minimum": 1}, {"types": ["number"]}),
        ({"enum": [1, "a", True]}, {"types": ["boolean", "integer", "string"]}),
        (
            {"type": "array", "items": {"type": "integer"}},
            {"types": ["array"], "items": ["integer"]},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "string"}}},
            {"types": ["object"], "properties": {"a": ["boolean"], "b": ["string"]}},
        ),
    ],
)
def test_types_are_those_that_a_text_may_be_read_as(schema: dict[str, Any], values: Any) -> None:
    assert parameter(schema)["values"] == values


@pytest.mark.parametrize(
    ("schema", "fields"),
    [
        ({"type": "string"}, {}),
        ({}, {}),
        ({"type": "string", "format": "date", "description": "When."}, {}),
        ({"type": "array", "items": {"type": "string"}}, {"explode": False}),
        # How these are written, OpenAPI does not say.
        ({"type": "array", "items": {"type": "object"}}, {}),
        ({"type": "object", "properties": {"a": {"type": "object"}}}, {"style": "deepObject"}),
        ({"type": "array", "items": {"type": "integer"}}, {"style": "deepObject"}),
        # Any name in the query may be a member.
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {}),
        # The object is not under the parameter's name, the text is.
        ({"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "object", "properties": {"a": {}}}]}, {}),
    ],
)
def test_what_any_text_fits_or_cannot_be_told_is_not_checked(
    schema: dict[str, Any], fields: dict[str, Any]
) -> None:
    made = parameter(schema, **fields)
    assert made is not None
    assert "schema" not in made


def test_a_parameter_in_the_path_is_there_whenever_the_route_is_found() -> None:
    made = shape(
        {"parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}]},
        "/things/{id}",
    )
    assert made["path"] == "/things/{id}"
    assert "required" not in made["parameters"][0]
    assert parameter({"type": "string"}, **{"in": "path", "required": True}) is None


def test_credentials_and_what_frames_a_message_are_nobody_s_business_here() -> None:
    parameters = [
        {"name": name, "in": location, "required": True, "schema": {"type": "integer"}}
        for name, location in [
            ("X-Key", "header"),
            ("Host", "header"),
            ("Cookie", "header"),
            ("key", "query"),
        ]
    ]
    schemes = {
        "header": {"type": "apiKey", "in": "header", "name": "x-key"},
        "query": {"type": "apiKey", "in": "query", "name": "key"},
    }
    made = shape({"parameters": parameters}, components={"securitySchemes": schemes})
    assert made == {"method": "POST"}
    assert not is_constrained(made)


def test_content_is_json_and_an_empty_value_may_be_allowed() -> None:
    described = {"content": {"application/json": {"schema": {"type": "object", "required": ["a"]}}}}
    made = shape({"parameters": [{"name": "q", "in": "query", "allowEmptyValue": True, **described}]})
    assert made["parameters"][0]["json"] is True
    assert made["parameters"][0]["allow_empty"] is True
    assert made["parameters"][0]["schema"] == {"type": "object", "required": ["a"]}
    text = {"content": {"text/plain": {"schema": {"type": "integer"}}}}
    assert "schema" not in shape({"parameters": [{"name": "q", "in": "query", **text}]})["parameters"][0]


def test_a_query_in_the_path_is_known_by_name() -> None:
    names = [each["name"] for each in shape({}, "/things?action=list")["parameters"]]
    assert names == ["action"]


def test_only_schemas_that_requests_need_are_shared_and_what_the_upstream_sends_is_not_required() -> None:
    schemas = {
        "Thing": {
            "type": "object",
            "required": ["id", "name"],
            "additionalProperties": False,
            "properties": {
                "id": {"type": "integer", "readOnly": True, "example": 7},
                "name": {"type": "string", "description": "Its name.", "maxLength": 9},
                "next": {"$ref": "#/components/schemas/Thing"},
            },
        },
        "Answer": {"type": "object"},
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
    made = read(
        {
            "/things": {
                "post": {
                    "requestBody": {"required": True, "content": content},
                    "responses": {"200": {"description": "Done.", "content": content}},
                }
            }
        },
        components={"schemas": schemas},
    )
    found = made.of(made._document.operations[0], "/things")
    check = {"media_type": "application/json", "check": {"json": {"$ref": "#/$defs/Thing"}}}
    assert found["body"] == {"required": True, "contents": [check]}
    assert made.schemas() == {
        "Thing": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "id": {"type": "integer"},
                "name": {"type": "string", "maxLength": 9},
                "next": {"$ref": "#/$defs/Thing"},
            },
        }
    }


def body(content: dict[str, Any]) -> Any:
    return shape({"requestBody": {"content": content}})["body"]["contents"]


def test_of_other_bodies_only_the_media_type_is_known() -> None:
    content = {
        "text/plain; charset=utf-8": {"schema": {"type": "integer"}},
        "image/*": {},
        "application/json": {},
    }
    assert body(content) == [
        {"media_type": "text/plain", "check": "any"},
        {"media_type": "application/octet-stream", "check": "any"},
        {"media_type": "application/json", "check": "any"},
        {"media_type": "image/*", "check": "any"},
    ]


def test_swagger_without_media_types_takes_any() -> None:
    body = [{"name": "b", "in": "body", "schema": {"type": "object"}}]
    form = [{"name": "size", "in": "formData", "type": "integer"}]
    for parameters, consumes, expected in [
        (body, None, ["application/json", "*/*"]),
        (body, ["application/json"], ["application/json"]),
        (body, ["application/xml", "text/*"], ["application/xml", "text/*"]),
        (form, None, ["application/x-www-form-urlencoded", "multipart/form-data"]),
        (form, ["multipart/form-data"], ["multipart/form-data"]),
    ]:
        operation = {"parameters": parameters, **({"consumes": consumes} if consumes else {})}
        contents = shape(operation, version="2.0")["body"]["contents"]
        assert [content["media_type"] for content in contents] == expected


def test_forms_are_checked_field_by_field() -> None:
    schema = {
        "type": "object",
        "required": ["size", "file", "tags"],
        "additionalProperties": False,
        "properties": {
            "size": {"type": "integer"},
            "file": {"type": "string", "format": "binary"},
            "tags": {"type": "array", "items": {"type": "integer"}},
            "more": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        },
    }
    size = {"name": "size", "style": "form", "explode": True, "required": True}
    size |= {"values": {"types": ["integer"]}, "schema": {"type": "integer"}}
    (form,) = body({"application/x-www-form-urlencoded": {"schema": schema}})
    by_name = {field["name"]: field for field in form["check"]["fields"]["fields"]}
    assert by_name["size"] == size
    assert "required" not in by_name["tags"]
    assert by_name["more"] == {"name": "more", "style": "form", "explode": True}
    assert "closed" not in form["check"]["fields"]
    (multipart,) = body({"multipart/form-data": {"schema": schema}})
    fields = {field["name"]: field for field in multipart["check"]["fields"]["fields"]}
    assert fields["file"] == {
        "name": "file",
        "style": "form",
        "explode": True,
        "file": True,
        "required": True,
    }
    assert fields["tags"]["required"] is True


def test_swagger_s_formats_and_forms_are_read_too() -> None:
    parameters = [
        {
            "name": "ids",
            "in": "query",
            "type": "array",
            "items": {"type": "integer"},
            "collectionFormat": "pipes",
        },
        {"name": "size", "in": "formData", "type": "integer", "required": True},
    ]
    made = shape({"parameters": parameters, "consumes": ["multipart/form-data"]}, version="2.0")
    assert made["parameters"][0]["style"] == "pipeDelimited"
    assert made["body"]["required"] is True
    assert [field["name"] for field in made["body"]["contents"][0]["check"]["fields"]["fields"]] == ["size"]


def test_a_document_that_refers_to_itself_ends() -> None:
    tree = {"anyOf": [{"type": "integer"}, {"$ref": "#/components/schemas/Tree"}]}
    schemas = {"Loop": {"$ref": "#/components/schemas/Loop"}, "Tree": tree}
    for name in schemas:
        described = [{"name": "q", "in": "query", "schema": {"$ref": f"#/components/schemas/{name}"}}]
        assert shape({"parameters": described}, components={"schemas": schemas})["parameters"]
