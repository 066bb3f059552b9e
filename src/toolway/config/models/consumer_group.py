"""Consumer groups: plugins and roles that consumers share."""

from __future__ import annotations

from pydantic import Field

from toolway.config.models.base import Identified, Plugins, Roles


class ConsumerGroup(Identified):
    """Plugins for all consumers that name it by `group_id`; a consumer's own of the same name win."""

    plugins: Plugins
    roles: Roles = Field(default_factory=list)
    """Roles of all its consumers, beside their own."""
