"""Consumer groups: plugins that consumers share."""

from __future__ import annotations

from toolway.config.models.base import Identified, Plugins


class ConsumerGroup(Identified):
    """Plugins for all consumers that name it by `group_id`; a consumer's own of the same name win."""

    plugins: Plugins
