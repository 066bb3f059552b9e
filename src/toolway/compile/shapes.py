"""Shapes: what requests to an operation must be like, for the engine's plugin `oas-validator`.

The result is the snapshot's `OperationShape`, field by field. Schemas that several operations refer to are
gathered once for the api. What the engine could not tell from a good request is left out, so that a request
that the document allows is never refused: parts of styles that OpenAPI leaves open, formats, files' contents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.apps.arguments import open_parameters
from toolway.apps.inputs import request_schema
from toolway.apps.media import essence, kind_of
from toolway.apps.objects import plain_object
from toolway.apps.schema import reference_name, references, resolve, types_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.openapi.model import Body, Content, Document, Operation, Parameter, PropertyEncoding, Schema

_DEPTH = 8
"""Levels of references and choices below a parameter that are looked through for its types."""

_COMPOUND = frozenset({"array", "object"})
_JSON_TYPES = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class Shapes:
    """The shapes of one document's operations, and the shared schemas that they need."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._cleaned: dict[str, Schema] = {}

    def schemas(self) -> dict[str, Schema]:
        """The shared schemas that the shapes made so far refer to, however indirectly."""
        return dict(sorted(self._cleaned.items()))

    def of(self, operation: Operation, path: str) -> dict[str, Any]:
        """The shape of `operation`, whose path at the gateway is `path`."""
        shape: dict[str, Any] = {"method": operation.method}
        described = open_parameters(operation, self._document)
        parameters = [made for parameter in described if (made := self._parameter(parameter)) is not None]
        fixed = [part.partition("=")[0] for part in operation.fixed_query.split("&") if part]
        parameters += [{"in": "query", "name": name, "style": "form"} for name in fixed]
        if any(parameter["in"] == "path" for parameter in parameters):
            shape["path"] = path
        if parameters:
            shape["parameters"] = parameters
        if operation.body is not None:
            shape["body"] = self._body(operation.body)
        return shape

    def has_free_query(self, operation: Operation) -> bool:
        """Whether any name may stand in the query, as the member of an object that is not described."""
        return any(
            parameter.location == "query"
            and _is_loose(parameter.style, explode=parameter.explode)
            and "object" in self._types(parameter.schema)
            and not self._is_described(parameter.schema)
            for parameter in operation.parameters
        )

    def _parameter(self, parameter: Parameter) -> dict[str, Any] | None:
        """None: nothing of it can be checked, and nobody asks for its name."""
        made: dict[str, Any] = {
            "in": parameter.location,
            "name": parameter.name,
            "style": parameter.style,
            **({"explode": True} if parameter.explode else {}),
            **({"allow_empty": True} if parameter.allow_empty else {}),
            **({"json": True} if parameter.media_type and _is_json(parameter.media_type) else {}),
        }
        is_plain_text = parameter.media_type is not None and "json" not in made
        checked = {} if is_plain_text else self._value(made, parameter.schema)
        made |= checked
        if parameter.required and parameter.location != "path" and not self._may_be_absent(parameter):
            made["required"] = True
        is_asked_for = parameter.location == "query" or "schema" in made or "required" in made
        return made if is_asked_for else None

    def _may_be_absent(self, parameter: Parameter) -> bool:
        """Whether a required parameter can be sent so that nobody sees it, or sees it under another name."""
        if parameter.media_type is not None:
            return False
        types = self._types(parameter.schema)
        if parameter.style == "deepObject":
            return types != {"object"} or not self._requires(parameter.schema)
        is_loose = _is_loose(parameter.style, explode=parameter.explode)
        return (
            is_loose and "object" in types and not (types == {"object"} and self._requires(parameter.schema))
        )

    def _value(self, made: dict[str, Any], schema: Schema) -> dict[str, Any]:
        """Schema and types of a value that is written as `made` says; empty where any text is one, or where
        OpenAPI does not say how it is written.
        """
        if self._is_any_text(schema) or (made.get("json") and not request_schema(schema, self._schemas)):
            return {}
        values = self._values(schema)
        types = set(values.get("types", ()))
        if not made.get("json"):
            inner = [
                values.get("items", ()),
                values.get("others", ()),
                *values.get("properties", {}).values(),
            ]
            if any(_COMPOUND.intersection(each) for each in inner):
                return {}
            is_loose = _is_loose(made["style"], explode=made.get("explode", False))
            if (is_loose or made["style"] == "deepObject") and "object" in types and types != {"object"}:
                return {}
            if made["style"] == "deepObject" and types != {"object"}:
                return {}
            if is_loose and "object" in types and not self._is_described(schema):
                return {}
        return {"values": values, "schema": self._shared(schema)}

    def _body(self, body: Body) -> dict[str, Any]:
        contents: dict[str, Any] = {}
        for content in body.contents:
            contents.setdefault(essence(content.media_type), self._check(content))
        for media_type in body.also:
            contents.setdefault(essence(media_type), "any")
        listed = [{"media_type": name, "check": check} for name, check in contents.items()]
        return {**({"required": True} if body.required else {}), "contents": listed}

    def _check(self, content: Content) -> Any:
        kind = kind_of(content)
        if "*" in essence(content.media_type):
            return "any"
        if kind in ("json", "json-suffix"):
            cleaned = self._shared(content.schema)
            return {"json": cleaned} if cleaned else "any"
        if kind in ("form", "multipart"):
            plain = plain_object(content.schema, self._schemas)
            return "any" if plain is None else {"fields": self._fields(content, plain)}
        return "any"

    def _fields(self, content: Content, plain: Schema) -> dict[str, Any]:
        required = set(request_schema(plain, self._schemas).get("required", ()))
        fields = [
            self._field(name, schema if isinstance(schema, dict) else {}, content, name in required)
            for name, schema in plain["properties"].items()
        ]
        own = resolve(content.schema, self._schemas)
        is_closed = own.get("additionalProperties") is False and all(_is_known(field) for field in fields)
        return {"fields": fields, **({"closed": True} if is_closed else {})}

    def _field(self, name: str, schema: Schema, content: Content, required: bool) -> dict[str, Any]:
        encoding: PropertyEncoding | None = content.encoding.get(name)
        style = (encoding and encoding.style) or "form"
        explode = encoding.explode if encoding and encoding.explode is not None else style == "form"
        is_multipart = kind_of(content) == "multipart"
        made: dict[str, Any] = {"name": name, "style": style}
        if explode or is_multipart:
            made["explode"] = True
        if encoding is not None and encoding.binary:
            made["file"] = True
        elif encoding is not None and encoding.content_type and _is_json(encoding.content_type):
            made["json"] = True
        types = self._types(schema)
        is_open = "object" in types and not made.get("json")
        if not made.get("file") and not is_open:
            made |= self._value(made, schema)
        # Members of objects and items of lists may go by names of their own, such as `tags[]`.
        if required and not is_open and ("array" not in types or is_multipart):
            made["required"] = True
        return made

    @property
    def _schemas(self) -> dict[str, Schema]:
        return self._document.schemas

    def _shared(self, schema: Schema) -> Schema:
        """`schema` as requests are held against it; what it refers to is gathered."""
        cleaned = request_schema(schema, self._schemas)
        waiting = list(references(cleaned))
        while waiting:
            name = waiting.pop()
            if name not in self._cleaned:
                self._cleaned[name] = request_schema(self._schemas[name], self._schemas)
                waiting += references(self._cleaned[name])
        return cleaned

    def _is_any_text(self, schema: Schema) -> bool:
        """Whether every text, or list of texts, is a value."""
        own = resolve(request_schema(schema, self._schemas), self._schemas)
        own = request_schema(own, self._schemas)
        own.pop("format", None)
        if not own:
            return True
        if own.get("type") == "array" and own.keys() <= {"type", "items"}:
            return self._is_any_text(own.get("items", {}))
        return own == {"type": "string"}

    def _values(self, schema: Schema) -> dict[str, Any]:
        """The snapshot's `Values`: the types of the whole, of items and of members."""
        items: set[str] = set()
        others: set[str] = set()
        properties: dict[str, set[str]] = {}
        for leaf in self._leaves(schema, 0):
            if isinstance(leaf.get("items"), dict):
                items |= self._types(leaf["items"])
            if isinstance(leaf.get("additionalProperties"), dict):
                others |= self._types(leaf["additionalProperties"])
            for name, part in leaf.get("properties", {}).items():
                properties.setdefault(name, set()).update(self._types(part) if isinstance(part, dict) else ())
        made = {"types": self._types(schema), "items": items, "others": others}
        values: dict[str, Any] = {name: sorted(types) for name, types in made.items() if types}
        if properties:
            values["properties"] = {name: sorted(types) for name, types in properties.items()}
        return values

    def _types(self, schema: Schema) -> set[str]:
        """The types that a value may have, as far as anything is said; some may be too many."""
        found: set[str] = set()
        for leaf in self._leaves(schema, 0):
            found.update(types_of(leaf))
            if "type" not in leaf:
                choices = leaf.get("enum", [leaf["const"]] if "const" in leaf else [])
                found.update(_JSON_TYPES.get(type(choice), "string") for choice in choices)
                found.update(_implied(leaf))
        return found

    def _leaves(self, schema: Schema, depth: int) -> Iterator[Schema]:
        """`schema` with its references followed, and the parts that it is made of."""
        own = resolve(schema, self._schemas)
        if depth > _DEPTH or reference_name(own) is not None:
            return
        yield own
        for keyword in ("allOf", "anyOf", "oneOf"):
            for part in own.get(keyword, ()):
                if isinstance(part, dict):
                    yield from self._leaves(part, depth + 1)

    def _is_described(self, schema: Schema) -> bool:
        """Whether the members of an object are known by name."""
        leaves = list(self._leaves(schema, 0))
        return any(leaf.get("properties") for leaf in leaves)

    def _requires(self, schema: Schema) -> bool:
        """Whether an object must have a member."""
        return any(leaf.get("required") for leaf in self._leaves(schema, 0))


def is_constrained(shape: dict[str, Any]) -> bool:
    """Whether the shape refuses any request."""
    parameters = shape.get("parameters", ())
    return "body" in shape or any("schema" in each or each.get("required") for each in parameters)


def _is_known(field: dict[str, Any]) -> bool:
    """Whether the field is under its own name."""
    return (
        field.get("file") is True
        or "array" not in field.get("values", {}).get("types", ())
        or "json" in field
    )


def _is_loose(style: str, *, explode: bool) -> bool:
    """Whether the members of an object stand as arguments of their own."""
    return style == "form" and explode


def _is_json(media_type: str) -> bool:
    name = essence(media_type)
    return name == "application/json" or name.endswith("+json")


def _implied(schema: Schema) -> Iterator[str]:
    """The types that keywords speak of."""
    if "properties" in schema or "additionalProperties" in schema:
        yield "object"
    if "items" in schema or "minItems" in schema or "maxItems" in schema:
        yield "array"
    if {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"} & schema.keys():
        yield "number"
    if {"pattern", "minLength", "maxLength"} & schema.keys():
        yield "string"
