"""Plugin configs: plugins under an id, for routes to share."""

from __future__ import annotations

from toolway.config.models.base import Identified, Plugins


class PluginConfig(Identified):
    """Plugins that a route takes up by `plugin_config_id`; its own of the same name win."""

    plugins: Plugins
