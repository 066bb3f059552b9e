"""Apis: imported OpenAPI documents, each with its upstream and what holds for its operations."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, StringConstraints, Tag

from toolway.config.models.base import Identifier, Model, Plugins, Resource, Roles, matching
from toolway.config.models.upstream import InlineUpstream


def _shape(value: Any) -> str | None:
    return "text" if isinstance(value, str) else "mapping" if isinstance(value, dict) else None


Spec = Annotated[
    Annotated[str, StringConstraints(min_length=1), Tag("text")] | Annotated[dict[str, Any], Tag("mapping")],
    Discriminator(
        _shape,
        custom_error_type="wrong-type",
        custom_error_message="expected the path or URL of an OpenAPI document, or the document itself",
    ),
]


Prefix = Annotated[
    str, matching(r"((/[A-Za-z0-9._~-]+)+)?", "a path without a slash at its end", 'such as "/shop"')
]
ToolName = Annotated[str, matching(r"[A-Za-z0-9_-]{1,64}", "at most 64 letters, digits, - and _")]


class OperationTool(Model):
    """What models are told of an operation instead of the document's words."""

    name: ToolName | None = None
    description: str | None = None
    consequential: bool | None = None
    """Whether a call changes something, so that the client asks its user first."""


class OperationSettings(Model):
    """What holds for the operations that a pattern matches."""

    plugins: Plugins = Field(default_factory=dict)
    tool: OperationTool = OperationTool()
    roles: Roles | None = None
    """Of which a caller needs one, over HTTP and as a tool. None: any caller; empty: nobody may call."""


class Api(Resource):
    """An OpenAPI document; each of its operations becomes a route `<api id>:<operation id>`."""

    id: Identifier
    spec: Spec
    """A path relative to the file, a URL, or the document itself."""
    prefix: Prefix = ""
    """Put before the document's paths at the gateway; never sent to the upstream."""
    upstream: InlineUpstream | None = None
    upstream_id: Identifier | None = None
    """Without an upstream: the document's first server."""
    plugins: Plugins = Field(default_factory=dict)
    operations: dict[str, OperationSettings] = Field(default_factory=dict)
    """By pattern: a glob over operation ids, or `METHOD /path` as in the document. Later patterns win."""
