"""Function tools for LLM APIs, and strict mode."""

from __future__ import annotations

from typing import Any

import pytest

from toolway.apps.functions import anthropic_tools, function_problems, gemini_tools, openai_tools
from toolway.apps.strict import strict_parameters
from toolway.openapi.model import Operation, Schema

from .views import assert_golden, demo_view, view_of


def closed(properties: dict[str, Any], *required: str, **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def test_openai_tools_are_flat_and_strict_where_they_can_be() -> None:
    assert_golden("openai_tools", openai_tools(demo_view()))


def test_anthropic_and_gemini_take_the_same_schema_under_their_own_names() -> None:
    anthropic, gemini = anthropic_tools(demo_view()), gemini_tools(demo_view())
    assert all(entry.keys() == {"name", "description", "input_schema"} for entry in anthropic)
    assert all(entry.keys() == {"name", "description", "parametersJsonSchema"} for entry in gemini)
    assert [entry["input_schema"] for entry in anthropic] == [
        entry["parametersJsonSchema"] for entry in gemini
    ]


def test_optional_properties_become_required_or_null() -> None:
    schema = closed(
        {
            "must": {"type": "string"},
            "may": {"type": "integer", "default": 3, "description": "How many.", "minimum": 1},
            "pick": {"type": "string", "enum": ["a"]},
            "fixed": {"const": "x"},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        },
        "must",
    )
    assert strict_parameters(schema) == closed(
        {
            "must": {"type": "string"},
            "may": {"description": "How many. Default: 3.", "type": ["integer", "null"], "minimum": 1},
            "pick": {"type": ["string", "null"], "enum": ["a", None]},
            "fixed": {"anyOf": [{"const": "x"}, {"type": "null"}]},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        },
        "must",
        "may",
        "pick",
        "fixed",
        "either",
    )


def test_shared_schemas_are_rewritten_and_nothing_stands_beside_a_reference() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    schema = closed(
        {"first": {"$ref": "#/$defs/Node", "description": "d"}}, "first", **{"$defs": {"Node": node}}
    )
    reference = {"$ref": "#/$defs/Node"}
    assert strict_parameters(schema) == closed(
        {"first": {"description": "d", "anyOf": [reference]}},
        "first",
        **{"$defs": {"Node": closed({"next": {"anyOf": [reference, {"type": "null"}]}}, "next")}},
    )


def test_nested_objects_are_closed_and_all_of_is_merged() -> None:
    part = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1, "format": "x-odd"}}}
    both: Schema = {"allOf": [part, {"properties": {"b": {"type": "string"}}, "required": ["b"]}]}
    assert strict_parameters(closed({"both": both}, "both")) == closed(
        {"both": closed({"a": {"type": ["string", "null"]}, "b": {"type": "string"}}, "a", "b")}, "both"
    )


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True},
        {"type": "array"},
        {"type": "string", "not": {"const": "x"}},
        {"allOf": [{"type": "string"}, {"minLength": 2}]},
        {"type": "object", "properties": {}, "patternProperties": {"^x": {}}, "additionalProperties": False},
    ],
)
def test_what_strict_mode_cannot_say_goes_out_as_it_is(schema: Schema) -> None:
    assert strict_parameters(closed({"a": schema})) is None


def test_limits_of_strict_mode_are_kept() -> None:
    deep: Schema = {"type": "string"}
    for _ in range(9):
        deep = closed({"in": deep}, "in")
    assert strict_parameters(closed({"in": deep}, "in")) is not None
    assert strict_parameters(closed({"in": closed({"in": deep}, "in")}, "in")) is None
    assert strict_parameters(closed({"a": {"type": "integer", "enum": list(range(1000))}}, "a")) is not None
    assert strict_parameters(closed({"a": {"type": "integer", "enum": list(range(1001))}}, "a")) is None
    assert strict_parameters(closed({f"p{index}": {"type": "string"} for index in range(5001)})) is None


def test_a_tool_without_arguments_is_strict() -> None:
    assert strict_parameters({"type": "object", "additionalProperties": False}) == closed({})


def test_more_tools_than_a_request_takes_are_told() -> None:
    operations = [Operation(id=f"op{index}", method="GET", path=f"/{index}") for index in range(129)]
    assert [problem.code for problem in function_problems(view_of(*operations))] == [
        "functions-too-many-tools"
    ]
    assert function_problems(view_of(*operations[:128])) == []
