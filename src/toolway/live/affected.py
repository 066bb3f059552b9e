"""What a change affects: the resources whose entries in the snapshot may become others by it.

A resource is compiled together with what it refers to, so whoever refers to something that changed is
compiled anew; the exceptions, where the engine itself follows the reference, keep a change small.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from toolway.apps.curate import may_select

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from toolway.live.state import State, Value
    from toolway.store import Key

_REFERRED_TO = frozenset(
    {"ssls", "secrets", "upstreams", "services", "plugin_configs", "consumer_groups", "consumers", "apis"}
)


def affected(before: State, after: State, changed: Iterable[Key]) -> list[Key]:
    """The resources to compile anew, or to take out where they are gone; each once, what changed first."""
    found: dict[Key, None] = {}
    waiting = deque(changed)
    while waiting:
        key = _compiled_as(waiting.popleft())
        if key in found:
            continue
        found[key] = None
        waiting.extend(_dependents(before, after, key))
    if any(kind == "apps" for kind, _ in found):
        mains = dict.fromkeys((before.main_app(), after.main_app()))
        if len(mains) > 1:
            found |= {("apps", identifier): None for identifier in mains if identifier is not None}
    return list(found)


def _compiled_as(key: Key) -> Key:
    """The resource that a resource is compiled with: a credential with its consumer."""
    kind, identifier = key
    if kind == "credentials":
        return "consumers", identifier.partition("/")[0]
    return ("apis", identifier) if kind == "documents" else key


def _dependents(before: State, after: State, key: Key) -> Iterator[Key]:
    kind, identifier = key
    if kind not in _REFERRED_TO:
        return
    stays = before.get(*key) is not None and after.get(*key) is not None
    for referrer in after.referrers(kind, identifier):
        if kind == "consumers" and referrer[0] == "credentials":
            continue
        if kind == "upstreams" and stays:
            # Routes name an upstream, which the engine looks up; only copies are made anew.
            yield from _copying(after, referrer)
        else:
            yield referrer
    if kind == "apis":
        for app, value in after.scan("apps"):
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
