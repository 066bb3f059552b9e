"""Swagger 2.0 to the shapes of `model`: body and form parameters, formats, consumes and produces.

The counterpart of `parameters` and `media`, which read OpenAPI 3. It reads the document as it stands, so that
places in reports are those of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from toolway.openapi.media import FORM, MULTIPART, is_file, is_form, is_media_type, read_status
from toolway.openapi.model import (
    Body,
    Content,
    Location,
    Parameter,
    PropertyEncoding,
    Response,
    Schema,
    Style,
)
from toolway.openapi.parameters import STYLES, bare_schema, is_others_header
from toolway.openapi.place import UnusableError, below
from toolway.openapi.shape import flag, mapping, prose, words

if TYPE_CHECKING:
    from toolway.openapi.reading import Reading

_FORMATS = {"ssv": "spaceDelimited", "tsv": "tabDelimited", "pipes": "pipeDelimited"}
_JSON = "application/json"


def read_parameter(reading: Reading, value: dict[str, Any], at: str, needs: set[str]) -> Parameter | None:
    """A Parameter Object in path, query or header; none for a header described elsewhere. Raises
    UnusableError.
    """
    location, called = prose(value.get("in")).strip(), prose(value.get("name")).strip()
    if location not in ("path", "query", "header"):
        raise UnusableError(
            f"the parameter `{called}` is in `{location}`, which Swagger 2.0 does not know", at
        )
    if is_others_header(location, called):
        return None
    style, explode = _style(reading, value, location, at)
    return Parameter(
        name=called,
        location=cast("Location", location),
        required=location == "path" or flag(value.get("required")),
        schema=reading.pool.read(_described(value), at, needs),
        style=style,
        explode=explode,
        description=prose(value.get("description")),
        deprecated=flag(value.get("deprecated")),
        allow_empty=location == "query" and flag(value.get("allowEmptyValue")),
        example=value.get("x-example"),
    )


def read_body(
    reading: Reading, described: list[tuple[dict[str, Any], str]], operation: dict[str, Any], needs: set[str]
) -> Body | None:
    """The body that the parameters in `body` and `formData` describe; none without any."""
    bodies = [(value, at) for value, at in described if value.get("in") == "body"]
    fields = [(value, at) for value, at in described if value.get("in") == "formData"]
    consumes = _media_types(reading, operation, "consumes")
    if not bodies:
        return _form(reading, fields, consumes, needs) if fields else None
    also = _ranges(reading, operation)
    value, at = bodies[0]
    if fields:
        reading.notices.add("form parameters beside a body are left out", fields[0][1])
    schema = reading.pool.read(value.get("schema", {}), below(at, "schema"), needs)
    contents = tuple(Content(media_type, schema) for media_type in consumes or [_JSON])
    return Body(flag(value.get("required")), contents, prose(value.get("description")), also)


def read_response(
    reading: Reading, status: str, raw: Any, at: str, operation: dict[str, Any], needs: set[str]
) -> Response | None:
    """A Response Object; none, with a notice, where `status` is not one."""
    value, place = reading.resolver.follow(raw, at)
    described = mapping(value, "a response", place)
    known = read_status(reading, status, at)
    if known is None:
        return None
    examples = described.get("examples")
    by_type = examples if isinstance(examples, dict) else {}
    contents: tuple[Content, ...] = ()
    if "schema" in described:
        schema = reading.pool.read(described["schema"], below(place, "schema"), needs)
        produces = _media_types(reading, operation, "produces") or [_JSON]
        contents = tuple(Content(kind, schema, example=by_type.get(kind)) for kind in produces)
    return Response(known, prose(described.get("description")), contents)


def _described(value: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter; some documents write it as in OpenAPI 3."""
    return {"allOf": [value["schema"]]} if "schema" in value and "type" not in value else bare_schema(value)


def _style(reading: Reading, value: dict[str, Any], location: str, at: str) -> tuple[Style, bool]:
    collection = value.get("collectionFormat", "csv")
    default = cast("Style", STYLES[location][0])
    if value.get("type") != "array":
        return default, default == "form"
    if collection == "multi" and location == "query":
        return "form", True
    if collection in _FORMATS:
        return cast("Style", _FORMATS[collection]), False
    if collection != "csv":
        reading.notices.add("the collectionFormat is not one for this place: csv is taken", at)
    return default, False


def _media_types(reading: Reading, operation: dict[str, Any], field: str) -> list[str]:
    """The media types of the operation, or those of the document."""
    declared = words(operation[field] if field in operation else reading.root.get(field))
    wrong = [kind for kind in declared if not is_media_type(kind)]
    if wrong:
        reading.notices.add(f"`{wrong[0]}` is not a media type: left out", f"#/{field}")
    sendable = [kind for kind in declared if kind not in wrong and (field == "produces" or "*" not in kind)]
    return list(dict.fromkeys(sendable))


def _ranges(reading: Reading, operation: dict[str, Any]) -> tuple[str, ...]:
    """The ranges that the operation consumes; any media type where none is named."""
    declared = words(operation.get("consumes", reading.root.get("consumes")))
    return tuple(kind for kind in declared if "*" in kind and is_media_type(kind)) if declared else ("*/*",)


def _form(
    reading: Reading, fields: list[tuple[dict[str, Any], str]], consumes: list[str], needs: set[str]
) -> Body:
    members: dict[str, Schema] = {}
    required: list[str] = []
    encoding: dict[str, PropertyEncoding] = {}
    for value, at in fields:
        called = prose(value.get("name")).strip()
        schema = reading.pool.read(_described(value), at, needs)
        text = prose(value.get("description"))
        members[called] = {**schema, "description": text} if text else schema
        if flag(value.get("required")):
            required.append(called)
        if is_file(reading, value, at):
            encoding[called] = PropertyEncoding(binary=True)
        elif value.get("type") == "array":
            style, explode = _style(reading, value, "query", at)
            encoding[called] = PropertyEncoding(style=style, explode=explode)
    schema = {"type": "object", "properties": members}
    if required:
        schema["required"] = required
    files = any(described.binary for described in encoding.values())
    kinds = [kind for kind in consumes if is_form(kind) and not (files and kind.startswith(FORM))]
    # Where it names neither, a form without files may be either (Swagger 2.0, Parameter Object).
    also = () if kinds or files else (MULTIPART,)
    if not kinds:
        kinds = [MULTIPART if files else FORM]
    contents = tuple(Content(kind, schema, encoding) for kind in kinds)
    return Body(bool(required), contents, also=also)
