"""Upstreams: from resources, inline blocks and server URLs to the snapshot's definitions.

Ids are stable, since pools and health outlive a swap by them: a resource keeps its own, and an upstream made
for another resource is named after it, `route:<id>`, `service:<id>`, `api:<id>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from toolway.config.models import Timeout, UpstreamSettings, UpstreamTls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.compile.draft import Draft
    from toolway.config.models.checks import Checks


@dataclass(frozen=True, slots=True)
class Server:
    """A server URL of a document, taken apart."""

    scheme: str
    host: str
    port: int
    base_path: str
    """Without a slash at the end."""


def server_of(url: str) -> Server | None:
    """The server behind an absolute http or https URL; none for any other text."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return None
    default = 443 if parts.scheme == "https" else 80
    return Server(parts.scheme, parts.hostname, port or default, parts.path.rstrip("/"))


class Upstreams:
    """Adds upstreams to the draft, each id once."""

    def __init__(self, draft: Draft, connect_to: Mapping[str, str]) -> None:
        self._draft = draft
        self._connect_to = connect_to
        self._added: dict[str, dict[str, Any]] = {}

    def add(self, identifier: str, settings: UpstreamSettings, pointer: str) -> str:
        """Adds the upstream that `settings` at `pointer` describe."""
        is_rewritten = settings.pass_host == "rewrite"  # noqa: S105  # No password.
        if is_rewritten and settings.upstream_host is None:
            message = 'expected the field "upstream_host", since pass_host is rewrite'
            self._draft.problem("missing-field", message, pointer)
        if settings.type == "chash" and settings.hash_on != "consumer" and settings.key is None:
            message = 'expected the field "key", which names what chash hashes'
            self._draft.problem("missing-field", message, pointer)
        addresses = settings.addresses()
        retries = len(addresses) - 1 if settings.retries is None else settings.retries
        pool = settings.keepalive_pool
        definition = {
            "id": identifier,
            "scheme": settings.scheme,
            "nodes": [self._node(*address) for address in addresses],
            "pass_host": settings.pass_host,
            "upstream_host": settings.upstream_host,
            "retries": retries,
            "timeout": _milliseconds(settings.timeout),
            "keepalive": {
                "size": pool.size,
                "idle_timeout_ms": round(pool.idle_timeout * 1000),
                "requests": pool.requests,
            },
            "tls_verify": settings.tls.verify,
            **_balancing(settings),
        }
        tls = self._tls(settings.tls)
        if tls:
            definition["tls"] = tls
        return self._put(definition, pointer)

    def add_server(self, identifier: str, server: Server, pointer: str) -> str:
        """Adds the upstream of a document's server, which gets its own name as Host."""
        if identifier in self._added:
            return identifier
        node = f"[{server.host}]:{server.port}" if ":" in server.host else f"{server.host}:{server.port}"
        settings = UpstreamSettings.model_validate(
            {"scheme": server.scheme, "nodes": {node: 1}, "pass_host": "node"}
        )
        return self.add(identifier, settings, pointer)

    def add_with_timeout(self, identifier: str, original: str, timeout: Timeout, pointer: str) -> str:
        """Adds a copy of the upstream `original` with timeouts of its own."""
        definition = {**self._added[original], "id": identifier, "timeout": _milliseconds(timeout)}
        return self._put(definition, pointer)

    def _put(self, definition: dict[str, Any], pointer: str) -> str:
        identifier: str = definition["id"]
        known = self._added.get(identifier)
        if known is None:
            self._added[identifier] = definition
            self._draft.add("upstreams", definition, pointer)
        else:
            known.clear()
            known.update(definition)
        return identifier

    def _tls(self, settings: UpstreamTls) -> dict[str, Any]:
        """What TLS needs beyond `verify`; empty where that is nothing."""
        found: dict[str, Any] = {} if settings.ca is None else {"ca": settings.ca}
        cert, key = settings.client_cert, settings.client_key
        ssl = self._draft.configuration.ssls.get(settings.client_cert_id or "")
        if ssl is not None:
            cert, key = ssl.cert, ssl.key
        if cert is not None and key is not None:
            found["certificate"] = {"cert": cert, "key": key}
        return {**found, "http2": True} if settings.http2 else found

    def _node(self, host: str, port: int, weight: int, priority: int) -> dict[str, Any]:
        instead = self._connect_to.get(f"{host}:{port}")
        node = {"host": host, "port": port, "weight": weight, "connect_to": instead}
        return {**node, "priority": priority} if priority else node


def _balancing(settings: UpstreamSettings) -> dict[str, Any]:
    """What says how nodes are chosen and checked, where it is not what its absence means."""
    fields: dict[str, Any] = {}
    if settings.type == "chash":
        fields["balance"] = {"chash": {"hash_on": settings.hash_on, "key": settings.key or ""}}
    elif settings.type != "roundrobin":
        fields["balance"] = settings.type
    if settings.retry_timeout:
        fields["retry_timeout_ms"] = max(1, round(settings.retry_timeout * 1000))
    if settings.checks is not None:
        fields["checks"] = _checks(settings.checks)
    return fields


def _checks(checks: Checks) -> dict[str, Any]:
    active, passive = checks.active, checks.passive
    return {
        "active": {
            "kind": active.type,
            "timeout_ms": max(1, round(active.timeout * 1000)),
            "concurrency": active.concurrency,
            "http_path": active.http_path,
            "host": active.host,
            "port": active.port,
            "req_headers": list(active.req_headers),
            "tls_verify": active.https_verify_certificate,
            "healthy_interval_ms": round(active.healthy.interval * 1000),
            "unhealthy_interval_ms": round(active.unhealthy.interval * 1000),
            "healthy": active.healthy.model_dump(exclude={"interval"}),
            "unhealthy": active.unhealthy.model_dump(exclude={"interval"}),
        },
        "passive": {
            "kind": passive.type,
            "healthy": passive.healthy.model_dump(),
            "unhealthy": passive.unhealthy.model_dump(),
        }
        if passive
        else None,
    }


def _milliseconds(timeout: Timeout) -> dict[str, int]:
    """Whole milliseconds, at least 1: a tiny timeout is not none."""
    return {
        f"{name}_ms": max(1, round(getattr(timeout, name) * 1000)) for name in ("connect", "send", "read")
    }
