"""Upstreams: where requests go, how a node is chosen and how it is spoken to."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from toolway.config.models.base import Identified, Identifier, Model, matching, not_yet, refuse, split_address
from toolway.config.models.checks import Checks
from toolway.config.secret import Certificate, Secret

Seconds = Annotated[float, Field(gt=0, le=86_400)]
_HOST = r"[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]"
_HOST_WORDS = "a host name or address, IPv6 in brackets"
_AUTHORITY = r"[A-Za-z0-9_.:\[\]-]{1,253}"
Weight = Annotated[int, Field(ge=0, le=65_535)]


class Timeout(Model):
    """Seconds to connect (TLS included), between two writes and between two reads."""

    connect: Seconds = 60
    send: Seconds = 60
    read: Seconds = 60


class KeepalivePool(Model):
    """Idle connections kept per worker and node, for how many seconds, and how many requests each serves."""

    size: Annotated[int, Field(ge=0, le=100_000)] = 320
    idle_timeout: Annotated[float, Field(ge=0, le=86_400)] = 60
    requests: Annotated[int, Field(ge=1)] = 1000


class UpstreamTls(Model):
    """TLS to the nodes."""

    verify: bool = True
    """Whether the certificate of a node is checked; unlike in APISIX it is, unless this says otherwise."""
    ca: Certificate | None = None
    """PEM of the authorities that are believed instead of the system's."""
    client_cert: Certificate | None = None
    """PEM of what the gateway shows where a node asks for a certificate."""
    client_key: Secret | None = None
    client_cert_id: Identifier | None = None
    """The same, by the id of one of the `ssls` of type `client`."""
    http2: bool = False
    """With the scheme `https`: whether HTTP/2 is spoken with nodes that choose it (ALPN)."""


class NodeEntry(Model):
    """A node as a list gives it. Without a port: 80, or 443 where the scheme is over TLS."""

    not_supported: ClassVar = frozenset({"metadata"})

    host: Annotated[str, matching(_HOST, _HOST_WORDS)]
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    weight: Weight
    priority: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 0
    """Nodes of a lower priority are used only where none of a higher one is available."""


def _split_node(name: str) -> tuple[str, int | None] | None:
    found = split_address(name)
    if found is not None:
        return found if found[1] else None
    return (name.strip("[]"), None) if re.fullmatch(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]", name) else None


def _node_name(name: Any) -> Any:
    if isinstance(name, str) and _split_node(name) is None:
        raise refuse("wrong-value", "expected a node", 'such as "api.example.com:443"')
    return name


def _shape(value: Any) -> str | None:
    return "mapping" if isinstance(value, dict) else "list" if isinstance(value, list) else None


Nodes = Annotated[
    Annotated[dict[Annotated[str, BeforeValidator(_node_name)], Weight], Field(min_length=1), Tag("mapping")]
    | Annotated[list[NodeEntry], Field(min_length=1), Tag("list")],
    Discriminator(
        _shape,
        custom_error_type="wrong-type",
        custom_error_message="expected a mapping of host:port to weight, or a list of nodes",
    ),
]


class UpstreamSettings(Model):
    """What an upstream says, whether it stands alone or inside a route, service or api."""

    not_supported: ClassVar = frozenset(
        {
            "discovery_args",
            "discovery_type",
            "service_name",
        }
    )

    type: Literal["roundrobin", "chash", "least_conn", "ewma"] = "roundrobin"
    hash_on: Literal["vars", "header", "cookie", "consumer", "vars_combinations"] = "vars"
    key: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """What `chash` hashes, by name; required but with `hash_on: consumer`."""
    scheme: Annotated[
        Literal["http", "https", "h2c", "grpc", "grpcs"], not_yet("tcp", "tls", "udp", "kafka")
    ] = "http"
    nodes: Nodes
    pass_host: Literal["pass", "node", "rewrite"] = "pass"  # noqa: S105
    upstream_host: Annotated[str, matching(_AUTHORITY, _HOST_WORDS)] | None = None
    timeout: Timeout = Timeout()
    retries: Annotated[int, Field(ge=0, le=100)] | None = None
    """Further nodes tried where one cannot be reached; by default all the others."""
    retry_timeout: Annotated[float, Field(ge=0, le=86_400)] = 0
    """Seconds after which no further node is tried; 0: no such limit."""
    checks: Checks | None = None
    keepalive_pool: KeepalivePool = KeepalivePool()
    tls: UpstreamTls = UpstreamTls()

    def addresses(self) -> list[tuple[str, int, int, int]]:
        """Host, port, weight and priority of each node."""
        default = 443 if self.scheme in ("https", "grpcs") else 80
        if isinstance(self.nodes, dict):
            split = [(_split_node(name) or (name, None), weight) for name, weight in self.nodes.items()]
            return [(host, port or default, weight, 0) for (host, port), weight in split]
        return [
            (node.host.strip("[]"), node.port or default, node.weight, node.priority) for node in self.nodes
        ]


class InlineUpstream(UpstreamSettings):
    """An upstream inside another resource."""

    name: str | None = None
    desc: str | None = None
    id: str | int | None = None
    """Without effect, as APISIX takes it."""


class Upstream(Identified, UpstreamSettings):
    """An upstream with an id, for any number of routes, services and apis."""
