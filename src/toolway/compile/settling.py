"""Settling: settings of plugins that refer to something beside them get what it holds, so that the engine has
no reference left to follow: metadata of plugins, networks of address lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolway.config.address_sources import EGRESS, sources_of
from toolway.config.errors import near
from toolway.config.metadata import CORS, KNOWN, LIMIT, ORIGINS
from toolway.config.secret import Secret, reveal
from toolway.config.source import pointer_to

if TYPE_CHECKING:
    from toolway.compile.draft import Draft

Settings = Mapping[str, Any]

_BY_METADATA = "allow_origins_by_metadata"


def settled(draft: Draft, plugins: Mapping[str, Settings], origins: Mapping[str, str]) -> dict[str, Any]:
    """`plugins` as the engine takes them. `origins` are the pointers of their settings by name."""
    return {
        name: _settled(draft, name, settings, origins.get(name, "")) for name, settings in plugins.items()
    }


def _settled(draft: Draft, name: str, settings: Settings, pointer: str) -> Settings:
    if name == CORS:
        return _cors(draft, settings, pointer)
    if name == LIMIT:
        return _limit(draft, settings)
    return _egress(draft, settings) if name == EGRESS else settings


def warn_of_metadata(draft: Draft) -> None:
    """Notes fields of plugin metadata that change nothing, such as those of APISIX that go to loggers."""
    for metadata in draft.configuration.plugin_metadata.values():
        known = KNOWN.get(metadata.id, frozenset())
        for name in metadata.model_extra or {}:
            if name not in known:
                message = f'the metadata of "{metadata.id}" has no field "{name}", so it changes nothing'
                pointer = metadata.pointer + pointer_to(name)
                draft.warn("unknown-metadata", message, pointer, at_key=True)


def _cors(draft: Draft, settings: Settings, pointer: str) -> Settings:
    names = reveal(settings.get(_BY_METADATA))
    if names is None:
        return settings
    metadata = draft.configuration.plugin_metadata.get(CORS)
    known = (metadata.model_extra or {}).get(ORIGINS, {}) if metadata is not None else {}
    own = settings.get(ORIGINS, "*")
    # As in APISIX, `*` is what is allowed where nothing else is said, which is not so here.
    lists = [] if own == "*" else [reveal(own)]
    for index, name in enumerate(names):
        if name in known:
            lists.append(known[name])
            continue
        at = f"{pointer}{pointer_to(_BY_METADATA)}/{index}"
        message = f'the metadata of "{CORS}" has no {ORIGINS} named "{name}"'
        draft.problem("unknown-reference", message, at, hint=near(name, known))
    text = _joined(lists, may_echo=not settings.get("allow_credential"))
    rest = {name: value for name, value in settings.items() if name != _BY_METADATA}
    return {**rest, ORIGINS: Secret(text) if isinstance(own, Secret) else text}


def _limit(draft: Draft, settings: Settings) -> Settings:
    metadata = draft.configuration.plugin_metadata.get(LIMIT)
    given = (metadata.model_extra or {}) if metadata is not None else {}
    return {**{name: given[name] for name in sorted(KNOWN[LIMIT] & given.keys())}, **settings}


def _joined(lists: list[str], *, may_echo: bool) -> str:
    """One list. Any origin is named back, as APISIX does it, unless it could then send credentials."""
    if "**" in lists or ("*" in lists and may_echo):
        return "**"
    return "*" if "*" in lists else ",".join(lists)


def _egress(draft: Draft, settings: Settings) -> Settings:
    found = [*reveal(settings.get("prefixes", ()))]
    for source in sources_of(settings):
        found += draft.address_lists.get(source, ())
    rest = {name: value for name, value in settings.items() if name != "sources"}
    return {**rest, "prefixes": list(dict.fromkeys(found))}
