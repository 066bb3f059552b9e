"""What lies between resources: references that lead somewhere, uses that stand in the way of deleting.

Told in APISIX's words before the live gateway is asked, which holds the same rules in its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.admin.answers import Refusal
from toolway.admin.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from toolway.admin.operation import Context
    from toolway.admin.resources import ResourceKind
    from toolway.store import Change, Key


def check_references(context: Context, changes: Sequence[Change]) -> None:
    """Raises Refusal where a change refers to what is not there once all of them are made."""
    written = {(change.kind, change.id): change.value is not None for change in changes}
    known: set[Key] = set()
    for change in changes:
        for reference in change.references:
            if reference in known:
                continue
            is_there = written.get(reference)
            if is_there is None:
                is_there = context.records.get(*reference) is not None
            if not is_there:
                raise _dangling(*reference)
            known.add(reference)


def check_unused(context: Context, kind: ResourceKind, identifier: str, written: Collection[Key]) -> None:
    """Raises Refusal where something refers to a resource and is not itself among those that are `written`
    with it.
    """
    users = [user for user in context.records.referrers(kind.name, identifier) if user not in written]
    if users:
        raise kind.refusal(users)


def check_plugins_are_new(context: Context, changes: Sequence[Change]) -> None:
    """Raises Refusal where two global rules would have the same plugin."""
    if not any(change.kind == "global_rules" and change.value for change in changes):
        return
    written = {change.id: change.value for change in changes if change.kind == "global_rules"}
    rules = {rule.id: rule.value for rule in context.records.scan("global_rules") if rule.id not in written}
    owners: dict[str, str] = {}
    for identifier, value in (*rules.items(), *written.items()):
        plugins = (value or {}).get("plugins")
        for name in plugins if isinstance(plugins, dict) else ():
            if name in owners and identifier in written:
                raise Refusal(400, f"plugin '{name}' already exists in global rule with id '{owners[name]}'")
            owners.setdefault(name, identifier)


def _dangling(kind: str, identifier: str) -> Refusal:
    singular = RESOURCES[kind].singular
    by = "name" if kind == "consumers" else "id"
    return Refusal(
        400, f"failed to fetch {singular} info by {singular} {by} [{identifier}], response code: 404"
    )
