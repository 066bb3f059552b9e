"""Whatever is wrong with a document, reading it ends in a Document or a ConfigurationError."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolway.openapi import read, report
from toolway.problem import ConfigurationError

from .documents import assert_schemas_compile, document, swagger

_SCHEMAS = {
    "Pet": {
        "type": "object",
        "nullable": True,
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "pattern": "^a", "minLength": 1, "example": "a"},
            "parent": {"$ref": "#/components/schemas/Pet"},
            "kind": {"enum": ["cat", "dog"], "type": "string"},
            "age": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
        },
        "additionalProperties": {
            "oneOf": [{"type": "string"}, {"allOf": [{"$ref": "#/components/schemas/Tag"}]}]
        },
    },
    "Tag": {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "patternProperties": {"^x": {}},
    },
}
_MODERN = document(
    {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "servers": [{"url": "https://{x}.example", "variables": {"x": {"default": "a"}}}],
            "post": {
                "operationId": "putPet",
                "tags": ["a"],
                "parameters": [
                    {
                        "name": "q",
                        "in": "query",
                        "style": "deepObject",
                        "schema": {"$ref": "#/components/schemas/Pet"},
                    },
                    {"$ref": "#/components/parameters/Shared"},
                ],
                "requestBody": {
                    "content": {
                        "multipart/form-data": {
                            "schema": {"$ref": "#/components/schemas/Pet"},
                            "encoding": {
                                "name": {"contentType": "text/plain", "headers": {"X": {"schema": {}}}}
                            },
                        },
                        "application/json": {"schema": {"$ref": "#/components/schemas/Tag"}},
                    }
                },
                "responses": {"200": {"description": "a", "content": {"application/json": {"schema": {}}}}},
                "security": [{"key": []}],
                "callbacks": {},
            },
        },
        "/a?b={c}": {"get": {"responses": {"default": {"$ref": "#/components/responses/R"}}}},
    },
    "3.1.0",
    servers=[{"url": "https://a.example"}],
    components={
        "schemas": _SCHEMAS,
        "parameters": {
            "Shared": {"name": "s", "in": "header", "content": {"application/json": {"schema": {}}}}
        },
        "responses": {"R": {"description": "r"}},
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "k"}},
    },
)
_OLD = swagger(
    {
        "/a/{b}": {
            "parameters": [
                {"name": "b", "in": "path", "required": True, "type": "array", "items": {"type": "string"}}
            ],
            "post": {
                "consumes": ["application/json"],
                "parameters": [{"in": "body", "name": "x", "schema": {"$ref": "#/definitions/A"}}],
                "responses": {
                    "200": {"description": "a", "schema": {"type": "file"}, "examples": {"a/b": 1}}
                },
            },
            "put": {"parameters": [{"in": "formData", "name": "f", "type": "file", "required": True}]},
        }
    },
    host="a.example",
    basePath="/v1",
    schemes=["https"],
    produces=["application/json"],
    definitions={
        "A": {"type": "object", "x-nullable": True, "properties": {"a": {"$ref": "#/definitions/A"}}}
    },
    securityDefinitions={"o": {"type": "oauth2", "flow": "implicit", "authorizationUrl": "u", "scopes": {}}},
    security=[{"o": ["a"]}],
)
_BROKEN: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(
            None,
            True,
            False,
            0,
            -1,
            1.5,
            10**30,
            "",
            "text",
            "[",
            [],
            {},
            [None],
            {"": None},
            [{}],
            {"a": []},
        ),
        *(
            {"$ref": "#"},
            {"$ref": "#/paths"},
            {"$ref": 3},
            {"$ref": ""},
            {"$ref": "#/%7E1"},
            {"$ref": "a.yaml#/b"},
        ),
        *(
            {"type": "object"},
            {"schema": True},
            {"content": {}},
            {"$dynamicRef": "#x"},
            {"$id": "a", "$anchor": "b"},
        ),
        *(
            {"$ref": "#/components/schemas/Pet/properties"},
            {"name": "a", "in": "query"},
            {"url": "http://[x"},
        ),
    ]
)


def _places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    return [place, *(below for key, member in members for below in _places(member, (*place, key)))]


@st.composite
def _mutated(draw: st.DrawFn) -> dict[str, Any]:
    data: dict[str, Any] = copy.deepcopy(draw(st.sampled_from([_MODERN, _OLD])))
    if "openapi" in data:
        data["openapi"] = draw(st.sampled_from(["3.0.3", "3.1.0"]))
    for _ in range(draw(st.integers(1, 4))):
        *above, last = draw(st.sampled_from(_places(data)[1:] or [("openapi",)]))
        holder: Any = data
        for key in above:
            holder = holder[key]
        change = draw(st.sampled_from(["delete", "replace", "rename"]))
        if change == "replace":
            holder[last] = copy.deepcopy(draw(_BROKEN))
        elif change == "delete" or isinstance(holder, list):
            del holder[last]
        else:
            holder[draw(st.sampled_from(["$ref", "type", "items", "x", "get", "/b", "200", "allOf"]))] = (
                holder.pop(last)
            )
    return data


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_mutated())
def test_a_damaged_document_is_read_or_refused(data: dict[str, Any]) -> None:
    try:
        result = read(data)
    except ConfigurationError:
        return
    json.dumps(report(result), allow_nan=False)
    assert_schemas_compile(result)
    assert len({operation.id for operation in result.operations}) == len(result.operations)


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from("{}[]:,-&*!|>'\"%@#?<a1. \n\t~$"), max_size=60))
def test_any_text_is_data_or_refused(text: str, tmp_path_factory: Any) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(text)
    with contextlib.suppress(ConfigurationError):
        read(file)
