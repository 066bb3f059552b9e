"""Ownership: which entries of the snapshot a resource has, and which resource has an entry.

Ids say it: an upstream inside route 1 is `route:1`, an operation's route `<api>:<operation>`, an app's
`app:<app>:<name>`; no resource's own id has a colon. How many entries an api or an app has only its last
compilation tells, so those are remembered (`made`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from toolway.store import Key

Entry = tuple[str, str]
"""Section and id of an entry; a consumer's id is its username."""

_MANY = ("apis", "apps")
_INSIDE = {"route": "routes", "service": "services", "api": "apis"}


def entry_id(section: str, entry: Mapping[str, Any]) -> str:
    """The id of an entry."""
    identifier: str = entry["username" if section == "consumers" else "id"]
    return identifier


def owner(section: str, identifier: str) -> Key | None:
    """The resource that has an entry; none for what the gateway's own settings have."""
    first, colon, rest = identifier.partition(":")
    if section == "ssls" and identifier == "gateway.tls":
        return None
    if not colon:
        return section, identifier
    if section == "upstreams":
        return _INSIDE[first], rest.partition(":")[0]
    return ("apps", rest.partition(":")[0]) if first == "app" else ("apis", first)


def made_of(entries: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[Key, frozenset[Entry]]:
    """The entries of each api and app among `entries`."""
    found: dict[Key, set[Entry]] = {}
    for section, each in entries.items():
        for entry in each:
            identifier = entry_id(section, entry)
            key = owner(section, identifier)
            if key is not None and key[0] in _MANY:
                found.setdefault(key, set()).add((section, identifier))
    return {key: frozenset(entries) for key, entries in found.items()}


def may_have(key: Key, made: Mapping[Key, frozenset[Entry]]) -> Iterable[Entry]:
    """The entries that a resource may have had until now."""
    kind, identifier = key
    if kind in _MANY:
        return made.get(key, frozenset())
    if kind == "routes":
        return ("routes", identifier), ("upstreams", f"route:{identifier}")
    if kind == "services":
        return (("upstreams", f"service:{identifier}"),)
    return ((kind, identifier),) if kind in ("upstreams", "consumers", "global_rules", "ssls") else ()
