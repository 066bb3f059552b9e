"""Variants: which selections of an app's tools its callers can be shown, by the roles that they have.

A tool asks for one role of each of its rules. Two callers who satisfy the same rules see the same, so there
are as many variants as there are sets of rules that a caller can satisfy; roles that include each other make
few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.apps.names import tool_names
from toolway.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Collection

    from toolway.apps.model import AppView

Rule = tuple[str, ...]

MOST = 16
"""Variants of one document; what no variant shows whole, a caller sees a part of."""

_LOOKED_AT = 1000
"""Sets of rules; many of them may show the same tools."""


def asks_for_roles(view: AppView) -> bool:
    """Whether not every caller is shown everything."""
    return any(selected.roles for selected in view.operations)


def shown_to(view: AppView, roles: Collection[str] | None) -> frozenset[str]:
    """The names of the tools that a caller with these roles may call; none: of all tools."""
    return frozenset(
        name
        for selected, name in zip(view.operations, tool_names(view), strict=True)
        if roles is None or all(set(rule) & set(roles) for rule in selected.roles)
    )


def variants(view: AppView) -> list[frozenset[str]]:
    """The names of the tools in each variant, those with the most first; the last is for everybody.

    At most 16. A tool that nobody may call is in none.
    """
    return sorted(_shown(view)[:MOST], key=lambda names: (-len(names), sorted(names)))


def variant_problems(view: AppView) -> list[Problem]:
    """Whether there are more variants than are made."""
    if len(_shown(view)) <= MOST:
        return []
    return [
        Problem(
            "actions-many-variants",
            f"the app's callers can have more than {MOST} different sets of operations, so the document may "
            "show some less than they may call",
            pointer="/operations",
            hint="ask for fewer roles, or make several apps",
            kind="warning",
        )
    ]


def _shown(view: AppView) -> list[frozenset[str]]:
    """The names of the tools in each variant, those first that matter most, should there be too many."""
    named = list(zip(view.operations, tool_names(view), strict=True))
    found: dict[frozenset[str], None] = {}
    for satisfied in _satisfiable(view):
        found[frozenset(name for selected, name in named if satisfied.issuperset(selected.roles))] = None
    return list(found)


def _satisfiable(view: AppView) -> list[frozenset[Rule]]:
    """The sets of rules that callers can satisfy: none, what one role does, and what several do together."""
    rules = {rule for selected in view.operations for rule in selected.roles}
    roles = sorted({role for rule in rules for role in rule})
    alone = [frozenset(rule for rule in rules if role in rule) for role in roles]
    # First nobody, everybody, and each role for itself.
    found = dict.fromkeys([frozenset[Rule](), frozenset(rule for rule in rules if rule), *alone])
    for together in alone:
        for others in list(found):
            if len(found) >= _LOOKED_AT:
                return list(found)
            found[together | others] = None
    return list(found)
