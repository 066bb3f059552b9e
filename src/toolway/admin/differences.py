"""Differences between two values, place by place. Pure: what is compared and what is shown are told apart, so
that a secret that changed is told without being shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.admin.masking import holder_of, shown_at
from toolway.config.source import pointer_to

if TYPE_CHECKING:
    from collections.abc import Iterator


def differences(before: Any, after: Any, shown_before: Any, shown_after: Any) -> list[dict[str, Any]]:
    """Each place where `before` and `after` are not the same, with what is shown of both; a side that has
    nothing there has no field.
    """
    found: dict[str, dict[str, Any]] = {}
    for pointer in _places(before, after, ""):
        place = shown_at(pointer)
        told: dict[str, Any] = {"pointer": place}
        for side, value in (("before", shown_before), ("after", shown_after)):
            holder, member = holder_of(value, place)
            if holder is not None:
                told[side] = holder[member]
        found[place] = told
    return list(found.values())


def _places(before: Any, after: Any, pointer: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            below = pointer + pointer_to(name)
            if name in before and name in after:
                yield from _places(before[name], after[name], below)
            else:
                yield below
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _places(one, other, f"{pointer}/{index}")
    elif before != after or isinstance(before, bool) is not isinstance(after, bool):
        yield pointer
