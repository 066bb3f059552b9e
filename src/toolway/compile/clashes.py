"""Clashes: routes that take the same requests, where one is a user's and the other comes from an api or app.

Two routes of the user's own may overlap on purpose; nobody sees what a document or an app adds, so it is
told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolway.compile.draft import Draft

_PARAMETER = re.compile(r"/:[^/]+|\{[^{}]*\}")


def report_clashes(draft: Draft) -> None:
    """Warns of every route that another one hides."""
    by_pattern: dict[str, list[int]] = {}
    for index, route in enumerate(draft.routes):
        for uri in route["uris"]:
            by_pattern.setdefault(_PARAMETER.sub(_same, uri), []).append(index)
    told: set[tuple[int, int]] = set()
    for indices in by_pattern.values():
        ordered = sorted(indices, key=lambda at: (-draft.routes[at]["priority"], at))
        for position, winner in enumerate(ordered):
            for loser in ordered[position + 1 :]:
                if (winner, loser) not in told and _is_clash(draft.routes[winner], draft.routes[loser]):
                    told.add((winner, loser))
                    _warn(draft, winner, loser)


def _same(match: re.Match[str]) -> str:
    return "/{}" if match[0].startswith("/") else "{}"


def _is_clash(winner: dict[str, Any], loser: dict[str, Any]) -> bool:
    if _origin(winner) == _origin(loser) == "user":
        return False
    if winner.get("vars") or winner.get("remote_addrs"):
        return False  # Who asks for more than the pattern leaves the rest on purpose.
    if _origin(winner) == _origin(loser) == "app":
        return bool(set(winner["hosts"]) & set(loser["hosts"]))
    return _overlap_of_methods(winner, loser) and _overlap_of_hosts(winner["hosts"], loser["hosts"])


def _overlap_of_methods(one: dict[str, Any], other: dict[str, Any]) -> bool:
    # OPTIONS beside another method is only there for preflights, which either may answer.
    first, second = (
        set(route["methods"]) - ({"OPTIONS"} if len(route["methods"]) > 1 else set())
        for route in (one, other)
    )
    return not first or not second or bool(first & second)


def _overlap_of_hosts(one: Iterable[str], other: Iterable[str]) -> bool:
    first, second = list(one), list(other)
    return not first or not second or any(_matches(a, b) or _matches(b, a) for a in first for b in second)


def _matches(pattern: str, host: str) -> bool:
    return pattern == host or (pattern.startswith("*") and host.endswith(pattern[1:]))


def _origin(route: dict[str, Any]) -> str:
    if route["api"] is not None:
        return "api"
    return "user" if "upstream" in route["target"] else "app"


def _warn(draft: Draft, winner: int, loser: int) -> None:
    first, second = draft.routes[winner], draft.routes[loser]
    uri = second["uris"][0]
    message = f'the route "{first["id"]}" takes requests of {uri} from the route "{second["id"]}"'
    # The user's own place is the one to look at; an app's files cannot be moved.
    shown = winner if _origin(second) == "app" else loser
    draft.warn("clash", message, draft.places[f"/routes/{shown}"])
