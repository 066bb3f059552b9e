"""Kinds: the one table of what can be configured, by the names that Apache APISIX's Admin API has for it.

Whatever needs to know about kinds reads this table: parsing, the Admin API's paths and schemas, the store's
filters, what has to be compiled anew when something changes. A resource is plain data here (`value`), as the
Admin API shows it; checking it is the work of `parse`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from toolway.config.models import (
    CREDENTIALS,
    Api,
    App,
    Consumer,
    ConsumerAlone,
    ConsumerGroup,
    Credential,
    GlobalRule,
    PluginConfig,
    PluginMetadata,
    Resource,
    Route,
    SecretManager,
    Service,
    Ssl,
    Upstream,
)
from toolway.config.source import pointer_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Reference = tuple[str, str]
"""Kind and id of a resource."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_USERNAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_CREDENTIAL = re.compile(rf"{_USERNAME.pattern}/{_ID.pattern}")
_SECRET = re.compile(r"\$secret://(?P<manager>[^/]+)/(?P<id>[^/]+)/", re.IGNORECASE)
_FIELDS = {
    "upstream_id": "upstreams",
    "service_id": "services",
    "plugin_config_id": "plugin_configs",
    "group_id": "consumer_groups",
}
_GLOB = re.compile(r"[*?\[]")

_UPSTREAM: Mapping[str, Any] = {
    "type": "roundrobin",
    "scheme": "http",
    "hash_on": "vars",
    "pass_host": "pass",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What is to be known of one kind of resource."""

    name: str
    """In paths of the Admin API and in the store."""
    word: str
    """One of them, for messages."""
    model: type[Resource]
    """What checks a resource, and documents its fields."""
    section: str | None
    """Its list in a configuration file; none: it stands inside another resource there."""
    entry: type[Resource]
    """What checks an entry of that list, which may hold more than the resource does."""
    id_field: str = "id"
    id_pattern: re.Pattern[str] = _ID
    """What an id matches as a whole."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What Apache APISIX fills in and answers with where the user says nothing."""
    own_references: Callable[[str, Mapping[str, Any]], Iterator[Reference]] | None = None

    def references(self, identifier: str, value: Mapping[str, Any]) -> list[Reference]:
        """The resources that this one, which need not have been checked, names; each once."""
        found: dict[Reference, None] = {}
        _add_named(value, found)
        if self.own_references is not None:
            found |= dict.fromkeys(self.own_references(identifier, value))
        return list(found)

    def place(self, value: Mapping[str, Any], reference: Reference) -> str:
        """JSON pointer to where a value makes the reference; empty where its id does."""
        return next((pointer for pointer, text in _texts(value, "") if _makes(pointer, text, reference)), "")

    def completed(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """A copy as it is stored: with the defaults, and with digests and hashes instead of
        API keys and passwords."""
        filled = {**value, **{name: given for name, given in self.defaults.items() if name not in value}}
        inline = filled.get("upstream")
        if isinstance(inline, dict):
            filled["upstream"] = {**_UPSTREAM, **inline}
        if self.name in ("consumers", "credentials"):
            filled["plugins"] = _as_stored(filled.get("plugins", {}))
        return filled


def _kind(
    name: str,
    word: str,
    model: type[Resource],
    *,
    entry: type[Resource] | None = None,
    is_section: bool = True,
    **others: Any,
) -> Kind:
    return Kind(name, word, model, name if is_section else None, entry or model, **others)


def _owner(identifier: str, _value: Mapping[str, Any]) -> Iterator[Reference]:
    yield "consumers", identifier.partition("/")[0]


def _selected(_identifier: str, value: Mapping[str, Any]) -> Iterator[Reference]:
    """The apis that an app names; those that a pattern may mean are not told."""
    patterns = value.get("operations")
    for pattern in patterns if isinstance(patterns, list) else ():
        if isinstance(pattern, str) and not pattern.startswith("!"):
            api = pattern.partition(":")[0]
            if ":" in pattern and not _GLOB.search(api):
                yield "apis", api


def _add_named(value: Mapping[str, Any], found: dict[Reference, None]) -> None:
    for name, kind in _FIELDS.items():
        if name in value:
            _add(kind, value[name], found)
    upstream = value.get("upstream")
    for tls in (value.get("tls"), upstream.get("tls") if isinstance(upstream, dict) else None):
        if isinstance(tls, dict):
            _add("ssls", tls.get("client_cert_id"), found)
    if any(_takes_metadata(plugins) for plugins in _plugins(value)):
        _add("plugin_metadata", "cors", found)
    _add_secrets(value.values(), found)


def _add(kind: str, identifier: Any, found: dict[Reference, None]) -> None:
    if isinstance(identifier, (str, int)) and not isinstance(identifier, bool):
        found[kind, str(identifier)] = None


def _add_secrets(items: Iterable[Any], found: dict[Reference, None]) -> None:
    for item in items:
        if isinstance(item, str):
            secret = _SECRET.match(item) if item.startswith("$") else None
            if secret:
                found["secrets", f"{secret['manager']}/{secret['id']}"] = None
        elif isinstance(item, (dict, list)):
            _add_secrets(item.values() if isinstance(item, dict) else item, found)


def _plugins(value: Mapping[str, Any]) -> Iterator[Any]:
    """The plugins of a resource, and of an api's operations."""
    yield value.get("plugins")
    operations = value.get("operations")
    for settings in operations.values() if isinstance(operations, Mapping) else ():
        yield settings.get("plugins") if isinstance(settings, Mapping) else None


def _takes_metadata(plugins: Any) -> bool:
    """Whether `cors` among the plugins refers to its metadata."""
    cors = plugins.get("cors") if isinstance(plugins, Mapping) else None
    return isinstance(cors, Mapping) and "allow_origins_by_metadata" in cors


def uses(value: Mapping[str, Any], plugin: str) -> bool:
    """Whether a resource, which need not have been checked, has settings of a plugin."""
    return any(isinstance(plugins, Mapping) and plugin in plugins for plugins in _plugins(value))


def _texts(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Pointers and texts of all that may be an id or have one."""
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        yield pointer, str(value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(item, pointer + pointer_to(name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{pointer}/{index}")


def _makes(pointer: str, text: str, reference: Reference) -> bool:
    kind, identifier = reference
    if kind == "secrets":
        found: dict[Reference, None] = {}
        _add_secrets([text], found)
        return reference in found
    if kind == "plugin_metadata":
        return f"/plugins/{identifier}/allow_origins_by_metadata" in pointer
    if kind == "apis":
        return pointer.startswith("/operations/") and text.startswith(f"{identifier}:")
    name = pointer.rpartition("/")[2]
    return text == identifier and (_FIELDS.get(name) == kind or (kind, name) == ("ssls", "client_cert_id"))


def _as_stored(plugins: Any) -> Any:
    """A copy in which secrets of credentials that need only be compared are digests and hashes."""
    if not isinstance(plugins, dict):
        return plugins
    return {
        name: CREDENTIALS[name].stored(settings)
        if name in CREDENTIALS and isinstance(settings, dict)
        else settings
        for name, settings in plugins.items()
    }


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            _kind("ssls", "ssl", Ssl, defaults={"type": "server", "status": 1}),
            _kind("secrets", "secret", SecretManager, id_pattern=re.compile(rf"[a-z]+/{_ID.pattern}")),
            _kind("plugin_metadata", "plugin metadata", PluginMetadata),
            _kind("upstreams", "upstream", Upstream, defaults=_UPSTREAM),
            _kind("services", "service", Service),
            _kind("plugin_configs", "plugin config", PluginConfig),
            _kind("consumer_groups", "consumer group", ConsumerGroup),
            _kind("routes", "route", Route, defaults={"priority": 0, "status": 1}),
            _kind(
                "consumers",
                "consumer",
                ConsumerAlone,
                entry=Consumer,
                id_field="username",
                id_pattern=_USERNAME,
            ),
            _kind(
                "credentials",
                "credential",
                Credential,
                is_section=False,
                id_pattern=_CREDENTIAL,
                own_references=_owner,
            ),
            _kind("global_rules", "global rule", GlobalRule),
            _kind("apis", "api", Api),
            _kind("apps", "app", App, own_references=_selected),
        )
    }
)
"""By name, in an order in which what is referred to comes before what refers to it."""
