"""Schemas of every dialect become JSON Schema 2020-12."""

from __future__ import annotations

from typing import Any

import pytest

from toolway.openapi import read

from .documents import assert_schemas_compile, document, notices_of, schema_of, swagger


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "string", "nullable": True, "enum": ["a"]},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        (
            {"$ref": "#/components/schemas/Pet", "nullable": True, "description": "a pet", "minLength": 3},
            {"anyOf": [{"$ref": "#/$defs/Pet"}, {"type": "null"}], "description": "a pet"},
        ),
        (
            {"allOf": [{"$ref": "#/components/schemas/Pet"}], "nullable": True, "description": "a pet"},
            {"anyOf": [{"allOf": [{"$ref": "#/$defs/Pet"}]}, {"type": "null"}], "description": "a pet"},
        ),
        (
            {"anyOf": [{"type": "string"}], "nullable": True},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        (
            {"oneOf": [{"type": "string", "nullable": True}], "nullable": True},
            {"anyOf": [{"oneOf": [{"type": ["string", "null"]}]}, {"type": "null"}]},
        ),
        (
            {"type": "number", "minimum": 1, "exclusiveMinimum": True},
            {"type": "number", "exclusiveMinimum": 1},
        ),
        (
            {"type": "number", "maximum": 1, "exclusiveMaximum": True},
            {"type": "number", "exclusiveMaximum": 1},
        ),
        ({"type": "number", "maximum": 1, "exclusiveMaximum": False}, {"type": "number", "maximum": 1}),
        ({"type": "string", "example": "x"}, {"type": "string", "examples": ["x"]}),
        ({"type": "string", "format": "byte"}, {"type": "string", "contentEncoding": "base64"}),
        (
            {"type": "string", "format": "binary"},
            {"type": "string", "contentMediaType": "application/octet-stream"},
        ),
        ({"type": "integer", "format": "int64"}, {"type": "integer", "format": "int64"}),
        ({"type": "object", "discriminator": {"propertyName": "a"}, "xml": {}, "x-a": 1}, {"type": "object"}),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object", "additionalProperties": False},
        ),
        (
            {"type": "string", "externalDocs": {"url": "u"}, "minLength": 2.0},
            {"type": "string", "minLength": 2},
        ),
    ],
)
def test_translates_openapi_3_0(written: dict[str, Any], expected: dict[str, Any]) -> None:
    assert schema_of(written, Pet={"type": "object"}) == expected


@pytest.mark.parametrize(
    "written",
    [
        {"type": ["string", "null"], "const": "a"},
        {"prefixItems": [{"type": "string"}], "items": {"type": "integer"}, "type": "array"},
        {"if": {"required": ["a"]}, "then": {"minProperties": 2}, "else": {"maxProperties": 1}},
        {"patternProperties": {"^x-": {"type": "string"}}, "unevaluatedProperties": False},
        {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {"required": ["c"]}}},
        {"contains": {"type": "string"}, "minContains": 2, "propertyNames": {"maxLength": 3}},
        {"examples": ["a"], "exclusiveMinimum": 3, "$comment": "why"},
        {"contentMediaType": "image/png", "contentEncoding": "base64"},
    ],
)
def test_keeps_json_schema_2020_12_of_openapi_3_1(written: dict[str, Any]) -> None:
    assert schema_of(written, "3.1.0") == written


def test_keeps_what_stands_beside_a_reference_in_3_1() -> None:
    written = {"$ref": "#/components/schemas/Pet", "description": "a pet", "maxProperties": 2}
    expected = {"$ref": "#/$defs/Pet", "description": "a pet", "maxProperties": 2}
    assert schema_of(written, "3.1.0", Pet={"type": "object"}) == expected


def test_reads_boolean_schemas_of_3_1() -> None:
    written = {"properties": {"any": True, "none": False}}
    assert schema_of(written, "3.1.0") == {"properties": {"any": {}, "none": {"not": {}}}}


@pytest.mark.parametrize(
    ("written", "expected", "at"),
    [
        ({"type": "string", "pattern": "["}, {"type": "string"}, "/pattern"),
        ({"type": "string", "pattern": "^(?!x)"}, {"type": "string"}, "/pattern"),
        ({"type": "string", "required": True}, {"type": "string"}, "/required"),
        ({"type": "any"}, {}, "/type"),
        ({"type": ["string", "text"]}, {"type": "string"}, "/type"),
        ({"enum": []}, {}, "/enum"),
        ({"enum": "a"}, {}, "/enum"),
        ({"maxLength": "10"}, {}, "/maxLength"),
        ({"maxLength": -1}, {}, "/maxLength"),
        ({"minLength": 1.5}, {}, "/minLength"),
        ({"multipleOf": 0}, {}, "/multipleOf"),
        ({"properties": ["a"]}, {}, "/properties"),
        ({"allOf": {"type": "string"}}, {}, "/allOf"),
        ({"properties": {"a": "string"}}, {"properties": {"a": {}}}, "/properties/a"),
        ({"items": [{"type": "string"}]}, {"prefixItems": [{"type": "string"}]}, "/items"),
        ({"format": 3, "title": 4}, {"title": "4"}, "/format"),
        ({"examples": {"a": 1}}, {}, "/examples"),
    ],
)
def test_leaves_out_with_a_notice_what_no_validator_takes(
    written: dict[str, Any], expected: dict[str, Any], at: str
) -> None:
    assert schema_of(written) == expected
    value = {"parameters": [{"name": "value", "in": "query", "schema": written}]}
    [notice] = notices_of(document({"/things": {"get": value}}))
    assert notice.startswith(f"/paths/~1things/get/parameters/0/schema{at}: ")


def test_repeated_names_and_choices_are_taken_once() -> None:
    assert schema_of({"required": ["a", "a"], "enum": [1, 1, True, "1"]}) == {
        "required": ["a"],
        "enum": [1, True, "1"],
    }


def test_a_lost_pattern_for_names_does_not_refuse_the_names() -> None:
    written = {"patternProperties": {"^(?!x)": {"type": "string"}}, "additionalProperties": False}
    assert schema_of(written, "3.1.0") == {"patternProperties": {}}


def test_circular_schemas_become_shared_ones() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    result = read(document({}, components={"schemas": {"Node": node}}))
    assert result.schemas == {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}}


def test_schemas_that_are_only_references_to_each_other_are_harmless() -> None:
    schemas = {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}}
    result = read(document({}, components={"schemas": schemas}))
    assert_schemas_compile(result)


def test_names_of_shared_schemas_are_made_usable_and_stay_apart() -> None:
    schemas = {"a b": {"type": "string"}, "a_b": {"type": "integer"}, "a/b": {"type": "null"}}
    result = read(document({}, components={"schemas": schemas}))
    assert list(result.schemas) == ["a_b", "a_b_2", "a_b_3"]


def test_references_to_any_place_become_shared_schemas() -> None:
    schemas = {"Pet": {"type": "object", "properties": {"name~/%": {"type": "string"}}}}
    reference = {"$ref": "#/components/schemas/Pet/properties/name~0~1%25"}
    value = {"parameters": [{"name": "value", "in": "query", "schema": reference}]}
    result = read(document({"/things": {"get": value}}, components={"schemas": schemas}))
    [operation] = result.operations
    name = operation.parameters[0].schema["$ref"].removeprefix("#/$defs/")
    assert result.schemas[name] == {"type": "string"}


def test_named_places_and_dynamic_references_are_bundled() -> None:
    tree = {
        "$id": "https://example.com/tree",
        "$dynamicAnchor": "node",
        "type": "object",
        "properties": {
            "left": {"$dynamicRef": "#node"},
            "right": {"$ref": "#/$defs/leaf"},
            "label": {"$ref": "#label"},
        },
        "$defs": {"leaf": {"type": "null"}, "label": {"$anchor": "label", "type": "string"}},
    }
    schemas = {"Tree": tree, "Other": {"$ref": "https://example.com/tree"}, "Relative": {"$ref": "#label"}}
    result = read(document({}, "3.1.0", components={"schemas": schemas}))
    assert_schemas_compile(result)
    assert result.schemas["Other"] == {"$ref": "#/$defs/Tree"}
    described = result.schemas["Tree"]["properties"]
    assert described["left"] == {"$ref": "#/$defs/Tree"}
    for member, kind in (("right", "null"), ("label", "string")):
        assert result.schemas[described[member]["$ref"].removeprefix("#/$defs/")] == {"type": kind}


def test_a_property_named_like_a_keyword_is_a_property() -> None:
    written = {"properties": {"$ref": {"type": "string"}, "nullable": {"type": "boolean"}}}
    assert schema_of(written) == written


def test_swagger_2_files_and_nulls() -> None:
    schemas = {"A": {"type": "string", "x-nullable": True}, "B": {"type": "file"}}
    result = read(swagger({}, definitions=schemas))
    assert result.schemas == {
        "A": {"type": ["string", "null"]},
        "B": {"type": "string", "contentMediaType": "application/octet-stream"},
    }
