"""What a change affects: the resources whose entries in the snapshot may become others by it.

A resource is compiled together with what it refers to, so whoever refers to something that changed is
compiled anew; the exceptions, where the engine itself follows the reference, keep a change small.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from toolway.apps.curate import may_select
from toolway.config.kinds import uses
from toolway.config.metadata import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from toolway.live.state import State, Value
    from toolway.store import Key

_WITH_PLUGINS = (
    "services",
    "plugin_configs",
    "routes",
    "consumer_groups",
    "consumers",
    "global_rules",
    "apis",
)
_REFERRED_TO = frozenset(
    {
        "apis",
        "consumer_groups",
        "consumers",
        "plugin_configs",
        "plugin_metadata",
        "secrets",
        "services",
        "ssls",
        "upstreams",
    }
)


def affected(
    state: State, changed: Iterable[Key], stays: Callable[[Key], bool], mains: Iterable[str | None] = ()
) -> list[Key]:
    """The resources to compile anew, or to take out where `state` has them no more; what changed first.

    `stays` says whether a resource was there before and still is. `mains` are the apps that were and are at
    hosts which no app names, where these differ.
    """
    found: dict[Key, None] = {}
    waiting = deque(changed)
    while waiting:
        key = _compiled_as(waiting.popleft())
        if key not in found:
            found[key] = None
            waiting.extend(_dependents(state, key, stays))
    found |= {("apps", identifier): None for identifier in mains if identifier is not None}
    return list(found)


def _compiled_as(key: Key) -> Key:
    """The resource that a resource is compiled with: a credential with its consumer."""
    kind, identifier = key
    if kind == "credentials":
        return "consumers", identifier.partition("/")[0]
    return ("apis", identifier) if kind == "documents" else key


def _dependents(state: State, key: Key, stays: Callable[[Key], bool]) -> Iterator[Key]:
    kind, identifier = key
    if kind == "plugin_metadata" and identifier in UNNAMED:
        for user in _WITH_PLUGINS:
            yield from ((user, found) for found, value in state.scan(user) if uses(value, identifier))
    if kind not in _REFERRED_TO:
        return
    # Routes name an upstream, which the engine looks up; where it stays, only copies are made anew.
    only_copies = kind == "upstreams" and stays(key)
    for referrer in state.referrers(kind, identifier):
        if only_copies:
            yield from _copying(state, referrer)
        elif referrer[0] != "credentials":
            yield referrer
    if kind == "apis":
        for app, value in state.scan("apps"):
            if may_select(_patterns(value), identifier):
                yield "apps", app


def _copying(state: State, referrer: Key) -> Iterator[Key]:
    """Of those who refer to an upstream: routes with timeouts of their own, for which it is copied."""
    kind, identifier = referrer
    if kind == "services":
        for route in state.referrers(kind, identifier):
            yield from _copying(state, route)
    elif kind == "routes" and (state.get(kind, identifier) or {}).get("timeout") is not None:
        yield referrer


def _patterns(app: Value) -> list[str]:
    patterns = app.get("operations")
    return [each for each in patterns if isinstance(each, str)] if isinstance(patterns, list) else []
