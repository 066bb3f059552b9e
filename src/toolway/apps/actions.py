"""The curated OpenAPI 3.1 document of an app, fit for GPT Actions and any other client that reads OpenAPI.

Shows the selected operations at the gateway and nothing else. `components` rewrites the schemas;
`actions_check` tells what ChatGPT cannot do with the result. Source: llm-clients requirements, section 2.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import yaml

from toolway.apps.access import guarded, scopes, security_scheme
from toolway.apps.actions_check import actions_problems
from toolway.apps.arguments import callers_parameters
from toolway.apps.components import MAX_DESCRIPTION, Components
from toolway.apps.media import best, concrete, kind_of
from toolway.apps.names import tool_names
from toolway.apps.text import clamp, tidy
from toolway.apps.tools import consequential, tool_description, tool_title

if TYPE_CHECKING:
    from collections.abc import Collection

    from toolway.apps.model import AppView, SelectedOperation
    from toolway.openapi.model import Body, Content, Parameter, Response

__all__ = ["actions_document", "actions_problems", "dump_json", "dump_yaml"]

MAX_OPERATION_TEXT = 299
"""Characters of a summary or description: ChatGPT refuses 300 and more."""

METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
"""What a Path Item Object of OpenAPI 3.1 has a field for."""

DEFAULT_STYLES = {"path": "simple", "query": "form"}


def actions_document(view: AppView, shown: Collection[str] | None = None) -> dict[str, Any]:
    """The document as plain data, in the order in which it should be printed.

    `shown` are the names of the tools that it tells of; none: of all.
    """
    components = Components()
    named = [
        (selected, name)
        for selected, name in zip(view.operations, tool_names(view), strict=True)
        if selected.operation.method in METHODS and (shown is None or name in shown)
    ]
    scheme = security_scheme(view) if any(guarded(view, selected) for selected, _ in named) else None
    paths: dict[str, dict[str, Any]] = {}
    for selected, name in named:
        path, fixed = _place(selected, paths)
        entry = _operation(components, selected, name, fixed)
        if scheme is None or not guarded(view, selected):
            entry["security"] = []
        paths.setdefault(path, {}).setdefault(selected.operation.method.lower(), entry)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": view.name_for_human,
            "description": view.description_for_model,
            "version": view.version,
        },
        "servers": [{"url": view.base_url}],
    }
    if scheme is not None:
        document["security"] = [{scheme[0]: scopes(view) if scheme[1]["type"] == "oauth2" else []}]
    document["paths"] = paths
    document["components"] = {"schemas": components.finish()}
    if scheme is not None:
        document["components"]["securitySchemes"] = {scheme[0]: scheme[1]}
    return document


def _place(
    selected: SelectedOperation, paths: dict[str, dict[str, Any]]
) -> tuple[str, list[tuple[str, str]]]:
    """The key in `paths` and the query that every call sends.

    A fixed query is shown as parameters with one value each. Where two operations differ in nothing but their
    query, the later one keeps it in its path, which is how their document had it.
    """
    query = selected.operation.fixed_query
    if query and selected.operation.method.lower() in paths.get(selected.path, {}):
        return f"{selected.path}?{query}", []
    return selected.path, parse_qsl(query, keep_blank_values=True)


def _operation(
    components: Components, selected: SelectedOperation, name: str, fixed: list[tuple[str, str]]
) -> dict[str, Any]:
    operation = selected.operation
    entry: dict[str, Any] = {
        "operationId": name,
        "summary": clamp(tool_title(selected), MAX_OPERATION_TEXT),
        "description": tool_description(selected, MAX_OPERATION_TEXT),
        "x-openai-isConsequential": consequential(selected),
    }
    if operation.deprecated:
        entry["deprecated"] = True
    parameters = [_fixed_parameter(key, value) for key, value in dict(fixed).items()]
    parameters += [
        _parameter(components, selected, parameter)
        for parameter in callers_parameters(selected)
        if parameter.location in DEFAULT_STYLES
    ]
    if parameters:
        entry["parameters"] = parameters
    content = best(operation.body.contents) if operation.body else None
    if operation.body and content:
        entry["requestBody"] = _body(components, selected, operation.body, content)
    entry["responses"] = {
        response.status: _response(components, selected, response) for response in operation.responses
    } or {"200": {"description": "Success."}}
    return entry


def _fixed_parameter(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": True, "schema": {"type": "string", "enum": [value]}}


def _parameter(components: Components, selected: SelectedOperation, parameter: Parameter) -> dict[str, Any]:
    schema = components.publish(selected, parameter.schema)
    described = tidy(parameter.description) or schema.pop("description", "")
    entry: dict[str, Any] = {"name": parameter.name, "in": parameter.location}
    if described:
        entry["description"] = clamp(described, MAX_DESCRIPTION)
    entry["required"] = parameter.required or parameter.location == "path"
    if parameter.deprecated:
        entry["deprecated"] = True
    if parameter.style == "tabDelimited":
        # OpenAPI 3.1 has no word for Swagger 2.0's tsv, so that the model writes the tabs.
        note = "Several values are separated by tabs."
        entry["description"] = clamp(f"{clamp(described, MAX_DESCRIPTION - 50)} {note}", MAX_DESCRIPTION)
        return {**entry, "schema": {"type": "string"}}
    if parameter.media_type is not None:
        return {**entry, "content": {parameter.media_type: {"schema": schema}}}
    if parameter.style != DEFAULT_STYLES[parameter.location]:
        entry["style"] = parameter.style
    if parameter.explode != (parameter.style == "form"):
        entry["explode"] = parameter.explode
    if parameter.allow_reserved and parameter.location == "query":
        entry["allowReserved"] = True
    entry["schema"] = schema
    if parameter.example is not None:
        entry["example"] = parameter.example
    return entry


def _body(
    components: Components, selected: SelectedOperation, body: Body, content: Content
) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if tidy(body.description):
        entry["description"] = clamp(body.description, MAX_DESCRIPTION)
    entry["required"] = body.required
    media: dict[str, Any] = {"schema": _content_schema(components, selected, content)}
    if content.example is not None:
        media["example"] = content.example
    encoding = {
        name: written
        for name, property_encoding in content.encoding.items()
        if (
            written := {
                key: value
                for key, value in (
                    ("contentType", property_encoding.content_type),
                    ("style", property_encoding.style),
                    ("explode", property_encoding.explode),
                )
                if value is not None and value != "tabDelimited"
            }
        )
    }
    if encoding and kind_of(content) in ("form", "multipart"):
        media["encoding"] = encoding
    return {**entry, "content": {concrete(content): media}}


def _content_schema(components: Components, selected: SelectedOperation, content: Content) -> dict[str, Any]:
    kind = kind_of(content)
    if kind == "binary":
        return {"type": "string", "format": "binary"}
    if kind == "text":
        return {"type": "string"}
    # A body of which nothing is said is most likely an object, and must be one for ChatGPT to fill it in.
    return components.publish(selected, content.schema or {"type": "object"})


def _response(components: Components, selected: SelectedOperation, response: Response) -> dict[str, Any]:
    """Only successful responses show their content: the rest is for the model to read when it comes."""
    successful = response.status.startswith("2") or response.status == "default"
    described = clamp(response.description, MAX_OPERATION_TEXT)
    entry: dict[str, Any] = {"description": described or ("Success." if successful else "Failure.")}
    content = best(response.contents)
    if content and content.schema and response.status.startswith("2"):
        entry["content"] = {content.media_type: {"schema": _content_schema(components, selected, content)}}
    return entry


def dump_json(document: dict[str, Any]) -> str:
    """`document` as JSON text, indented, ending with a line feed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def dump_yaml(document: dict[str, Any]) -> str:
    """`document` as YAML that means the same to readers of YAML 1.1 and 1.2, without anchors."""
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )


class _Dumper(yaml.SafeDumper):
    """Writes equal values out each time, and quotes strings that YAML 1.2 reads as something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


NUMBER_IN_YAML = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")
"""YAML 1.2.2 section 10.3.2; PyYAML follows 1.1, where `1e3` and `0o17` are strings."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "'" if NUMBER_IN_YAML.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
