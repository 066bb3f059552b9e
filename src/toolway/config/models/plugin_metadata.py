"""Plugin metadata: settings of a plugin that hold wherever it runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict

from toolway.config.models.base import Resource, matching


class PluginMetadata(Resource):
    """Settings under a plugin's name; which ones there are is the plugin's to say."""

    model_config = ConfigDict(extra="allow")

    id: Annotated[str, matching(r"[a-z0-9-]{1,64}", "the name of a plugin")]
