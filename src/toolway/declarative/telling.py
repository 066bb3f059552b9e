"""Plans in words: a line for each resource, and one for each place in it that changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from toolway.config.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SIGNS = {"make": "+", "change": "~", "delete": "-"}
_SHOWN = 200
_ABSENT = object()


def lines_of(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each line of a plan, and the action that it belongs to."""
    for change in plan["changes"]:
        action = change["action"]
        word = KINDS[change["kind"]].word if change["kind"] in KINDS else change["kind"]
        yield action, f"{_SIGNS.get(action, '?')} {word} {change['id']}"
        for difference in change.get("differences", ()):
            before = _shown(difference.get("before", _ABSENT))
            after = _shown(difference.get("after", _ABSENT))
            if before == after:
                after = f"{after} (another)"
            yield action, f"    {difference['pointer'] or '/'}: {before} -> {after}"


def summary_of(plan: Mapping[str, Any], *, is_done: bool) -> str:
    """The last line: how many of what."""
    actions = [change["action"] for change in plan["changes"]]
    if not actions:
        return f"nothing to change; {plan['unchanged']} as they should be"
    made, changed, deleted = (actions.count(action) for action in ("make", "change", "delete"))
    if is_done:
        return f"{made} made, {changed} changed, {deleted} deleted: revision {plan['revision']}"
    return f"{made} to make, {changed} to change, {deleted} to delete; {plan['unchanged']} as they should be"


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "(none)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
