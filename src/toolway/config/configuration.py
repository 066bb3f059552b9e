"""The configuration: checked resources by kind, and the way back to their places in the source.

Made by `parse` only, so whoever holds one may rely on it: ids are set and unique, references lead somewhere,
plugins exist and their settings fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolway.config.models import (
    Api,
    App,
    Consumer,
    ConsumerGroup,
    GatewaySettings,
    GlobalRule,
    PluginConfig,
    PluginMetadata,
    Route,
    SecretManager,
    Service,
    Ssl,
    Upstream,
)

if TYPE_CHECKING:
    from pathlib import Path

    from toolway.config.source import Source


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Configuration:
    """All resources, in the order of the file; those that others refer to by id."""

    source: Source
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    upstreams: dict[str, Upstream] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    plugin_configs: dict[str, PluginConfig] = field(default_factory=dict)
    consumer_groups: dict[str, ConsumerGroup] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    global_rules: tuple[GlobalRule, ...] = ()
    apis: tuple[Api, ...] = ()
    apps: tuple[App, ...] = ()
    ssls: dict[str, Ssl] = field(default_factory=dict)
    secrets: dict[str, SecretManager] = field(default_factory=dict)
    plugin_metadata: dict[str, PluginMetadata] = field(default_factory=dict)
    files: frozenset[Path] = frozenset()
    """Files that secrets were read from."""
