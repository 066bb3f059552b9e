"""What lies between resources: references that lead somewhere, plugins of global rules, uses that stand in
the way of deleting.

Told in APISIX's words, with pointers `/KIND/ID...` as the live gateway has them. It knows most of this in
its own words; `everything` brings both together, so that a client sees all that is wrong at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.admin.resources import RESOURCES
from toolway.config.source import pointer_to
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolway.admin.operation import Context
    from toolway.store import Change, Key

_USERS_TOLD = 10


def hindrances(context: Context, changes: Sequence[Change], *, force: bool = False) -> list[Problem]:
    """What keeps the changes from being made together, but for what is wrong within one of them. `force`
    deletes what others use.
    """
    found = [*_dangling(context, changes), *_doubled_plugins(context, changes)]
    return found if force else [*found, *_uses(context, changes)]


def everything(context: Context, changes: Sequence[Change], own: Sequence[Problem]) -> list[Problem]:
    """The problems `own`, which keep the changes from being made, and whatever else is wrong with them."""
    try:
        context.check(changes)
    except ConfigurationError as error:
        told = {problem.pointer for problem in own}
        return [*own, *(problem for problem in error.problems if problem.pointer not in told)]
    return list(own)


def _dangling(context: Context, changes: Sequence[Change]) -> Iterator[Problem]:
    """References to what is not there once all changes are made."""
    written = {(change.kind, change.id): change.value is not None for change in changes}
    for change in changes:
        for reference in change.references:
            if reference not in written:
                written[reference] = context.records.get(*reference) is not None
            if not written[reference]:
                place = RESOURCES[change.kind].config.place(change.value or {}, reference)
                pointer = pointer_to(change.kind, change.id) + place
                yield Problem("unknown-reference", _missing(*reference), pointer=pointer)


def _missing(kind: str, identifier: str) -> str:
    singular = RESOURCES[kind].singular
    by = "name" if kind == "consumers" else "id"
    return f"failed to fetch {singular} info by {singular} {by} [{identifier}], response code: 404"


def _uses(context: Context, changes: Sequence[Change]) -> Iterator[Problem]:
    """Who refers to what is deleted and is not itself among those that are written."""
    written = {(change.kind, change.id) for change in changes}
    for change in changes:
        if change.value is None and change.kind in RESOURCES:
            users = [
                user for user in context.records.referrers(change.kind, change.id) if user not in written
            ]
            for user in users[:_USERS_TOLD]:
                message = _still_used(change.kind, user)
                yield Problem("resource-in-use", message, pointer=pointer_to(change.kind, change.id))


def _still_used(kind: str, user: Key) -> str:
    own = RESOURCES[kind]
    using = f"{RESOURCES[user[0]].singular} [{user[1]}] is still using it now"
    return f"can not delete {own.in_use.format(singular=own.singular)}, {using}"


def _doubled_plugins(context: Context, changes: Sequence[Change]) -> Iterator[Problem]:
    """Plugins that two global rules would have."""
    if not any(change.kind == "global_rules" and change.value for change in changes):
        return
    written = {change.id: change.value for change in changes if change.kind == "global_rules"}
    rules = {rule.id: rule.value for rule in context.records.scan("global_rules") if rule.id not in written}
    owners: dict[str, str] = {}
    for identifier, value in (*rules.items(), *written.items()):
        plugins = (value or {}).get("plugins")
        for name in plugins if isinstance(plugins, dict) else ():
            if name in owners and identifier in written:
                message = f"plugin '{name}' already exists in global rule with id '{owners[name]}'"
                pointer = pointer_to("global_rules", identifier, "plugins", name)
                yield Problem("duplicate-plugin", message, pointer=pointer)
            owners.setdefault(name, identifier)
