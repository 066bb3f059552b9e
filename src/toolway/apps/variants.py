"""Variants: which selections of an app's tools its callers can be shown, by the roles that they have.

A tool asks for one role of each of its rules. Two callers who satisfy the same rules see the same, so there
are as many variants as there are sets of rules that a caller can satisfy; roles that include each other make
few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.apps.names import tool_names

if TYPE_CHECKING:
    from toolway.apps.model import AppView

Rule = tuple[str, ...]

MOST = 32
"""Variants of one document; what no variant shows whole, a caller sees a part of."""


def asks_for_roles(view: AppView) -> bool:
    """Whether not every caller is shown everything."""
    return any(selected.roles for selected in view.operations)


def variants(view: AppView) -> list[frozenset[str]]:
    """The names of the tools in each variant, those with the most first; the last is for everybody.

    At most 32. A tool that nobody may call is in none.
    """
    named = list(zip(view.operations, tool_names(view), strict=True))

    def shown(satisfied: frozenset[Rule]) -> frozenset[str]:
        return frozenset(name for selected, name in named if satisfied.issuperset(selected.roles))

    found = dict.fromkeys(shown(satisfied) for satisfied in _satisfiable(view))
    return sorted(found, key=lambda names: (-len(names), sorted(names)))


def is_cut(view: AppView) -> bool:
    """Whether there are more variants than are made."""
    return len(_satisfiable(view)) >= MOST


def _satisfiable(view: AppView) -> list[frozenset[Rule]]:
    """The sets of rules that callers can satisfy: none, what one role does, and what several do together."""
    rules = {rule for selected in view.operations for rule in selected.roles}
    roles = sorted({role for rule in rules for role in rule})
    alone = [frozenset(rule for rule in rules if role in rule) for role in roles]
    # First those that matter most, should there be too many: nobody, everybody, and each role for itself.
    found = dict.fromkeys([frozenset[Rule](), frozenset(rule for rule in rules if rule), *alone])
    for together in alone:
        for others in list(found):
            if len(found) >= MOST:
                return list(found)[:MOST]
            found[together | others] = None
    return list(found)
