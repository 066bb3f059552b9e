"""Bundling: what a schema needs and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsonschema_rs

from toolway.apps.schema import bundle, references, resolve

if TYPE_CHECKING:
    from toolway.openapi.model import Schema

TREE: dict[str, Schema] = {
    "Node": {
        "type": "object",
        "properties": {
            "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            "leaf": {"$ref": "#/$defs/Leaf"},
        },
    },
    "Leaf": {"type": "string", "minLength": 2},
    "Unused": {"type": "integer"},
}


def test_a_circle_stays_and_what_is_used_once_takes_its_references_place() -> None:
    bundled = bundle({"type": "object", "properties": {"tree": {"$ref": "#/$defs/Node"}}}, TREE, max_depth=20)
    assert list(bundled["$defs"]) == ["Node"]
    assert bundled["$defs"]["Node"]["properties"]["leaf"] == {"type": "string", "minLength": 2}
    check = jsonschema_rs.Draft202012Validator(bundled)
    assert check.is_valid({"tree": {"children": [{"children": [{"leaf": "ab"}]}]}})
    assert not check.is_valid({"tree": {"children": [{"children": [{"leaf": "a"}]}]}})


def test_words_in_examples_and_property_names_are_not_references() -> None:
    schema: Schema = {
        "type": "object",
        "properties": {"$ref": {"type": "string"}, "a": {"enum": [{"$ref": "#/$defs/Leaf"}]}},
        "default": {"$ref": "#/$defs/Leaf"},
    }
    assert list(references(schema)) == []
    assert bundle(schema, TREE, max_depth=20) == schema


def test_unknown_and_foreign_references_allow_anything() -> None:
    schema: Schema = {"properties": {"a": {"$ref": "#/$defs/Nobody"}, "b": {"$ref": "https://example.com/x"}}}
    assert bundle(schema, TREE, max_depth=20) == {"properties": {"a": {}, "b": {}}}


def test_what_is_deeper_than_the_bound_keeps_its_type_alone() -> None:
    schema: Schema = {"type": "string", "pattern": "^a$", "description": "Deep."}
    for _ in range(5):
        schema = {"type": "object", "properties": {"in": schema}, "required": ["in"]}
    bundled = bundle(schema, {}, max_depth=2)
    assert bundled["properties"]["in"]["properties"]["in"]["properties"]["in"] == {"type": "object"}


def test_a_long_chain_of_references_ends_at_the_bound() -> None:
    chain: dict[str, Schema] = {f"N{index}": {"$ref": f"#/$defs/N{index + 1}"} for index in range(5000)}
    chain["N5000"] = {"type": "string"}
    bundled = bundle({"properties": {"a": {"$ref": "#/$defs/N0"}}}, chain, max_depth=32)
    assert bundled == {"properties": {"a": {"type": "string"}}}


def test_the_result_is_the_same_each_time_and_the_input_is_not_changed() -> None:
    schema: Schema = {"properties": {"a": {"$ref": "#/$defs/Node"}, "b": {"$ref": "#/$defs/Leaf"}}}
    before = str((schema, TREE))
    assert bundle(schema, TREE, max_depth=20) == bundle(schema, TREE, max_depth=20)
    assert str((schema, TREE)) == before


def test_constraints_beside_a_reference_join_it() -> None:
    assert resolve({"$ref": "#/$defs/Leaf", "description": "d"}, TREE) == {**TREE["Leaf"], "description": "d"}
    assert resolve({"$ref": "#/$defs/Leaf", "maxLength": 3}, TREE) == {
        "allOf": [TREE["Leaf"], {"maxLength": 3}]
    }
    assert resolve({"$ref": "#/$defs/A"}, {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}) == {}
