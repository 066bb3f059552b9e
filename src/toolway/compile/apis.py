"""Apis: each operation of a document becomes a route `<api id>:<operation id>`.

The route's uri is the api's prefix and the operation's path; the upstream gets the base path of the
document's server instead of the prefix. Plugins, roles and tool settings come from the patterns under
`operations` that match.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from toolway.apps.model import ToolSettings
from toolway.compile.precedence import Merged, merged
from toolway.compile.shapes import Shapes, is_constrained
from toolway.compile.upstreams import Server, Upstreams, server_of
from toolway.config.errors import near
from toolway.config.source import pointer_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.compile.draft import Draft
    from toolway.config.models import Api, OperationSettings, Plugins
    from toolway.openapi.model import Document, Operation

ORDER = 1
"""Operations come after the user's own routes where nothing else decides."""

VALIDATOR = "oas-validator"

_TEMPLATE = re.compile(r"(\{[^{}]*\})")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_METHOD_AND_PATH = re.compile(r"(?P<method>[A-Za-z]+)\s+(?P<path>/.*)")


def add_api(draft: Draft, upstreams: Upstreams, api: Api, document: Document) -> None:
    """Adds a route for each operation of `document`."""
    _report(draft, api, document)
    base = _Base(draft, upstreams, api, document)
    shapes = Shapes(document)
    shown: dict[str, dict[str, Any]] = {}
    preflighted = {operation.path for operation in document.operations if operation.method == "OPTIONS"}
    for operation in document.operations:
        found = plugins_of(api, operation)
        roles = roles_of(api, operation)
        methods = [operation.method]
        # A browser asks with OPTIONS first; where the operation has cors, its route answers that as well.
        if "cors" in found.plugins and operation.path not in preflighted:
            methods.append("OPTIONS")
        shown[operation.id] = shapes.of(operation, path_of(api, operation))
        plugins = _with_shape(found.plugins, api, operation, shapes, shown[operation.id])
        identifier, add_prefix = base.target(operation)
        route = {
            "id": f"{api.id}:{operation.id}",
            "name": operation.summary or None,
            "uris": [path_of(api, operation)],
            "hosts": [],
            "methods": methods,
            "priority": 0,
            "order": ORDER,
            "service": None,
            "api": api.id,
            "operation": operation.id,
            **({} if roles is None else {"roles": list(roles)}),
            "plugins": plugins,
            "target": {"upstream": {"id": identifier, "strip_prefix": api.prefix, "add_prefix": add_prefix}},
        }
        origins = {name: origin for name, origin in found.origins.items() if name in plugins}
        draft.add("routes", route, api.pointer, origins)
    entry = {"id": api.id, "schemas": shapes.schemas(), "operations": shown}
    draft.add("apis", entry, api.pointer)


def _with_shape(
    plugins: dict[str, dict[str, Any]],
    api: Api,
    operation: Operation,
    shapes: Shapes,
    shape: dict[str, Any],
) -> dict[str, dict[str, Any]]:
    """`plugins` with `oas-validator` as it holds for the operation, where it is on and has anything to do."""
    kept = {name: settings for name, settings in plugins.items() if name != VALIDATOR}
    settings = plugins.get(VALIDATOR, {"mode": "off"})
    if settings.get("unknown_query") == "refuse" and shapes.has_free_query(operation):
        settings = {**settings, "unknown_query": "allow"}
    is_needed = is_constrained(shape) or settings.get("unknown_query") == "refuse"
    if settings.get("mode") == "off" or not is_needed:
        return kept
    kept[VALIDATOR] = {**settings, "api": api.id, "operation": operation.id}
    return dict(sorted(kept.items()))


def path_of(api: Api, operation: Operation) -> str:
    """The operation's path at the gateway, with `{name}` for parameters.

    What would be a pattern there and is plain text in the document is percent-encoded: a `*`, a `:` that
    begins a segment, a `%` that begins no encoding.
    """
    pieces = _TEMPLATE.split(operation.path)
    # The odd pieces are the templates.
    pieces[::2] = [
        _STRAY_PERCENT.sub("%25", piece).replace("*", "%2A").replace("/:", "/%3A") for piece in pieces[::2]
    ]
    return api.prefix + "".join(pieces)


def plugins_of(api: Api, operation: Operation) -> Merged:
    """The plugins that hold for `operation`; its requests are held against the document unless something else
    is said.
    """
    layers: list[tuple[Plugins, str]] = [({VALIDATOR: {}}, f"{api.pointer}/plugins")]
    layers.append((api.plugins, f"{api.pointer}/plugins"))
    layers += [
        (settings.plugins, f"{api.pointer}/operations{pointer_to(pattern)}/plugins")
        for pattern, settings in _matching(api, operation)
    ]
    return merged(layers)


def tool_of(api: Api, operation: Operation) -> ToolSettings:
    """What the api says of `operation` as a tool; a later pattern wins, field by field."""
    said: dict[str, Any] = {}
    for _, settings in _matching(api, operation):
        said |= settings.tool.model_dump(exclude_none=True)
    return ToolSettings(**said)


def roles_of(api: Api, operation: Operation) -> tuple[str, ...] | None:
    """The roles of which a caller needs one, by the last pattern that says any; none: any caller."""
    said = [settings.roles for _, settings in _matching(api, operation) if settings.roles is not None]
    return tuple(said[-1]) if said else None


def _matching(api: Api, operation: Operation) -> Iterator[tuple[str, OperationSettings]]:
    return (
        (pattern, settings) for pattern, settings in api.operations.items() if _matches(pattern, operation)
    )


def _matches(pattern: str, operation: Operation) -> bool:
    place = _METHOD_AND_PATH.fullmatch(pattern)
    if place is not None:
        return place["method"].upper() == operation.method and fnmatchcase(operation.path, place["path"])
    return any(fnmatchcase(name, pattern) for name in (operation.id, operation.source_id) if name)


def _report(draft: Draft, api: Api, document: Document) -> None:
    """Patterns without an operation, operations that were set aside, names given to several tools."""
    for pattern, settings in api.operations.items():
        matched = [operation for operation in document.operations if _matches(pattern, operation)]
        at = f"{api.pointer}/operations{pointer_to(pattern)}"
        if not matched:
            names = [operation.id for operation in document.operations]
            places = [f"{operation.method} {operation.path}" for operation in document.operations]
            hint = near(pattern, places if " " in pattern else names)
            message = f'no operation of the api "{api.id}" matches "{pattern}"'
            draft.problem("unmatched-operation", message, at, hint=hint, at_key=True)
        if settings.tool.name is not None and len(matched) > 1:
            message = f'one name is given to the {len(matched)} operations that "{pattern}" matches'
            draft.problem("wrong-value", message, f"{at}/tool/name", hint="name one operation in each entry")
    for aside in document.set_aside:
        message = f"{aside.operation} was set aside: {aside.reason} (at {aside.at})"
        draft.warn("operation-set-aside", message, f"{api.pointer}/spec")


class _Base:
    """Where the operations of one api go."""

    def __init__(self, draft: Draft, upstreams: Upstreams, api: Api, document: Document) -> None:
        self._draft = draft
        self._upstreams = upstreams
        self._api = api
        self._server = server_of(document.servers[0]) if document.servers else None
        self._is_configured = api.upstream is not None or api.upstream_id is not None
        self._base_path = document.base_path
        if self._server is not None and not self._is_configured:
            self._base_path = self._server.base_path
        self._identifier = self._own(document)

    def target(self, operation: Operation) -> tuple[str, str]:
        """The upstream's id and the base path there. A configured upstream takes every operation."""
        if not operation.servers:
            return self._identifier, self._base_path
        server = server_of(operation.servers[0])
        if server is None:
            if not self._is_configured:
                where = f"{operation.method} {operation.path}"
                message = f"the server of {where} is not an absolute http or https URL"
                self._draft.problem("api-without-server", message, f"{self._api.pointer}/spec")
            return self._identifier, self._base_path
        return self._identifier if self._is_configured else self._other(server), server.base_path

    def _own(self, document: Document) -> str:
        api = self._api
        if api.upstream is not None:
            return self._upstreams.add(f"api:{api.id}", api.upstream, f"{api.pointer}/upstream")
        if api.upstream_id is not None:
            return api.upstream_id
        if self._server is not None:
            return self._upstreams.add_server(f"api:{api.id}", self._server, f"{api.pointer}/spec")
        # Operations may all have servers of their own; then the document needs none.
        if any(not operation.servers for operation in document.operations):
            message = f"the api {api.id} has no upstream, and its document no absolute http or https server"
            hint = "set upstream or upstream_id"
            self._draft.problem("api-without-server", message, f"{api.pointer}/spec", hint=hint)
        return f"api:{api.id}"

    def _other(self, server: Server) -> str:
        """The upstream of an operation's own server, which may be the document's with another path."""
        first = self._server
        if first is not None and replace(server, base_path=first.base_path) == first:
            return self._identifier
        identifier = f"api:{self._api.id}:{server.scheme}:{server.host}:{server.port}"
        return self._upstreams.add_server(identifier, server, f"{self._api.pointer}/spec")
