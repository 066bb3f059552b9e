"""Requests made of a document: for each operation one that the document allows, written without a look at how
the gateway reads them.

Only what is required is sent, and in styles whose texts are plain; where no value can be made, none is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import jsonschema_rs
from hypothesis import Phase, find, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from toolway.openapi.model import Document, Operation, Parameter, Schema

_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its host."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def request_of(document: Document, operation: Operation) -> Request | None:
    """A request that the document allows; none where none can be made here."""
    maker = _Maker(document)
    path, query, headers, cookies = operation.path, [], {}, []
    for parameter in operation.parameters:
        if not parameter.required and parameter.location != "path":
            continue
        text = maker.text(parameter)
        if text is None:
            return None
        if parameter.location == "path":
            path = path.replace(f"{{{parameter.name}}}", quote(text, safe=""))
        elif parameter.location == "query":
            query.append((parameter.name, text))
        elif parameter.location == "header":
            headers[parameter.name] = text
        else:
            cookies.append(f"{parameter.name}={quote(text)}")
    if cookies:
        headers["Cookie"] = "; ".join(cookies)
    target = "?".join(
        part for part in (path, "&".join([operation.fixed_query, urlencode(query)]).strip("&")) if part
    )
    if operation.body is None or not operation.body.required:
        return Request(operation.method, target, headers)
    content = operation.body.contents[0]
    value = maker.value(content.schema)
    if value is None or not maker.fits(content.schema, value):
        return None
    headers["Content-Type"] = content.media_type
    if content.media_type == "application/x-www-form-urlencoded" and isinstance(value, dict):
        if any(isinstance(each, (dict, list)) for each in value.values()):
            return None
        return Request(operation.method, target, headers, urlencode(_texts(value)).encode())
    if not content.media_type.endswith("json"):
        return None
    return Request(operation.method, target, headers, json.dumps(value).encode())


def _texts(value: dict[str, Any]) -> dict[str, str]:
    return {name: _text(each) for name, each in value.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class _Maker:
    """Makes values of one document's schemas."""

    def __init__(self, document: Document) -> None:
        self._schemas = document.schemas

    def fits(self, schema: Schema, value: Any) -> bool:
        whole = {"$defs": self._schemas, "allOf": [schema]}
        return jsonschema_rs.Draft202012Validator(whole).is_valid(value)

    def text(self, parameter: Parameter) -> str | None:
        """A parameter's value as a text; none for lists and objects."""
        value = self.value(parameter.schema)
        if isinstance(value, list) and len(value) == 1 and parameter.style in ("form", "simple"):
            value = value[0]
        elif parameter.media_type is None and isinstance(value, (dict, list)):
            return None
        return _text(value) if value is not None and _text(value) else None

    def value(self, schema: Any, depth: int = 0) -> Any:
        """A value of `schema`, as small as may be; none where that is not known."""
        if depth > _DEPTH:
            return None
        if not isinstance(schema, dict):
            return "text"
        if "$ref" in schema:
            return self.value(self._schemas[schema["$ref"].removeprefix("#/$defs/")], depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return next((choice for choice in schema["enum"] if choice is not None), None)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._chosen(schema, keyword, depth)
        if "allOf" in schema:
            return self._together(schema, depth)
        return self._typed(schema, depth)

    def _chosen(self, schema: Schema, keyword: str, depth: int) -> Any:
        rest = {name: part for name, part in schema.items() if name != keyword}
        values = (self.value({**rest, "allOf": [branch]}, depth + 1) for branch in schema[keyword])
        return next((value for value in values if value is not None and self.fits(schema, value)), None)

    def _together(self, schema: Schema, depth: int) -> Any:
        rest = {name: part for name, part in schema.items() if name != "allOf"}
        values = [self.value(part, depth + 1) for part in [*schema["allOf"], rest] if part]
        objects = [value for value in values if isinstance(value, dict)]
        if objects:
            return {name: value for each in objects for name, value in each.items()}
        return next((value for value in values if value is not None and self.fits(schema, value)), None)

    def _typed(self, schema: Schema, depth: int) -> Any:
        declared = schema.get("type")
        kind = declared[0] if isinstance(declared, list) else declared
        if kind == "object" or (kind is None and "properties" in schema):
            properties = schema.get("properties", {})
            names = [name for name in schema.get("required", ()) if not _is_read_only(properties.get(name))]
            return {name: self.value(properties.get(name, {}), depth + 1) for name in names}
        if kind == "array":
            item = self.value(schema.get("items", {}), depth + 1)
            return [item] * max(1, schema.get("minItems", 0))
        if kind == "boolean":
            return True
        if kind in ("integer", "number"):
            return self._number(schema)
        return self._string(schema)

    @staticmethod
    def _number(schema: Schema) -> Any:
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        return min(low, schema["maximum"]) if "maximum" in schema and "minimum" not in schema else low

    @staticmethod
    def _string(schema: Schema) -> Any:
        if "pattern" in schema:
            return _matching(schema["pattern"], schema.get("minLength", 1), schema.get("maxLength", 200))
        length = min(max(schema.get("minLength", 1), 4), schema.get("maxLength", 4))
        return "a" * length


@cache
def _matching(pattern: str, shortest: int, longest: int) -> str:
    """A text that the pattern matches, as it comes: making it small takes much longer."""
    texts = st.from_regex(pattern, alphabet=st.characters(codec="ascii"))
    fitting = texts.filter(lambda text: shortest <= len(text) <= longest)
    return find(fitting, lambda _: True, settings=settings(database=None, phases=[Phase.generate]))


def _is_read_only(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("readOnly") is True
