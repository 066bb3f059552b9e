"""Global rules: plugins that run on every request."""

from __future__ import annotations

from toolway.config.models.base import Identified, Plugins


class GlobalRule(Identified):
    """Plugins that run on every request, matched by a route or not."""

    plugins: Plugins
