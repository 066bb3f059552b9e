"""Publishing: an app's files and its MCP endpoint as routes of the snapshot, and the app as the engine serves
it.

Each app is at its host, the first one at any other host too, and every one under `/apps/<id>/`. The routes
are below all others in priority, so that a user's own route at the same uri wins.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from toolway.apps import actions, logo, manifest, tools
from toolway.apps.names import tool_names
from toolway.apps.variants import asks_for_roles, variants
from toolway.compile import protected
from toolway.compile.precedence import merged
from toolway.compile.views import hosts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolway.apps.model import AppView
    from toolway.compile.draft import Draft
    from toolway.config.models import App

PRIORITY = -1000
ORDER = 2
"""What apps publish comes after operations where nothing else decides."""

_CHATGPT = ("https://chat.openai.com", "https://chatgpt.com")
_CLAUDE = "https://claude.ai"
_CORS = {
    "allow_origins": ",".join(_CHATGPT),
    "allow_methods": "GET,HEAD,OPTIONS",
    "allow_headers": "Content-Type,Authorization,openai-conversation-id,openai-ephemeral-user-id",
    "max_age": 600,
    "allow_credential": False,
    "allow_private_network": True,
}
"""What a browser on ChatGPT's pages needs to read the files (llm-clients requirements, section 1)."""

_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def image_type(image: bytes) -> str | None:
    """The media type of a PNG, JPEG or SVG image; none for anything else."""
    for signature, media_type in _SIGNATURES:
        if image.startswith(signature):
            return media_type
    return "image/svg+xml" if b"<svg" in image[:1024] else None


def add_app(draft: Draft, app: App, view: AppView, image: bytes | None) -> None:
    """Adds the app and its routes; `image` is its logo, none: one is made from its name."""
    draft.add("apps", _app(app, view), app.pointer)
    shared = _shared_files(view, image or logo.logo(view.name_for_human))
    for suffix, prefix, hosts in _copies(draft, app):
        copy = replace(view, path_prefix=prefix)
        files = {"/.well-known/ai-plugin.json": _json(manifest.manifest(copy)), **shared}
        for path, target in files.items():
            name = path.rpartition("/")[2]
            draft.add("routes", _route(app, name + suffix, [prefix + path], hosts, target), app.pointer)
        _add_endpoint(draft, app, view, (suffix, prefix, hosts))


def _add_endpoint(draft: Draft, app: App, view: AppView, copy: tuple[str, str, list[str]]) -> None:
    """Adds the route of the MCP endpoint, and where it asks for tokens that of its metadata."""
    suffix, prefix, hosts = copy
    uri = f"{prefix}/mcp"
    found = merged([(app.plugins, f"{app.pointer}/plugins")])
    plugins = found.plugins
    metadata = protected.metadata(plugins, view.base_url + uri)
    if metadata is not None:
        place = protected.WELL_KNOWN + uri
        plugins = protected.leading_to(view.base_url + place, plugins)
        uris = [place] if prefix else [protected.WELL_KNOWN, place]
        route = _route(app, "oauth-protected-resource" + suffix, uris, hosts, _json(metadata))
        draft.add("routes", route, app.pointer)
    route = _route(app, "mcp" + suffix, [uri], hosts, {"mcp": {"app": app.id}})
    draft.add("routes", {**route, "plugins": plugins}, app.pointer, found.origins)


def _copies(draft: Draft, app: App) -> Iterator[tuple[str, str, list[str]]]:
    """Where the app is: the end of the routes' ids, the prefix of their paths, their hosts."""
    if app.id == draft.main_app:
        yield "", "", []
    if hosts := hosts_of(app):
        yield ":host", "", hosts
    yield ":path", f"/apps/{app.id}", []


def _shared_files(view: AppView, image: bytes) -> dict[str, dict[str, Any]]:
    """The files that are the same in every copy: targets by path."""
    return {
        "/openapi.yaml": _document(view, "application/yaml", actions.dump_yaml),
        "/openapi.json": _document(view, "application/json", actions.dump_json),
        "/logo.png": _response(
            image_type(image) or "application/octet-stream", body_base64=base64.b64encode(image).decode()
        ),
    }


def _document(view: AppView, media_type: str, dump: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    """The document for GPT Actions: one for all callers, or for each what it may call."""
    if not asks_for_roles(view):
        return _response(media_type, body=dump(actions.actions_document(view)))
    guarded = {
        name: selected
        for selected, name in zip(view.operations, tool_names(view), strict=True)
        if selected.roles
    }
    headers = {"content-type": media_type, "cache-control": "private"}
    credentials = [header.lower() for selected in guarded.values() for header in selected.credential_headers]
    if credentials:
        headers["vary"] = ", ".join(dict.fromkeys(credentials))
    shown = [
        {"tools": sorted(names & guarded.keys()), "body": dump(actions.actions_document(view, names))}
        for names in variants(view)
    ]
    return {"document": {"app": view.id, "headers": headers, "variants": shown}}


def _json(document: dict[str, Any]) -> dict[str, Any]:
    return _response("application/json", body=json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def _response(media_type: str, *, body: str | None = None, body_base64: str | None = None) -> dict[str, Any]:
    headers = {"content-type": media_type}
    return {"static": {"status": 200, "headers": headers, "body": body, "body_base64": body_base64}}


def _route(app: App, name: str, uris: list[str], hosts: list[str], target: dict[str, Any]) -> dict[str, Any]:
    is_file = "mcp" not in target
    return {
        "id": f"app:{app.id}:{name}",
        "name": None,
        "uris": uris,
        "hosts": hosts,
        # The MCP endpoint itself answers methods that it does not know.
        "methods": ["GET", "HEAD", "OPTIONS"] if is_file else [],
        "priority": PRIORITY,
        "order": ORDER,
        "service": None,
        "api": None,
        "operation": None,
        "plugins": {"cors": dict(_CORS)} if is_file else {},
        "target": target,
    }


def _app(app: App, view: AppView) -> dict[str, Any]:
    parts = urlsplit(view.base_url)
    origins = [f"{parts.scheme}://{parts.netloc}", *reversed(_CHATGPT), _CLAUDE, *app.allowed_origins]
    return {
        "id": app.id,
        "name": view.name_for_model,
        "title": view.name_for_human,
        "version": view.version,
        "instructions": view.description_for_model,
        "allowed_origins": list(dict.fromkeys(origins)),
        "max_result_characters": app.max_result_characters,
        "tools": tools.mcp_tools(view),
    }
