"""A document's schemas as inputs of a tool, and as what requests are held against: only what a caller may
send, only what a validator understands.

`arguments` cleans each argument's schema and the schemas that they share with this, before they are bundled.
What is left out never makes a valid value invalid.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from toolway.apps.schema import ANNOTATIONS, map_subschemas, reference_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.openapi.model import Schema

NOT_FOR_INPUTS = frozenset(
    {
        "$anchor",
        "$comment",
        "$dynamicAnchor",
        "$dynamicRef",
        "$id",
        "$schema",
        "$vocabulary",
        "discriminator",
        "example",
        "externalDocs",
        "readOnly",
        "writeOnly",
        "xml",
    }
)
"""Keywords that say nothing to a caller, or would give references another base."""

NOT_FOR_CHECKS = (
    NOT_FOR_INPUTS
    | ANNOTATIONS
    | {"contentEncoding", "contentMediaType", "contentSchema", "$defs", "definitions"}
)
"""Keywords that refuse no value of a request."""

_TOLD_FORMATS = frozenset({"date", "date-time", "password", "uuid"})
"""Formats that the engine has words for; none is enforced (JSON Schema Validation 2020-12 section 7.2.1)."""


def request_schema(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """`schema` as requests are held against it: what only the upstream sends need not be there, and whatever
    refuses no value is left out.
    """
    kept = {
        keyword: value
        for keyword, value in schema.items()
        if keyword not in NOT_FOR_CHECKS and not keyword.startswith("x-")
    }
    if "$ref" in kept and reference_name(kept) not in schemas:
        del kept["$ref"]
    if kept.get("format") not in _TOLD_FORMATS:
        kept.pop("format", None)
    cleaned = map_subschemas(
        kept, lambda part: request_schema(part, schemas) if isinstance(part, dict) else part
    )
    return _without_hidden_requirements(cleaned, schema, schemas)


def clean_input(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """`schema` without read-only properties, extensions, foreign references and unusable patterns."""
    kept = {
        keyword: value
        for keyword, value in schema.items()
        if keyword not in NOT_FOR_INPUTS and not keyword.startswith("x-")
    }
    if "$ref" in kept and reference_name(kept) not in schemas:
        del kept["$ref"]
    if isinstance(kept.get("pattern"), str) and not runs_linearly(kept["pattern"]):
        del kept["pattern"]
    patterns = kept.get("patternProperties")
    if isinstance(patterns, dict) and not all(runs_linearly(pattern) for pattern in patterns):
        # Which properties are the additional ones is not known without every pattern.
        for keyword in ("patternProperties", "additionalProperties", "unevaluatedProperties"):
            kept.pop(keyword, None)
    properties = kept.get("properties")
    if isinstance(properties, dict):
        hidden = {name for name, part in properties.items() if is_read_only(part, schemas)}
        if hidden:
            kept["properties"] = {name: part for name, part in properties.items() if name not in hidden}
    cleaned = map_subschemas(
        kept, lambda part: clean_input(part, schemas) if isinstance(part, dict) else part
    )
    return _without_hidden_requirements(cleaned, schema, schemas)


def _without_hidden_requirements(cleaned: Schema, schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    required = cleaned.get("required")
    if not isinstance(required, list):
        return cleaned
    hidden = _read_only_names(schema, schemas, frozenset(), 0)
    left = [name for name in required if name not in hidden]
    if left:
        return {**cleaned, "required": left}
    return {keyword: value for keyword, value in cleaned.items() if keyword != "required"}


def _read_only_names(
    schema: Any, schemas: Mapping[str, Schema], seen: frozenset[str], depth: int
) -> set[str]:
    """Read-only properties of `schema` and of its `allOf`, which it may require from outside."""
    if not isinstance(schema, dict) or depth > 16:
        return set()
    name = reference_name(schema)
    if name is not None and name not in seen:
        return _read_only_names(schemas.get(name, {}), schemas, seen | {name}, depth + 1)
    found = {name for name, part in schema.get("properties", {}).items() if is_read_only(part, schemas)}
    for part in schema.get("allOf", []):
        found |= _read_only_names(part, schemas, seen, depth + 1)
    return found


def is_read_only(schema: Any, schemas: Mapping[str, Schema]) -> bool:
    """Whether only the upstream sends a property, by its own word or by what it refers to."""
    for _ in range(16):
        if not isinstance(schema, dict):
            return False
        if schema.get("readOnly") is True:
            return True
        name = reference_name(schema)
        if name is None:
            return False
        schema = schemas.get(name)
    return False


@lru_cache(maxsize=4096)
def runs_linearly(pattern: str) -> bool:
    """Whether the engine, which never backtracks, can run `pattern`: no lookaround, no \\1."""
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True
