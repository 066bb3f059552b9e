"""The schemas of an actions document: rewritten into what GPT Actions' importer takes, and gathered as
components.

`actions` passes each schema of an operation and gets one to publish; what it refers to becomes a component,
whose name is unique over all apis. Keywords that the importer does not know are left out, which only ever
allows more. Circles are broken where a component refers back to one that leads to it: there stands the bare
type, with a description that says what it is. Source: llm-clients requirements, section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.apps.names import argument_name, numbered
from toolway.apps.objects import without_null
from toolway.apps.schema import (
    ANNOTATIONS,
    map_subschemas,
    reference_name,
    references,
    types_of,
)
from toolway.apps.text import clamp, phrase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.apps.model import SelectedOperation
    from toolway.openapi.model import Schema

PREFIX = "#/components/schemas/"

MAX_DESCRIPTION = 700
"""Characters of a property's description, as of a parameter's."""

FILES_PROPERTY = "openaiFileIdRefs"
"""The property in which ChatGPT hands files over; it must be a list of strings whatever arrives in it."""

KEPT = frozenset(
    {
        "$ref", "additionalProperties", "allOf", "anyOf", "contentEncoding", "contentMediaType", "default",
        "deprecated", "description", "enum", "examples", "exclusiveMaximum", "exclusiveMinimum", "format",
        "items", "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength",
        "minProperties", "minimum", "multipleOf", "oneOf", "pattern", "properties", "readOnly", "required",
        "title", "type", "uniqueItems", "writeOnly",
    }
)  # fmt: skip

COMPOSITION = ("allOf", "anyOf", "oneOf")

NUMBER_KEYWORDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
KEYWORDS_OF_TYPE: dict[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
    "array": ("items", "minItems", "maxItems", "uniqueItems"),
    "number": NUMBER_KEYWORDS,
    "integer": NUMBER_KEYWORDS,
    "string": ("pattern", "format", "minLength", "maxLength", "contentEncoding", "contentMediaType"),
}
"""Keywords that are about values of one type (JSON Schema Validation 2020-12 section 6)."""


class Components:
    """Gathers what published schemas refer to. One for each document that is written."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._waiting: list[tuple[SelectedOperation, str]] = []
        self._schemas: dict[str, Schema] = {}

    def publish(self, selected: SelectedOperation, schema: Any) -> Schema:
        """`schema` of the operation's document as the actions document has it."""
        return self._convert(selected, schema)

    def finish(self) -> dict[str, Schema]:
        """The components that are used, without circles, in the order in which they were met."""
        while self._waiting:
            selected, name = self._waiting.pop(0)
            published = self._names[selected.api_id, name]
            self._schemas[published] = self._convert(selected, selected.document.schemas[name])
        return _without_circles({published: self._schemas[published] for published in self._names.values()})

    def _reference(self, selected: SelectedOperation, name: str) -> Schema:
        key = (selected.api_id, name)
        if key not in self._names:
            taken = {published.casefold() for published in self._names.values()}
            published = name
            if name.casefold() in taken:
                published = numbered(argument_name(f"{selected.api_id}_{name}"), taken)
            self._names[key] = published
            self._waiting.append((selected, name))
        return {"$ref": PREFIX + self._names[key]}

    def _convert(self, selected: SelectedOperation, schema: Any, *, part: bool = False) -> Schema:
        """`part` of an `allOf`: what says nothing of the type then gets none, for another part may."""
        if not isinstance(schema, dict):
            schema = {}
        schema = without_null(schema)
        if "const" in schema:
            schema = {**schema, "enum": [schema["const"]]}
        kept = {keyword: value for keyword, value in schema.items() if keyword in KEPT}
        name = reference_name(kept)
        if name is not None and name in selected.document.schemas:
            return self._beside_reference(selected, name, kept)
        kept.pop("$ref", None)
        _drop_null(kept)
        _lift_notes(kept)
        types = types_of(kept)
        if len(types) > 1:
            return self._convert(selected, _by_type(kept, types), part=part)
        if not types and (inferred := _infer_type(kept, part=part)):
            kept["type"] = inferred
        self._complete(selected, kept)
        return _tidy(kept)

    def _beside_reference(self, selected: SelectedOperation, name: str, kept: Schema) -> Schema:
        """Nothing may stand beside `$ref`: annotations hold it in an `allOf`, constraints join it there."""
        reference = self._reference(selected, name)
        notes = {key: value for key, value in kept.items() if key in ANNOTATIONS and value is not None}
        rules = {key: value for key, value in kept.items() if key != "$ref" and key not in ANNOTATIONS}
        if not notes and not rules:
            return reference
        parts = [reference]
        if rules and (converted := self._convert(selected, rules, part=True)):
            parts.append(converted)
        return _tidy({"allOf": parts, **notes})

    def _complete(self, selected: SelectedOperation, kept: Schema) -> None:
        """Converts the subschemas of `kept` in place and adds those that must be there."""
        properties = kept.get("properties")
        if kept.get("type") == "object" or isinstance(properties, dict):
            kept["type"] = "object"
            kept["properties"] = {
                name: _files(value) if name == FILES_PROPERTY else self._convert(selected, value)
                for name, value in (properties or {}).items()
                if value is not False
            }
        if kept.get("type") == "array":
            kept["items"] = self._convert(selected, kept.get("items"))
        else:
            kept.pop("items", None)
        extra = kept.get("additionalProperties")
        if isinstance(extra, dict):
            kept["additionalProperties"] = self._convert(selected, extra) if extra else True
        for keyword in COMPOSITION:
            if keyword in kept:
                parts = [self._convert(selected, value, part=keyword == "allOf") for value in kept[keyword]]
                kept[keyword] = [value for value in parts if value]
                if not kept[keyword]:
                    del kept[keyword]
        if "type" not in kept and not any(keyword in kept for keyword in COMPOSITION) and kept.get("enum"):
            kept["type"] = "string"


def _lift_notes(kept: Schema) -> None:
    """Moves the parts of `allOf` that only describe to `kept` itself, in place; what it says already wins."""
    left = []
    for part in kept.pop("allOf", []):
        if not isinstance(part, dict) or not part.keys() <= ANNOTATIONS:
            left.append(part)
            continue
        for keyword, value in part.items():
            if keyword in KEPT:
                kept.setdefault(keyword, value)
    if left:
        kept["allOf"] = left


def _drop_null(kept: Schema) -> None:
    """Takes null out of `kept`, in place: clients leave a value out instead."""
    types = [name for name in types_of(kept) if name != "null"]
    if types:
        kept["type"] = types[0] if len(types) == 1 else types
    else:
        kept.pop("type", None)
    if isinstance(kept.get("enum"), list):
        kept["enum"] = [value for value in kept["enum"] if value is not None]
        if not kept["enum"]:
            del kept["enum"]
    if kept.get("default", ...) is None:
        del kept["default"]
    for keyword in ("anyOf", "oneOf"):
        if isinstance(kept.get(keyword), list):
            kept[keyword] = [
                part for part in kept[keyword] if not (isinstance(part, dict) and types_of(part) == ("null",))
            ]


def _by_type(kept: Schema, types: tuple[str, ...]) -> Schema:
    """Several types as `anyOf`, each with the keywords about it; the importer takes one type a schema."""
    branches = []
    for name in types:
        branch: Schema = {"type": name}
        branch |= {
            keyword: value for keyword, value in kept.items() if keyword in KEYWORDS_OF_TYPE.get(name, ())
        }
        if "enum" in kept:
            own = ("number", "integer") if name == "number" else (name,)
            branch["enum"] = [value for value in kept["enum"] if _type_of_value(value) in own]
            if not branch["enum"]:
                continue
        branches.append(branch)
    notes = {keyword: value for keyword, value in kept.items() if keyword in ANNOTATIONS}
    return {**notes, "anyOf": branches or [{"type": types[0]}]}


def _type_of_value(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "string"


def _infer_type(kept: Schema, *, part: bool) -> str | None:
    """The type that a schema without one must have; a string where nothing tells: it has to have some."""
    for name in ("object", "array", "number"):
        if any(keyword in kept for keyword in KEYWORDS_OF_TYPE[name]):
            return name
    if any(keyword in kept for keyword in COMPOSITION):
        return None
    if "enum" in kept:
        kinds = {_type_of_value(value) for value in kept["enum"]}
        if len(kinds) == 1:
            return kinds.pop()
        return "number" if kinds == {"integer", "number"} else None
    return None if part and kept.keys() <= ANNOTATIONS else "string"


def _files(schema: Any) -> Schema:
    described = schema.get("description") if isinstance(schema, dict) else None
    return _tidy(
        {"type": "array", "items": {"type": "string"}, **({"description": described} if described else {})}
    )


def _tidy(schema: Schema) -> Schema:
    """`schema` without empty lists and with descriptions that fit."""
    if isinstance(schema.get("description"), str):
        schema["description"] = clamp(schema["description"], MAX_DESCRIPTION)
    if schema.get("required") == []:
        del schema["required"]
    return schema


def _without_circles(schemas: dict[str, Schema]) -> dict[str, Schema]:
    edges = {name: list(dict.fromkeys(references(schema, PREFIX))) for name, schema in schemas.items()}
    backward = set(_backward_edges(edges))

    def cut(schema: Any, holder: str) -> Any:
        if not isinstance(schema, dict):
            return schema
        name = reference_name(schema, PREFIX)
        if name is not None and (holder, name) in backward:
            return _bare(name, schemas[name])
        return map_subschemas(schema, lambda part: cut(part, holder))

    return {name: cut(schema, name) for name, schema in schemas.items()}


def _backward_edges(edges: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """The references that close a circle, depth first; without recursion, for chains may be long."""
    done: set[str] = set()
    for start in edges:
        path: list[tuple[str, Iterator[str]]] = [] if start in done else [(start, iter(edges[start]))]
        on_path = {start}
        while path:
            name, targets = path[-1]
            target = next(targets, None)
            if target is None:
                path.pop()
                on_path.discard(name)
                done.add(name)
            elif target in on_path:
                yield name, target
            elif target not in done:
                on_path.add(target)
                path.append((target, iter(edges[target])))


def _bare(name: str, target: Schema) -> Schema:
    description = f"{phrase(name)}, in the same form again."
    if target.get("type") == "array":
        return {"type": "array", "items": {"type": "object", "properties": {}}, "description": description}
    if target.get("type", "object") == "object":
        return {"type": "object", "properties": {}, "description": description}
    return {"type": target["type"], "description": description}
