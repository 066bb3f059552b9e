"""The OpenAPI 3.1 document of the Admin API, made of the table of operations and the schemas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from toolway.admin.resources import PREFIX, RESOURCES
from toolway.admin.schemas import Schemas
from toolway.admin.shapes import SHAPES
from toolway.admin.table import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolway.admin.operation import Operation, Parameter

_COMPONENTS = "#/components/schemas"
_EVERYWHERE = {
    401: "The key is missing or wrong, or a viewer's key cannot do this.",
    403: "The Host is not one of the Admin API.",
    429: "Too many wrong keys came from this address.",
    503: "The store cannot be used now.",
}
_REFUSALS = {
    400: "It is refused as a whole, with every reason; nothing has changed.",
    404: "There is no such thing.",
    405: "This gateway reads its configuration from a file and is read-only.",
    408: "The body did not come in time.",
    409: "The resource is not what the condition says, or others wrote it meanwhile.",
    413: "The body is too large.",
}
_ABOUT_CREDENTIAL = {
    "key_hint": {"type": "string", "description": "The end of an API key."},
    "last_used_at": {
        "type": "integer",
        "description": "When it was last used at this gateway, in seconds since 1970, to the minute; absent: "
        "not since the gateway was started.",
    },
}
_PART = re.compile(r"\{(\w+)\}")


def document(plugin_schemas: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The whole document, as JSON data."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations():
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    own = {
        "operationId": "get_document",
        "summary": "Get this document.",
        "tags": ["schema"],
        "responses": {
            "200": _content("The document.", {"type": "object"}),
            **{str(status): _refusal(text) for status, text in _EVERYWHERE.items()},
        },
    }
    paths[f"{PREFIX}/openapi.json"] = {"get": own}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Toolway Admin API",
            "version": version,
            "description": "Looks at a gateway and changes it while it serves, as Apache APISIX's does.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": name} for name in dict.fromkeys(each.tag for each in operations())],
        "paths": paths,
        "components": {
            "schemas": _schemas(plugin_schemas),
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-KEY"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {
            str(status): _content(text, schema) for status, (text, schema) in operation.answers.items()
        },
    }
    if operation.id == "export_app":
        found["responses"]["200"]["content"]["application/yaml"] = {"schema": {}}
    parameters = [*_path_parameters(operation), *map(_parameter, operation.parameters)]
    if parameters:
        found["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": dict(operation.body)}}
        found["requestBody"] = {"required": operation.body_required, "content": content}
    refusals = {status: _REFUSALS[status] for status in operation.refusals}
    if operation.writes:
        refusals[405] = _REFUSALS[405]
    refusals |= {408: _REFUSALS[408], 413: _REFUSALS[413]}
    for status, text in sorted({**_EVERYWHERE, **refusals}.items()):
        found["responses"][str(status)] = _refusal(text)
    return found


def _path_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name in _PART.findall(operation.path):
        pattern = operation.patterns.get(name)
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        if pattern is not None:
            schema = {"type": "string", "pattern": f"^{pattern}$"}
        elif name == "path":
            schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }


def _content(text: str, schema: Any) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": dict(schema or {})}}}


def _refusal(text: str) -> dict[str, Any]:
    return _content(text, {"$ref": f"{_COMPONENTS}/Refusal"})


def _schemas(plugin_schemas: Mapping[str, Any]) -> dict[str, Any]:
    schemas = Schemas(plugin_schemas, _COMPONENTS)
    found: dict[str, Any] = {**schemas.all, **SHAPES}
    for name, kind in RESOURCES.items():
        own = schemas.of_kind(name)
        found[f"{name}.write"] = schemas.written(name, with_id=False)
        found[f"{name}.write_id"] = schemas.written(name, with_id=True)
        found[f"{name}.one"] = {
            "type": "object",
            "properties": {
                "key": {"type": "string", "description": f"As in APISIX: `{kind.key('...')}`."},
                "value": own,
                "createdIndex": {"type": "integer", "description": "The revision that made it."},
                "modifiedIndex": {"type": "integer", "description": "The revision that wrote it last."},
                **(_ABOUT_CREDENTIAL if name == "credentials" else {}),
            },
            "required": ["key", "value", "createdIndex", "modifiedIndex"],
            "additionalProperties": False,
        }
        found[f"{name}.list"] = {
            "type": "object",
            "properties": {
                "total": {"type": "integer"},
                "list": {"type": "array", "items": {"$ref": f"{_COMPONENTS}/{name}.one"}},
            },
            "required": ["total", "list"],
            "additionalProperties": False,
        }
    return found
