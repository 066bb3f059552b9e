"""Precedence: one plugin is set in several places; whole settings of the nearest place win, by plugin name.

For routes: route, plugin_config, service; for operations: the last pattern that matches, then the api. A
plugin that `_meta.disable` turns off at the nearest place is off, whatever the others say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolway.config.source import pointer_to

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolway.config.models import Plugins


@dataclass(frozen=True, slots=True)
class Merged:
    """Plugins as they hold, and the pointer in the source that each came from."""

    plugins: dict[str, dict[str, Any]]
    origins: dict[str, str]


def merged(layers: Iterable[tuple[Plugins, str]]) -> Merged:
    """Merges `layers`, each plugins and the pointer that they stand at; a later layer wins."""
    plugins: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    for layer, pointer in layers:
        for name, settings in layer.items():
            plugins[name] = settings
            origins[name] = pointer + pointer_to(name)
    kept = sorted(name for name, settings in plugins.items() if not settings.get("_meta", {}).get("disable"))
    return Merged(
        {name: {key: value for key, value in plugins[name].items() if key != "_meta"} for name in kept},
        {name: origins[name] for name in kept},
    )
