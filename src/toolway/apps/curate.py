"""Which operations an app exposes: ordered include and exclude patterns over `api id:operation id`.

Knows identifiers only, neither documents nor routes. `compile` passes an app's patterns and the operations of
all apis, and turns the result into `SelectedOperation` values. Nothing is selected that no pattern names.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

EXCLUDE = "!"


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A pattern that matches no operation."""

    index: int
    """Its place in the app's list, from 0."""
    pattern: str
    """As written, with its `!`."""
    near: tuple[str, ...]
    """At most three patterns that would match and look alike, the nearest first."""


def select(patterns: Sequence[str], available: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """The (api id, operation id) pairs that `patterns` select, in the order of `available`.

    A pattern is `api:operation`, each side a case-sensitive glob (`*`, `?`, `[abc]`); with `!` in front it
    excludes. The last pattern that matches an operation decides; an operation that none matches is not
    selected.
    """
    selected = []
    for api_id, operation_id in _pairs(available):
        chosen = False
        for pattern in patterns:
            if _matches(pattern, api_id, operation_id):
                chosen = not pattern.startswith(EXCLUDE)
        if chosen:
            selected.append((api_id, operation_id))
    return selected


def may_select(patterns: Iterable[str], api_id: str) -> bool:
    """Whether any of `patterns` speaks of operations of this api, to take them in or out."""
    return any(
        fnmatchcase(api_id, pattern.removeprefix(EXCLUDE).partition(":")[0])
        for pattern in patterns
        if ":" in pattern
    )


def unmatched(patterns: Sequence[str], available: Mapping[str, Sequence[str]]) -> list[Unmatched]:
    """The patterns that match no operation of `available`, in their order, each with near names."""
    pairs = list(_pairs(available))
    return [
        Unmatched(index, pattern, _near(pattern, available))
        for index, pattern in enumerate(patterns)
        if not any(_matches(pattern, api_id, operation_id) for api_id, operation_id in pairs)
    ]


def _pairs(available: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    for api_id, operation_ids in available.items():
        for operation_id in operation_ids:
            yield api_id, operation_id


def _matches(pattern: str, api_id: str, operation_id: str) -> bool:
    api_glob, colon, operation_glob = pattern.removeprefix(EXCLUDE).partition(":")
    return bool(colon) and fnmatchcase(api_id, api_glob) and fnmatchcase(operation_id, operation_glob)


def _near(pattern: str, available: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Full names, every api's `api:*`, and the pattern's right side on another api, as far as alike."""
    sign = EXCLUDE if pattern.startswith(EXCLUDE) else ""
    wanted = pattern.removeprefix(EXCLUDE)
    operation_glob = wanted.partition(":")[2] or "*"
    by_folded: dict[str, str] = {}
    for api_id, operation_ids in available.items():
        if any(fnmatchcase(operation_id, operation_glob) for operation_id in operation_ids):
            by_folded.setdefault(f"{api_id}:{operation_glob}".casefold(), f"{api_id}:{operation_glob}")
        if operation_ids:
            by_folded.setdefault(f"{api_id}:*".casefold(), f"{api_id}:*")
        for operation_id in operation_ids:
            by_folded.setdefault(f"{api_id}:{operation_id}".casefold(), f"{api_id}:{operation_id}")
            # Somebody who forgot the api's name is offered the full name.
            if ":" not in wanted and fnmatchcase(operation_id, wanted):
                by_folded.setdefault(operation_id.casefold(), f"{api_id}:{operation_id}")
    found = get_close_matches(wanted.casefold(), list(by_folded), n=3, cutoff=0.6)
    return tuple(dict.fromkeys(sign + by_folded[name] for name in found))
