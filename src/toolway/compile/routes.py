"""Routes that the user wrote: references followed, plugins merged, disabled ones left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.compile.precedence import Merged, merged

if TYPE_CHECKING:
    from toolway.compile.draft import Draft
    from toolway.compile.upstreams import Upstreams
    from toolway.config.models import Plugins, Route, Service

_MISSING = '{"error_msg":"missing upstream configuration in Route or Service"}\n'


def add_routes(draft: Draft, upstreams: Upstreams) -> None:
    """Adds the configuration's routes and the upstreams inside them and their services."""
    for service in draft.configuration.services.values():
        if service.upstream is not None:
            upstreams.add(f"service:{service.id}", service.upstream, f"{service.pointer}/upstream")
    for route in draft.configuration.routes:
        if route.status == 1:
            _add_route(draft, upstreams, route)


def _add_route(draft: Draft, upstreams: Upstreams, route: Route) -> None:
    service = draft.configuration.services.get(route.service_id or "")
    hosts = route.hosts or ([route.host] if route.host else []) or (service.hosts if service else [])
    uris = route.uris or ([route.uri] if route.uri else [])
    found = _plugins(draft, route, service)
    websocket = route.enable_websocket
    if websocket is None:
        websocket = service is not None and service.enable_websocket
    draft.add(
        "routes",
        {
            "id": route.id,
            "name": route.name,
            "uris": [literal(uri) for uri in uris],
            "hosts": list(hosts),
            "methods": list(dict.fromkeys(route.methods)),
            "priority": route.priority,
            **route.predicates(),
            "service": service.id if service else None,
            "api": None,
            "operation": None,
            **({"websocket": True} if websocket else {}),
            "plugins": found.plugins,
            "target": _target(_upstream(upstreams, route, service)),
        },
        route.pointer,
        found.origins,
        _fields(route, service),
    )


def _fields(route: Route, service: Service | None) -> dict[str, str]:
    """Where uris and hosts stand, which a route may give one or many of, and hosts its service."""
    uris = {f"/uris/{at}": f"{route.pointer}/uris/{at}" for at in range(len(route.uris or ()))}
    if route.uri is not None:
        uris = {"/uris": f"{route.pointer}/uri"}
    if route.remote_addr is not None:
        uris["/remote_addrs"] = f"{route.pointer}/remote_addr"
    if route.host is not None:
        return {**uris, "/hosts": f"{route.pointer}/host"}
    if route.hosts is None and service is not None:
        return {**uris, "/hosts": f"{service.pointer}/hosts"}
    return uris


def literal(uri: str) -> str:
    """A uri of APISIX, where braces stand for themselves, for the engine, which reads `{name}` as a
    parameter.
    """
    return uri.replace("{", "%7B").replace("}", "%7D")


def _plugins(draft: Draft, route: Route, service: Service | None) -> Merged:
    layers: list[tuple[Plugins, str]] = []
    if service is not None:
        layers.append((service.plugins, f"{service.pointer}/plugins"))
    shared = draft.configuration.plugin_configs.get(route.plugin_config_id or "")
    if shared is not None:
        layers.append((shared.plugins, f"{shared.pointer}/plugins"))
    layers.append((route.plugins, f"{route.pointer}/plugins"))
    return merged(layers)


def _target(upstream: str | None) -> dict[str, Any]:
    if upstream is not None:
        return {"upstream": {"id": upstream, "strip_prefix": "", "add_prefix": ""}}
    # The plugins are there to answer; this is for requests that they let through.
    return {"static": {"status": 503, "headers": {"content-type": "application/json"}, "body": _MISSING}}


def _upstream(upstreams: Upstreams, route: Route, service: Service | None) -> str | None:
    own = f"route:{route.id}"
    original = route.upstream_id or (service.upstream_id if service else None)
    if route.upstream is not None:
        upstreams.add(own, route.upstream, f"{route.pointer}/upstream")
        original = own
    elif route.upstream_id is None and service is not None and service.upstream is not None:
        original = f"service:{service.id}"
    if route.timeout is None or original is None:
        return original
    return upstreams.add_with_timeout(own, original, route.timeout, route.pointer)
