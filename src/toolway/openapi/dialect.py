"""What Swagger 2.0 and OpenAPI 3.0 say otherwise than JSON Schema 2020-12, schema by schema.

`schema` converts the members of one schema and then has it translated here: `nullable`, boolean exclusive
bounds, `example`, files and bytes. The old words are understood in 3.1 too, where documents carried over from
3.0 still use them. `discriminator`, `xml`, `externalDocs` and extensions have no effect on validation and are
dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolway.openapi.model import Schema

_BYTES = "application/octet-stream"
_ANNOTATIONS = ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")


def is_spoken(keyword: str, item: Any) -> bool:
    """Whether a keyword's value is right in an older dialect and `translate` sees to it."""
    return keyword in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(item, bool)


def beside_reference(value: dict[str, Any], reference: Schema) -> Schema:
    """What is kept of the siblings of a `$ref` before 3.1, where they have no effect: the text, and null
    allowed.
    """
    if _is_nullable(value):
        reference = {"anyOf": [reference, {"type": "null"}]}
    if isinstance(value.get("description"), str):
        reference["description"] = value["description"]
    return reference


def translate(value: dict[str, Any], schema: Schema) -> None:
    """Adds to the converted `schema`, in place, what the original `value` says in an older dialect."""
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if value.get(exclusive) is True and bound in schema:
            schema[exclusive] = schema.pop(bound)
    if "example" in value and "examples" not in schema:
        schema["examples"] = [value["example"]]
    if value.get("type") == "file":
        schema["type"] = "string"
        schema["contentMediaType"] = _BYTES
    if schema.get("format") == "binary":
        del schema["format"]
        schema.setdefault("contentMediaType", _BYTES)
    elif schema.get("format") == "byte":
        del schema["format"]
        schema.setdefault("contentEncoding", "base64")
    if _is_nullable(value):
        _allow_null(schema)


def _is_nullable(value: dict[str, Any]) -> bool:
    return value.get("nullable") is True or value.get("x-nullable") is True


def _allow_null(schema: Schema) -> None:
    """Lets null in, in place. Where other schemas apply too, null stands beside them all."""
    if any(keyword in schema for keyword in ("$ref", "allOf", "oneOf", "not", "if")):
        inner = {keyword: schema.pop(keyword) for keyword in list(schema) if keyword not in _ANNOTATIONS}
        schema["anyOf"] = [inner, {"type": "null"}]
        return
    if "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = types if "null" in types else [*types, "null"]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    if "const" in schema and schema["const"] is not None:
        schema["enum"] = [schema.pop("const"), None]
