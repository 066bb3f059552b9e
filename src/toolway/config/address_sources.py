"""Address sources: which address lists the plugin `openai-egress` takes, wherever it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.address_lists import PUBLISHED
from toolway.config.models import Api, Consumer, ConsumerGroup, GlobalRule, PluginConfig, Route, Service
from toolway.config.secret import reveal
from toolway.config.source import pointer_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolway.config.configuration import Configuration
    from toolway.config.models.base import Plugins

EGRESS = "openai-egress"

_Pluggable = Route | Service | PluginConfig | Consumer | ConsumerGroup | GlobalRule | Api


def sources_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The files and URLs that settings of the plugin name; OpenAI's own where they name nobody at all."""
    given = reveal(settings.get("sources"))
    if given is None:
        return () if settings.get("prefixes") else PUBLISHED
    return tuple(given)


def placed_sources(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """Every source in the configuration, with the JSON pointer of where it is named."""
    for pointer, plugins in _placed(configuration):
        settings = plugins.get(EGRESS)
        if settings is None or settings.get("_meta", {}).get("disable"):
            continue
        below = pointer + pointer_to(EGRESS)
        for index, source in enumerate(sources_of(settings)):
            yield f"{below}/sources/{index}" if "sources" in settings else below, source


def _placed(configuration: Configuration) -> Iterator[tuple[str, Plugins]]:
    """The plugins of every resource, with their pointer."""
    resources: tuple[_Pluggable, ...] = (
        *configuration.routes,
        *configuration.services.values(),
        *configuration.plugin_configs.values(),
        *configuration.consumers,
        *configuration.consumer_groups.values(),
        *configuration.global_rules,
        *configuration.apis,
    )
    for resource in resources:
        yield f"{resource.pointer}/plugins", resource.plugins
    for api in configuration.apis:
        for pattern, settings in api.operations.items():
            yield f"{api.pointer}/operations{pointer_to(pattern)}/plugins", settings.plugins
