"""Which schemas are plain objects, and what they are when references and `allOf` are taken together.

A plain object has a known list of properties and nothing that ties them to each other, so that its properties
can stand as a tool's arguments. Used by `arguments` for bodies and by `strict` for nested schemas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.apps.schema import ANNOTATIONS, reference_name, resolve, types_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.openapi.model import Schema

TYING_KEYWORDS = frozenset(
    {
        "const",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "enum",
        "if",
        "minProperties",
        "maxProperties",
        "not",
        "patternProperties",
        "propertyNames",
        "then",
    }
)
"""Keywords whose meaning is lost when an object's properties stand alone."""

MAX_PARTS_DEPTH = 16
"""Levels of `allOf` that are taken together; deeper ones are left as they are."""


def plain_object(schema: Schema, schemas: Mapping[str, Schema]) -> Schema | None:
    """`schema` as one object schema of `properties`, `required` and annotations, or none where it is not a
    plain object.

    An object without properties is plain only where it forbids any other, and one that allows others by name
    is not.
    """
    merged = _merge(schema, schemas, frozenset(), 0)
    if merged is None or not merged.pop("known", False):
        return None
    closed = merged.pop("closed", False)
    for name in merged["required"]:
        # A property that is only required, and nowhere described, must still be there to be given.
        merged["properties"].setdefault(name, {})
    if not merged["properties"] and not closed:
        return None
    return merged


def without_null(schema: Schema) -> Schema:
    """`schema` with `anyOf: [T, null]` (or `oneOf`) as T; annotations beside it win over T's own."""
    for keyword in ("anyOf", "oneOf"):
        parts = schema.get(keyword)
        if not isinstance(parts, list):
            continue
        left = [part for part in parts if not (isinstance(part, dict) and types_of(part) == ("null",))]
        if len(left) != 1 or not isinstance(left[0], dict):
            continue
        beside = {name: value for name, value in schema.items() if name != keyword}
        if beside.keys() <= ANNOTATIONS:
            return {**left[0], **beside}
        return {**beside, "allOf": [*beside.get("allOf", []), left[0]]}
    return schema


def _merge(schema: Any, schemas: Mapping[str, Schema], seen: frozenset[str], depth: int) -> Schema | None:
    """As `plain_object`, with `known` (said to be an object) and `closed` (no other properties)."""
    if not isinstance(schema, dict) or depth > MAX_PARTS_DEPTH:
        return None
    name = reference_name(schema)
    if name is not None:
        if name in seen:
            return None
        seen |= {name}
    own = without_null(resolve(schema, schemas))
    if "$ref" in own:
        return _merge(own, schemas, seen, depth + 1)
    if not TYING_KEYWORDS.isdisjoint(own) or "anyOf" in own or "oneOf" in own:
        return None
    types = types_of(own)
    if types and "object" not in types:
        return None
    other_properties = own.get("additionalProperties", own.get("unevaluatedProperties"))
    if other_properties not in (None, False):
        return None
    merged: Schema = {
        "type": "object",
        "properties": dict(own.get("properties", {})),
        "required": list(own.get("required", [])),
        "known": bool(types) or "properties" in own,
        "closed": other_properties is False,
        **{keyword: value for keyword, value in own.items() if keyword in ANNOTATIONS},
    }
    parts = [_merge(part, schemas, seen, depth + 1) for part in own.get("allOf", [])]
    whole: Schema | None = None
    for part in (*parts, merged):
        if part is None:
            return None
        whole = part if whole is None else _join(whole, part)
    return whole


def _join(first: Schema, second: Schema) -> Schema:
    """Both at once; annotations of `second` win, and a property that both describe must satisfy both."""
    properties = dict(first["properties"])
    for name, schema in second["properties"].items():
        described = properties.get(name)
        if described is None or described == schema or described in ({}, True):
            properties[name] = schema
        elif schema not in ({}, True):
            properties[name] = {"allOf": [described, schema]}
    notes = {
        keyword: value
        for part in (first, second)
        for keyword, value in part.items()
        if keyword in ANNOTATIONS
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(dict.fromkeys([*first["required"], *second["required"]])),
        "known": first["known"] or second["known"],
        "closed": first["closed"] or second["closed"],
        **notes,
    }
