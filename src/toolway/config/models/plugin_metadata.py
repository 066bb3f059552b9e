"""Plugin metadata: settings of a plugin that hold wherever it runs, one model for each plugin that has some.

A model says what its settings make of those that stand at a place (`applied`), so that whoever runs the
plugin sees settings and no metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr

from toolway.config.models.base import Model, Resource, matching, refuse

_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[^\s/,*]+", re.IGNORECASE)
Settings = Mapping[str, Any]


class MetadataSettings(Model):
    """What one plugin has as metadata."""

    def applied(self, settings: Settings) -> dict[str, Any]:
        """The settings at one place with the metadata in them. Raises MetadataMissingError."""
        raise NotImplementedError


class MetadataMissingError(Exception):
    """Settings name a part of the metadata that is not there; `pointer` is where, in the settings."""

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(message)
        self.pointer = pointer


def _origins(value: str) -> str:
    if value not in ("*", "**") and not all(_ORIGIN.fullmatch(each) for each in value.split(",")):
        raise refuse("wrong-value", "expected origins with commas between, `*`, `**` or `null`")
    return value


class CorsMetadata(MetadataSettings):
    """Lists of origins that settings of `cors` name in `allow_origins_by_metadata`."""

    NAMES: ClassVar[str] = "allow_origins_by_metadata"

    allow_origins: dict[
        Annotated[str, matching(r".{1,4096}", "a name")], Annotated[str, AfterValidator(_origins)]
    ] = Field(default_factory=dict)
    """By a name of your own; each a text as `allow_origins` of the plugin is."""
    inactive_timeout: Annotated[int, Field(ge=1)] | None = None
    """As APISIX's examples have it; without effect."""

    def applied(self, settings: Settings) -> dict[str, Any]:
        """With the lists that are named beside the origins of its own."""
        names = settings.get(self.NAMES)
        if not names:
            return dict(settings)
        for index, name in enumerate(names):
            if name not in self.allow_origins:
                message = f'the metadata of cors has no list "{name}"'
                raise MetadataMissingError(message, f"/{self.NAMES}/{index}")
        own = settings.get("allow_origins", "*")
        # As in APISIX, a `*` of its own says nothing beside lists.
        lists = [*([] if own == "*" else [own]), *(self.allow_origins[name] for name in names)]
        anyone = "*" if settings.get("allow_credential") else "**"
        found = anyone if {"*", "**"} & set(lists) else ",".join(lists)
        return {
            **{name: item for name, item in settings.items() if name != self.NAMES},
            "allow_origins": found,
        }


HeaderName = Annotated[str, matching(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}", "the name of a header")]


class LimitCountMetadata(MetadataSettings):
    """Names of the headers that `limit-count` tells the quota by, where its own settings do not say."""

    limit_header: HeaderName | None = None
    remaining_header: HeaderName | None = None
    reset_header: HeaderName | None = None

    def applied(self, settings: Settings) -> dict[str, Any]:
        """With these names, but for those of its own."""
        return {**self.model_dump(exclude_none=True), **settings}


METADATA: Mapping[str, type[MetadataSettings]] = MappingProxyType(
    {"cors": CorsMetadata, "limit-count": LimitCountMetadata}
)
"""By the plugin's name: those that have any."""


class PluginMetadata(Resource):
    """Settings under a plugin's name; which ones there are is the plugin's to say."""

    model_config = ConfigDict(extra="allow")

    id: Annotated[str, matching(r"[a-z0-9-]{1,64}", "the name of a plugin")]

    _settings: MetadataSettings | None = PrivateAttr(default=None)

    @property
    def settings(self) -> MetadataSettings | None:
        """What the plugin's model made of it; none where there is no such model."""
        return self._settings

    def read(self, settings: MetadataSettings) -> None:
        """Sets the settings, once, when the resource is parsed."""
        self._settings = settings
