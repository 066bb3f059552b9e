"""One operation's arguments: its parameters and body as the flat properties of one object, and the way back.

Decides the names, what is required and which media type a body has. `tools` wraps the result in a tool; the
engine turns arguments into a request by the `parameters` and `body` made here (snapshot `ToolRequest`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolway.apps.inputs import clean_input, is_read_only
from toolway.apps.media import best, concrete, kind_of
from toolway.apps.names import argument_name, numbered
from toolway.apps.objects import plain_object, without_null
from toolway.apps.schema import resolve, types_of
from toolway.apps.text import tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.apps.model import SelectedOperation
    from toolway.openapi.model import (
        Content,
        Document,
        Operation,
        Parameter,
        PropertyEncoding,
        Schema,
    )

BODY_ARGUMENT = "body"

BASE64: Schema = {"type": "string", "contentEncoding": "base64"}

HEADERS_NOT_FOR_CALLERS = frozenset(
    {
        "accept",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Header parameters that OpenAPI 3.1 ignores (section 4.8.12), and those that frame or route a message."""


@dataclass(slots=True)
class Arguments:
    """What a tool takes. `properties` and `required` are not yet bundled: references are the document's."""

    properties: dict[str, Schema] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    description: str = ""
    """Of a body whose properties are arguments of their own."""
    parameters: list[dict[str, Any]] = field(default_factory=list)
    """Snapshot `Parameter` objects."""
    body: dict[str, Any] | None = None
    """A snapshot `ToolBody` object."""

    def taken(self) -> set[str]:
        """The casefolded names of the arguments so far."""
        return {name.casefold() for name in self.properties}

    def add(self, name: str, schema: Schema, *, required: bool) -> None:
        self.properties[name] = schema
        if required:
            self.required.append(name)


def arguments(selected: SelectedOperation) -> Arguments:
    """The arguments of an operation.

    Parameters keep their names; those of several locations that share a name, in whatever letter case, get
    the location in front (`query_id`). A body that is a plain object gives each property as an argument,
    unless a name would be used twice; any other body is the one argument `body`.
    """
    made = Arguments()
    _add_parameters(made, selected)
    body = selected.operation.body
    content = best(body.contents) if body else None
    if body and content:
        _add_body(made, selected, content)
    return made


def callers_parameters(selected: SelectedOperation) -> list[Parameter]:
    """The parameters that are a caller's to give: without credentials and what frames the message."""
    credentials = {name.lower() for name in selected.credential_headers}
    return [
        parameter
        for parameter in open_parameters(selected.operation, selected.document)
        if parameter.location != "header" or parameter.name.lower() not in credentials
    ]


def open_parameters(operation: Operation, document: Document) -> list[Parameter]:
    """The parameters that are neither credentials nor frame the message.

    One that the document also declares as an API key (Security Scheme Object) is the upstream's credential,
    which no model should be asked for.
    """
    keys = {
        (scheme.get("in"), str(scheme.get("name")).lower())
        for scheme in document.security_schemes.values()
        if scheme.get("type") == "apiKey"
    }
    return [
        parameter
        for parameter in operation.parameters
        if (parameter.location != "header" or parameter.name.lower() not in HEADERS_NOT_FOR_CALLERS)
        and (parameter.location, parameter.name.lower()) not in keys
    ]


def _add_parameters(made: Arguments, selected: SelectedOperation) -> None:
    parameters = callers_parameters(selected)
    names = [argument_name(parameter.name) for parameter in parameters]
    counts = Counter(name.casefold() for name in names)
    reserved = {BODY_ARGUMENT} if selected.operation.body else set()
    for name, parameter in zip(names, parameters, strict=True):
        if counts[name.casefold()] > 1 or name.casefold() in reserved:
            name = argument_name(f"{parameter.location}_{name}")
        name = numbered(name, made.taken())
        schema = _parameter_schema(parameter, selected.document.schemas)
        made.add(name, schema, required=parameter.required or parameter.location == "path")
        made.parameters.append(
            {
                "argument": name,
                "in": parameter.location,
                "name": parameter.name,
                "style": parameter.style,
                "explode": parameter.explode,
                "allow_reserved": parameter.allow_reserved,
                "media_type": parameter.media_type,
            }
        )


def _parameter_schema(parameter: Parameter, schemas: Mapping[str, Schema]) -> Schema:
    schema = annotated(clean_input(parameter.schema, schemas), parameter.description, parameter.example)
    if parameter.deprecated:
        schema["deprecated"] = True
    return schema


def annotated(schema: Schema, description: str, example: Any) -> Schema:
    """`schema` with the description of what carries it, if any, and an example where it has none."""
    schema = dict(schema)
    if tidy(description):
        schema["description"] = tidy(description)
    if example is not None and "examples" not in schema:
        schema["examples"] = [example]
    return schema


def _add_body(made: Arguments, selected: SelectedOperation, content: Content) -> None:
    kind = kind_of(content)
    made.body = {
        "media_type": concrete(content),
        "arguments": {},
        "encoding": {name: _encoding(encoding) for name, encoding in content.encoding.items()},
        "binary": kind == "binary",
    }
    properties = (
        None if kind in ("text", "binary") else plain_object(content.schema, selected.document.schemas)
    )
    if properties is None or not _add_properties(made, selected, content, properties):
        _add_whole_body(made, selected, content)


def _add_properties(made: Arguments, selected: SelectedOperation, content: Content, plain: Schema) -> bool:
    """Gives each property of the body as an argument; does nothing and is false where names clash."""
    body, schemas = selected.operation.body, selected.document.schemas
    shown = {
        name: schema for name, schema in plain["properties"].items() if not is_read_only(schema, schemas)
    }
    names = {name: argument_name(name) for name in shown}
    folded = [name.casefold() for name in names.values()]
    if (
        body is None
        or made.body is None
        or len(set(folded)) < len(folded)
        or made.taken().intersection(folded)
    ):
        return False
    examples = content.example if isinstance(content.example, dict) else {}
    for name, schema in shown.items():
        cleaned = clean_input(schema, schemas) if isinstance(schema, dict) else {}
        if name in content.encoding and content.encoding[name].binary:
            cleaned = as_base64(cleaned, schemas)
        made.add(
            names[name],
            annotated(cleaned, "", examples.get(name)),
            # What an optional body requires is only required once there is a body.
            required=body.required and name in plain["required"],
        )
    made.description = tidy(body.description)
    made.body["arguments"] = {
        "properties": [{"argument": argument, "name": name} for name, argument in names.items()]
    }
    return True


def _add_whole_body(made: Arguments, selected: SelectedOperation, content: Content) -> None:
    body, schemas = selected.operation.body, selected.document.schemas
    if body is None or made.body is None:
        return
    kind = kind_of(content)
    schema = clean_input(content.schema, schemas)
    if kind == "binary":
        schema = as_base64(schema, schemas)
    elif kind == "text" and "string" not in types_of(resolve(schema, schemas)):
        schema = {"type": "string", "description": f"Text in the format {concrete(content)}."}
    elif kind in ("form", "multipart"):
        schema = _with_files(schema, content, schemas)
    name = numbered(BODY_ARGUMENT, made.taken())
    made.add(name, annotated(schema, body.description, content.example), required=body.required)
    made.body["arguments"] = {"whole": name}


def _with_files(schema: Schema, content: Content, schemas: Mapping[str, Schema]) -> Schema:
    """A form's schema in which the properties that are files are base64."""
    files = {name for name, encoding in content.encoding.items() if encoding.binary}
    own = resolve(schema, schemas)
    if not files.intersection(own.get("properties", {})):
        return schema
    properties = {
        name: as_base64(part, schemas) if name in files and isinstance(part, dict) else part
        for name, part in own["properties"].items()
    }
    return {**own, "properties": properties}


def as_base64(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """The schema of bytes in base64, or of a list of such, with the description that `schema` has."""
    own = without_null(resolve(schema, schemas))
    described = {"description": own["description"]} if own.get("description") else {"description": "Base64."}
    if "array" in types_of(own):
        return {"type": "array", "items": dict(BASE64), **described}
    return {**BASE64, **described}


def _encoding(encoding: PropertyEncoding) -> dict[str, Any]:
    return {
        "style": encoding.style,
        "explode": encoding.explode,
        "content_type": encoding.content_type,
        "binary": encoding.binary,
        "headers": dict(encoding.headers),
    }
