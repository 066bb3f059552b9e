"""Services: settings that routes share."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from toolway.config.models.base import Host, Identified, Identifier, Plugins
from toolway.config.models.upstream import InlineUpstream


class Service(Identified):
    """Hosts, plugins and an upstream for all routes that name it."""

    not_supported: ClassVar = frozenset({"script"})

    hosts: list[Host] = Field(default_factory=list)
    """Hold for routes that have no hosts of their own."""
    enable_websocket: bool = False
    """Whether clients may change protocol on their connection, as WebSocket does."""
    plugins: Plugins = Field(default_factory=dict)
    upstream: InlineUpstream | None = None
    upstream_id: Identifier | None = None
