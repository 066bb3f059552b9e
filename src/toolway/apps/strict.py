"""OpenAI's strict mode: an input schema rewritten so that a model's arguments always fit it.

Not every schema can be. In strict mode every property is required, so that an optional one may be null
instead; whoever runs the call leaves nulls out. Source: llm-clients requirements, section 4.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from toolway.apps.objects import plain_object
from toolway.apps.schema import reference_name, resolve, subschemas, types_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.openapi.model import Schema

MAX_PROPERTIES = 5000
MAX_LEVELS = 10
MAX_ENUM_VALUES = 1000

REFUSED = frozenset(
    {
        "contains",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "not",
        "patternProperties",
        "prefixItems",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords that cannot be expressed; a schema with one of them is not strict."""

SCALAR_KEYWORDS = (
    "enum",
    "const",
    "pattern",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
)
"""Kept as they are. Other constraints are left to the gateway, which checks the whole schema."""

FORMATS = frozenset({"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"})

NULL: Schema = {"type": "null"}


class NotStrictError(ValueError):
    """The schema allows what strict mode cannot say; the message says what."""


def strict_parameters(schema: Schema) -> Schema | None:
    """A tool's inputSchema as strict `parameters`, or none where it cannot be."""
    definitions: dict[str, Schema] = schema.get("$defs", {})
    root = {keyword: value for keyword, value in schema.items() if keyword != "$defs"}
    try:
        rewriter = _Rewriter(definitions)
        parameters = rewriter.rewrite(root)
        while rewriter.waiting:
            name = rewriter.waiting.pop(0)
            rewriter.rewritten[name] = rewriter.rewrite(definitions[name])
    except NotStrictError:
        return None
    if rewriter.rewritten:
        parameters["$defs"] = rewriter.rewritten
    return parameters if _within_limits(parameters) else None


class _Rewriter:
    """Rewrites one tool's schemas; notes the shared ones that are still used."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions
        self.waiting: list[str] = []
        self.rewritten: dict[str, Schema] = {}

    def rewrite(self, schema: Any) -> Schema:
        if not isinstance(schema, dict):
            raise NotStrictError("a schema that allows anything or nothing")
        if not REFUSED.isdisjoint(schema):
            raise NotStrictError(f"keywords {', '.join(sorted(REFUSED.intersection(schema)))}")
        name = reference_name(schema)
        if name is not None:
            return self._reference(name, schema)
        if "allOf" in schema:
            return self._rewrite_all_of(schema)
        strict = _described(schema)
        alternatives = schema.get("anyOf", schema.get("oneOf"))
        if alternatives is not None:
            if "properties" in schema or ("anyOf" in schema and "oneOf" in schema):
                raise NotStrictError("alternatives of an object's parts")
            return {**strict, "anyOf": [self.rewrite(part) for part in alternatives]}
        types = types_of(schema)
        if not types:
            if "enum" not in schema and "const" not in schema:
                raise NotStrictError("a value of any type")
            return {**strict, **_kept(schema)}
        strict["type"] = schema["type"]
        strict |= _kept(schema)
        if "object" in types:
            self._rewrite_object(schema, strict)
        if "array" in types:
            strict["items"] = self.rewrite(schema.get("items", True))
        return strict

    def _reference(self, name: str, schema: Schema) -> Schema:
        """Nothing may stand beside a reference; a description moves around it."""
        if name not in self.rewritten and name not in self.waiting:
            self.waiting.append(name)
            self.rewritten[name] = {}
        reference = {"$ref": schema["$ref"]}
        described = _described(schema)
        return {**described, "anyOf": [reference]} if described else reference

    def _rewrite_all_of(self, schema: Schema) -> Schema:
        merged = plain_object(schema, self.definitions)
        if merged is not None:
            return self.rewrite(merged)
        beside = {keyword: value for keyword, value in schema.items() if keyword != "allOf"}
        if len(schema["allOf"]) == 1 and not beside.keys() - {
            "title",
            "description",
            "default",
            "examples",
            "deprecated",
        }:
            return self.rewrite({**resolve(schema["allOf"][0], self.definitions), **beside})
        raise NotStrictError("allOf of other than plain objects")

    def _rewrite_object(self, schema: Schema, strict: Schema) -> None:
        properties = schema.get("properties", {})
        closed = schema.get("additionalProperties") is False
        if schema.get("additionalProperties", False) is not False or (not properties and not closed):
            raise NotStrictError("an object with names of the caller's own")
        required = schema.get("required", [])
        if any(name not in properties for name in required):
            raise NotStrictError("a property that is required and not described")
        strict["properties"] = {
            name: self.rewrite(part) if name in required else _or_null(self.rewrite(part))
            for name, part in properties.items()
        }
        strict["required"] = list(properties)
        strict["additionalProperties"] = False


def _kept(schema: Schema) -> Schema:
    kept = {keyword: schema[keyword] for keyword in SCALAR_KEYWORDS if keyword in schema}
    if schema.get("format") in FORMATS:
        kept["format"] = schema["format"]
    return kept


def _described(schema: Schema) -> Schema:
    """The description, with the default and an example as words: strict mode has no keywords for them."""
    words = [str(schema["description"])] if schema.get("description") else []
    if "default" in schema and schema["default"] is not None:
        words.append(f"Default: {json.dumps(schema['default'], ensure_ascii=False)}.")
    if isinstance(schema.get("examples"), list) and schema["examples"]:
        words.append(f"Example: {json.dumps(schema['examples'][0], ensure_ascii=False)}.")
    return {"description": " ".join(words)} if words else {}


def _or_null(schema: Schema) -> Schema:
    """`schema`, or null."""
    if "anyOf" in schema:
        if NULL in schema["anyOf"]:
            return schema
        return {**schema, "anyOf": [*schema["anyOf"], dict(NULL)]}
    types = types_of(schema)
    if not types or "const" in schema:
        described = {"description": schema["description"]} if "description" in schema else {}
        inner = {keyword: value for keyword, value in schema.items() if keyword != "description"}
        return {**described, "anyOf": [inner, dict(NULL)]}
    optional = {**schema, "type": [*(name for name in types if name != "null"), "null"]}
    if "enum" in schema and None not in schema["enum"]:
        optional["enum"] = [*schema["enum"], None]
    return optional


def _within_limits(parameters: Schema) -> bool:
    """Whether the rewritten schema keeps the limits; a level is an object or a list."""
    properties = values = 0
    definitions: Mapping[str, Schema] = parameters.get("$defs", {})
    for start in (parameters, *definitions.values()):
        pending = [start]
        while pending:
            part = pending.pop()
            properties += len(part.get("properties", {}))
            values += len(part.get("enum", []))
            pending.extend(subschemas(part))
    if properties > MAX_PROPERTIES or values > MAX_ENUM_VALUES:
        return False
    return _levels(parameters, definitions, {}) <= MAX_LEVELS


def _levels(schema: Schema, definitions: Mapping[str, Schema], known: dict[str, int]) -> int:
    name = reference_name(schema)
    if name is not None:
        if name not in known:
            # Met again before it is known, it is a circle's second turn, which adds nothing.
            known[name] = 0
            known[name] = _levels(definitions.get(name, {}), definitions, known)
        return known[name]
    own = 1 if "properties" in schema or "items" in schema else 0
    return own + max((_levels(part, definitions, known) for part in subschemas(schema)), default=0)
