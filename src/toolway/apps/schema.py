"""JSON Schema as data: walking subschemas, following references, bundling what a schema needs.

Works on the reader's schemas only: 2020-12, with references `#/$defs/NAME` into `Document.schemas`. Values
under `default`, `enum`, `const` and `examples` are never taken for schemas. What a format allows is its own
module's concern.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from toolway.openapi.model import Schema

REFERENCE_PREFIX = "#/$defs/"

SINGLE_KEYWORDS = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
LIST_KEYWORDS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAP_KEYWORDS = frozenset({"dependentSchemas", "patternProperties", "properties"})

ANNOTATIONS = frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$comment",
        "example",
    }
)
"""Keywords that say something about a value without refusing any (JSON Schema Validation 2020-12 section
9).
"""


def map_subschemas(schema: Schema, change: Callable[[Any], Any]) -> Schema:
    """`schema` with `change` applied to each direct subschema; those may be objects or booleans."""
    changed: Schema = {}
    for keyword, value in schema.items():
        if keyword in SINGLE_KEYWORDS and isinstance(value, (dict, bool)):
            changed[keyword] = change(value)
        elif keyword in LIST_KEYWORDS and isinstance(value, list):
            changed[keyword] = [change(part) for part in value]
        elif keyword in MAP_KEYWORDS and isinstance(value, dict):
            changed[keyword] = {name: change(part) for name, part in value.items()}
        else:
            changed[keyword] = value
    return changed


def subschemas(schema: Schema) -> Iterator[Schema]:
    """Each direct subschema that is an object."""
    for keyword, value in schema.items():
        if keyword in SINGLE_KEYWORDS:
            parts = [value]
        elif keyword in LIST_KEYWORDS and isinstance(value, list):
            parts = value
        elif keyword in MAP_KEYWORDS and isinstance(value, dict):
            parts = list(value.values())
        else:
            continue
        yield from (part for part in parts if isinstance(part, dict))


def reference_name(schema: Schema, prefix: str = REFERENCE_PREFIX) -> str | None:
    """The name below `prefix` that `schema` refers to; none without such a reference."""
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith(prefix):
        return reference.removeprefix(prefix)
    return None


def references(schema: Schema, prefix: str = REFERENCE_PREFIX) -> Iterator[str]:
    """Every name that `schema` refers to directly or below, as often as it does, in document order."""
    pending = [schema]
    while pending:
        part = pending.pop()
        name = reference_name(part, prefix)
        if name is not None:
            yield name
        pending.extend(reversed(list(subschemas(part))))


def resolve(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """`schema` with its own reference followed; annotations beside it win, constraints beside it join by
    `allOf`.

    A reference to nothing, or one that only ever leads to itself, allows anything.
    """
    seen: set[str] = set()
    while (name := reference_name(schema)) is not None:
        beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        if name in seen:
            return beside
        seen.add(name)
        schema = beside_target(schemas.get(name, {}), beside)
    return schema


def beside_target(target: Schema, beside: Schema) -> Schema:
    """One schema for a reference's target and the keywords beside the reference."""
    if not beside:
        return target
    if beside.keys() <= ANNOTATIONS:
        return {**target, **beside}
    notes = {keyword: value for keyword, value in beside.items() if keyword in ANNOTATIONS}
    rules = {keyword: value for keyword, value in beside.items() if keyword not in ANNOTATIONS}
    return {"allOf": [target, rules], **notes}


def types_of(schema: Schema) -> tuple[str, ...]:
    """The values of `type`, whether written as a string or a list; empty where any is allowed."""
    declared = schema.get("type")
    if isinstance(declared, str):
        return (declared,)
    return tuple(declared) if isinstance(declared, list) else ()


def bundle(schema: Schema, schemas: Mapping[str, Schema], *, max_depth: int) -> Schema:
    """`schema` with everything that it refers to in its own `$defs`, and no other references.

    A shared schema that is used once takes the place of its reference. `max_depth` counts levels of
    subschemas and references: what is deeper keeps its type and description and allows more than it did, so
    that no value that was valid is refused. References to unknown names allow anything.
    """
    bundler = _Bundler(schemas, max_depth)
    root = bundler.prune(schema, 0)
    definitions: dict[str, Schema] = {}
    while bundler.wanted:
        # The least depth first, so that a shared schema is cut as late as any of its uses demands.
        depth, name = heapq.heappop(bundler.wanted)
        if name not in definitions:
            definitions[name] = bundler.prune(schemas[name], depth)
    return _inline_single_uses(root, definitions)


class _Bundler:
    """Cuts schemas to the depth and notes which shared ones they need."""

    def __init__(self, schemas: Mapping[str, Schema], max_depth: int) -> None:
        self.schemas = schemas
        self.max_depth = max_depth
        self.wanted: list[tuple[int, str]] = []

    def prune(self, schema: Schema, depth: int) -> Schema:
        if depth > self.max_depth:
            return self._loose(schema)
        kept = {
            keyword: value
            for keyword, value in schema.items()
            if keyword not in ("$ref", "$defs", "definitions")
        }
        name = reference_name(schema)
        if name is not None and name in self.schemas:
            heapq.heappush(self.wanted, (depth + 1, name))
            kept = {"$ref": REFERENCE_PREFIX + name, **kept}
        return map_subschemas(
            kept, lambda part: self.prune(part, depth + 1) if isinstance(part, dict) else part
        )

    def _loose(self, schema: Schema) -> Schema:
        target = resolve(schema, self.schemas)
        return {keyword: target[keyword] for keyword in ("type", "description") if keyword in target}


def _inline_single_uses(root: Schema, definitions: dict[str, Schema]) -> Schema:
    uses = Counter(references(root))
    for definition in definitions.values():
        uses.update(references(definition))

    def inline(part: Any) -> Any:
        # A schema that is used once is on no cycle of its own, so that this ends.
        if not isinstance(part, dict):
            return part
        name = reference_name(part)
        if name is None or uses[name] > 1:
            return map_subschemas(part, inline)
        beside = {keyword: value for keyword, value in part.items() if keyword != "$ref"}
        return inline(beside_target(definitions[name], beside))

    bundled: Schema = inline(root)
    shared = {name: inline(definition) for name, definition in definitions.items() if uses[name] > 1}
    return {**bundled, "$defs": shared} if shared else bundled
