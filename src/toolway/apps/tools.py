"""MCP tools: each selected operation as the entry of tools/list and the request that a call becomes.

Everything is computed here, once per snapshot, so that the engine only serves it. The result is the
snapshot's `Tool`, field by field. Facts: llm-clients requirements section 3; MCP 2025-11-25 and 2026-07-28,
server/tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from toolway.apps.access import tool_security
from toolway.apps.arguments import Arguments, arguments
from toolway.apps.inputs import clean_input
from toolway.apps.media import accept
from toolway.apps.names import former_names, tool_names
from toolway.apps.schema import bundle
from toolway.apps.text import clamp, phrase, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.apps.model import AppView, SelectedOperation
    from toolway.openapi.model import Schema

MAX_DESCRIPTION = 1024
"""Characters of a tool's description; the limit of OpenAI's function tools, kept for all clients."""

MAX_TITLE = 80

MAX_SCHEMA_DEPTH = 32
"""Levels of an input schema, so that no client meets one that it cannot walk."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110 section 9.2.1."""

IDEMPOTENT_METHODS = SAFE_METHODS | {"PUT", "DELETE"}
"""RFC 9110 section 9.2.2."""


def mcp_tools(view: AppView) -> list[dict[str, Any]]:
    """The app's tools as snapshot `Tool` objects, in the order of its operations."""
    names = tool_names(view)
    aliases = former_names(view.operations, names)
    shared: dict[int, dict[str, Schema]] = {}
    tools = []
    for selected, name, former in zip(view.operations, names, aliases, strict=True):
        schemas = shared.get(id(selected.document))
        if schemas is None:
            schemas = shared[id(selected.document)] = _input_schemas(selected.document.schemas)
        made = arguments(selected)
        tools.append(
            {
                "name": name,
                "aliases": list(former),
                "route": selected.route_id,
                **({"roles": [list(rule) for rule in selected.roles]} if selected.roles else {}),
                "definition": _definition(view, selected, name, input_schema(made, schemas)),
                "request": _request(view, selected, made),
            }
        )
    return tools


def _input_schemas(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    return {name: clean_input(schema, schemas) for name, schema in schemas.items()}


def input_schema(made: Arguments, schemas: Mapping[str, Schema]) -> Schema:
    """The inputSchema for `made`, a closed object. `schemas` are the document's, as cleaned inputs."""
    if not made.properties:
        return {"type": "object", "additionalProperties": False}
    schema: Schema = {"type": "object"}
    if made.description:
        schema["description"] = made.description
    schema["properties"] = made.properties
    if made.required:
        schema["required"] = made.required
    schema["additionalProperties"] = False
    return bundle(schema, schemas, max_depth=MAX_SCHEMA_DEPTH)


def _definition(view: AppView, selected: SelectedOperation, name: str, schema: Schema) -> dict[str, Any]:
    title = tool_title(selected)
    definition: dict[str, Any] = {
        "name": name,
        "title": title,
        "description": tool_description(selected),
        "inputSchema": schema,
        "annotations": {"title": title, **_hints(selected)},
    }
    security = tool_security(view, selected)
    if security is not None:
        definition["securitySchemes"] = security
        definition["_meta"] = {"securitySchemes": security}
    return definition


def tool_title(selected: SelectedOperation) -> str:
    """A title for people: the operation's summary, or its id in words."""
    operation = selected.operation
    summary = " ".join(operation.summary.split()).rstrip(".")
    return clamp(summary or phrase(selected.tool.name or operation.source_id or operation.id), MAX_TITLE)


def tool_description(selected: SelectedOperation, limit: int = MAX_DESCRIPTION) -> str:
    """What the tool does, configured or by the document; never empty, at most `limit` characters."""
    operation = selected.operation
    if selected.tool.description and tidy(selected.tool.description):
        return clamp(selected.tool.description, limit)
    summary, description = tidy(operation.summary), tidy(operation.description)
    if description.casefold().startswith(summary.rstrip(".").casefold()):
        summary = ""
    if summary and description and summary[-1] not in ".!?:":
        summary += "."
    text = "\n".join(part for part in (summary, description) if part)
    if not text:
        text = f"{tool_title(selected)} ({operation.method} {operation.path})."
    return clamp(f"Deprecated. {text}" if operation.deprecated else text, limit)


def consequential(selected: SelectedOperation) -> bool:
    """Whether a call changes something: by configuration, else by the document, else by the method."""
    for said in (selected.tool.consequential, selected.operation.consequential):
        if said is not None:
            return said
    return selected.operation.method not in ("GET", "HEAD")


def _hints(selected: SelectedOperation) -> dict[str, bool]:
    """The four hints, all explicit. An unsafe method without consequences is still not read-only."""
    method, changes = selected.operation.method, consequential(selected)
    return {
        "readOnlyHint": method in SAFE_METHODS and not (changes and method in ("GET", "HEAD")),
        "destructiveHint": changes and method not in ("OPTIONS", "TRACE"),
        "idempotentHint": method in IDEMPOTENT_METHODS,
        # The upstreams are services of their own, whose contents change without the client's doing.
        "openWorldHint": True,
    }


def _request(view: AppView, selected: SelectedOperation, made: Arguments) -> dict[str, Any]:
    operation = selected.operation
    query = f"?{operation.fixed_query}" if operation.fixed_query else ""
    return {
        "method": operation.method,
        "host": urlsplit(view.base_url).netloc.rpartition("@")[2],
        "path": selected.path + query,
        "parameters": made.parameters,
        "body": made.body,
        "accept": accept(operation),
    }
