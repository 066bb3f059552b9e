"""Routes: what a request must look like, and what is done with it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from toolway.config.models.base import Host, Identified, Identifier, Plugins, Unique, matching
from toolway.config.models.expression import Expression, Network
from toolway.config.models.upstream import InlineUpstream, Timeout

Uri = Annotated[
    str, StringConstraints(max_length=4096), matching(r"/[^\x00-\x20]*", "a path that begins with /")
]
Method = Literal["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"]


class Route(Identified):
    """A match and its target, in the words of APISIX's Route."""

    not_supported: ClassVar = frozenset(
        {
            "filter_func",
            "script",
            "script_id",
            "service_protocol",
        }
    )

    uri: Uri | None = None
    """Exact `/a`, prefix `/a/*`, or with parameters `/a/:id/b`."""
    uris: Annotated[list[Uri], Field(min_length=1)] | None = None
    host: Host | None = None
    hosts: Annotated[list[Host], Field(min_length=1)] | None = None
    methods: Annotated[list[Method], Unique, Field(json_schema_extra={"uniqueItems": True})] = Field(
        default_factory=list
    )
    """None: any method."""
    remote_addr: Network | None = None
    """Where the client must be."""
    remote_addrs: Annotated[list[Network], Field(min_length=1)] | None = None
    vars: Expression = Field(default_factory=list)
    """What variables of the request must be."""
    priority: Annotated[int, Field(ge=-(2**53), le=2**53)] = 0
    """Among routes with the same uri the larger is tried first."""
    enable_websocket: bool | None = None
    """Whether clients may change protocol on their connection; none: what the service says."""
    status: Literal[0, 1] = 1
    """0 takes the route out."""
    plugins: Plugins = Field(default_factory=dict)
    plugin_config_id: Identifier | None = None
    service_id: Identifier | None = None
    upstream: InlineUpstream | None = None
    upstream_id: Identifier | None = None
    timeout: Timeout | None = None
    """Instead of the upstream's."""

    def identity(self) -> Any:
        """Only the match: a route without id stays itself (its counters too) when its plugins change."""
        match = self.model_dump(include={"uri", "uris", "host", "hosts", "methods", "priority"})
        return {**match, **self.predicates()}

    def predicates(self) -> dict[str, Any]:
        """What is asked besides host, uri and method, as the engine reads it; only what is set."""
        addresses = self.remote_addrs or ([self.remote_addr] if self.remote_addr else [])
        asked = {"remote_addrs": addresses, "vars": self.vars}
        return {name: list(value) for name, value in asked.items() if value}
