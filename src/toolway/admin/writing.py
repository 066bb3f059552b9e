"""Writing one resource: PUT, POST, PATCH and DELETE.

What a write is based on is read first, and must still be so when it happens: a client's own condition that
fails is a 409, and without one the write is made anew on what came between.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toolway.admin.answers import Answer, Refusal, invalid, not_found
from toolway.admin.expiry import expiry_change
from toolway.admin.masking import restored
from toolway.admin.operation import NO_BODY
from toolway.admin.patching import merged, replaced
from toolway.admin.reading import entry
from toolway.admin.references import everything, hindrances
from toolway.config.source import pointer_to
from toolway.live import Conflict
from toolway.problem import ConfigurationError, Problem
from toolway.store import Change, Key, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolway.admin.operation import Call, Context
    from toolway.admin.resources import ResourceKind

ATTEMPTS = 8
"""How often a write without a condition is made anew before it is given up."""
TIMES = ("create_time", "update_time")
_OF_APISIX = ("forbidden-field", "unknown-reference", "duplicate-plugin")
"""Reasons for which APISIX has words."""


def put(kind: ResourceKind, context: Context, call: Call) -> Answer:
    """Makes or replaces a resource: 201 or 200."""
    given = call.object()
    identifier = kind.identifier(call.path, given)
    return _written(kind, context, call, identifier, lambda _before: given, is_put=True)


def post(kind: ResourceKind, context: Context, call: Call) -> Answer:
    """Makes a resource with an id of the gateway's choice: 201."""
    given = call.object()
    identifier = kind.identifier(call.path, given, is_post=True)
    return _written(kind, context, call, identifier, lambda _before: given, is_put=True)


def patch(kind: ResourceKind, context: Context, call: Call) -> Answer:
    """Merges the body into a resource: 200."""
    change = call.object()
    identifier = kind.identifier(call.path)
    return _written(kind, context, call, identifier, lambda before: merged(before, change))


def patch_part(kind: ResourceKind, context: Context, call: Call) -> Answer:
    """Replaces what stands at the sub-path: 200."""
    if call.body is NO_BODY:
        raise Refusal(400, "missing new configuration")
    identifier = kind.identifier(call.path)
    path = [part for part in call.path["path"].split("/") if part]
    if not path:
        raise Refusal(400, "invalid sub-path: /")
    if path[0] in TIMES:
        raise Refusal(400, f"the property is forbidden: {path[0]}")
    return _written(kind, context, call, identifier, lambda before: replaced(before, path, call.body))


def delete(kind: ResourceKind, context: Context, call: Call) -> Answer:
    """Deletes a resource; what others use only with force. A consumer's credentials go with it."""
    writer = context.writing()
    identifier = kind.identifier(call.path)
    force = call.query.get("force") == "true"
    for attempt in range(ATTEMPTS):
        before = context.records.get(kind.name, identifier)
        if before is None:
            raise not_found()
        expect = expected(call, kind.name, identifier, before)
        changes = [Change(kind.name, identifier, None)]
        if kind.name == "consumers":
            _, below = context.records.list("credentials", page=1, page_size=None, under=identifier)
            changes += [Change("credentials", each.id, None) for each in below]
        if found := hindrances(context, changes, force=force):
            raise Refusal(400, found[0].message)
        changes += expiry_change(context.records, kind.name, identifier, None)
        try:
            note = f"DELETE {kind.key(identifier)}"
            writer.write(changes, actor=call.actor, note=note, expect=expect, force=force)
        except Conflict as conflict:
            give_up(call, attempt, conflict)
        except ConfigurationError as error:
            raise invalid(error.problems) from error
        else:
            return Answer(200, {"deleted": "1", "key": kind.key(identifier)})
    raise _moving()


def _written(
    kind: ResourceKind,
    context: Context,
    call: Call,
    identifier: str,
    make: Callable[[dict[str, Any]], Any],
    *,
    is_put: bool = False,
) -> Answer:
    writer = context.writing()
    for attempt in range(ATTEMPTS):
        before = context.records.get(kind.name, identifier)
        if before is None and not is_put:
            raise not_found()
        expect = expected(call, kind.name, identifier, before)
        made = make(before.value if before else {})
        change, wrong = change_of(kind, context, identifier, made, before)
        wrong += _forbidden(call.body, change)
        check_possible(context, change, wrong)
        try:
            note = f"{'PUT' if is_put else 'PATCH'} {kind.key(identifier)}"
            changes = [change, *expiry_change(context.records, kind.name, identifier, call.query.get("ttl"))]
            revision = writer.write(changes, actor=call.actor, note=note, expect=expect)
        except Conflict as conflict:
            give_up(call, attempt, conflict)
        except ConfigurationError as error:
            raise invalid(of_one(error.problems, kind.name, identifier)) from error
        else:
            if call.query.get("ttl"):
                context.expires()
            return _answer(context, kind, change, before, revision)
    raise _moving()


def change_of(
    kind: ResourceKind, context: Context, identifier: str, made: Any, before: Resource | None
) -> tuple[Change, list[Problem]]:
    """The change that writes `made`, with the id, times and secrets that it has to have, and what is wrong
    with it: with problems it must not be written.
    """
    if not isinstance(made, dict):
        raise Refusal(400, "invalid configuration: expected an object")
    value, found = restored(
        context.secret_places,
        kind.name,
        made,
        before.value if before else None,
        lambda pointer, text: context.opened(kind.name, identifier, pointer, text),
    )
    now = int(time.time())
    created = before.value.get("create_time") if before else None
    value |= {kind.id_field: kind.value_id(identifier), "create_time": created or now, "update_time": now}
    start = pointer_to(kind.name, identifier)
    wrong = [replace(problem, pointer=start + problem.pointer) for problem in found]
    return Change(kind.name, identifier, value, tuple(kind.config.references(identifier, value))), wrong


def check_possible(context: Context, change: Change, wrong: Sequence[Problem]) -> None:
    """Raises Refusal with all that is wrong where a change is known to be impossible: for its problems
    `wrong`, or for what lies between resources. A reason that is alone, and for which APISIX has words, is
    told in these.
    """
    own = [*wrong, *hindrances(context, [change])]
    if not own:
        return
    problems = of_one(everything(context, [change], own), change.kind, change.id)
    if len(problems) == 1 and problems[0].code in _OF_APISIX:
        raise Refusal(400, problems[0].message)
    raise invalid(problems)


def expected(call: Call, kind: str, identifier: str, before: Resource | None) -> dict[Key, int]:
    """What must still be so when the write happens. Raises Refusal where the client's condition fails."""
    index = before.modified_index if before else 0
    wanted = call.headers.get("if-match")
    if wanted is not None and not (index and (wanted == "*" or index in _indexes(wanted))):
        now = f"its modifiedIndex is {index}" if index else "there is none"
        raise Refusal(409, f"the resource is not what If-Match says: {now}")
    if call.headers.get("if-none-match") == "*" and index:
        raise Refusal(409, f"there is one already: its modifiedIndex is {index}")
    return {(kind, identifier): index}


def give_up(call: Call, attempt: int, conflict: Conflict) -> None:
    """Raises Refusal where a conflict is the client's to resolve; else the write is made anew."""
    if {"if-match", "if-none-match"} & set(call.headers) or attempt == ATTEMPTS - 1:
        raise Refusal(409, "the resource was changed by another write meanwhile") from conflict


def of_one(problems: Sequence[Problem], kind: str, identifier: str) -> list[Problem]:
    """Problems of a write of one resource, with pointers into its value."""
    start = pointer_to(kind, identifier)
    return [
        Problem(problem.code, problem.message, pointer=problem.pointer.removeprefix(start), hint=problem.hint)
        if problem.pointer == start or problem.pointer.startswith(f"{start}/")
        else problem
        for problem in problems
    ]


def _answer(
    context: Context, kind: ResourceKind, change: Change, before: Resource | None, revision: int
) -> Answer:

    made = before.created_index if before else revision
    value = kind.config.completed(change.value or {})
    resource = Resource(kind.name, change.id, value, made, revision)
    return Answer(200 if before else 201, entry(context, kind, resource), {"etag": f'"{revision}"'})


def _forbidden(given: Any, change: Change) -> list[Problem]:
    """That a body says what is the gateway's to say."""
    found = [name for name in TIMES if isinstance(given, dict) and name in given]
    if not found:
        return []
    said = f"the property is forbidden: {', '.join(found)}"
    return [Problem("forbidden-field", said, pointer=pointer_to(change.kind, change.id, found[0]))]


def _indexes(header: str) -> set[int]:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return {int(tag) for tag in tags if tag.isascii() and tag.isdigit() and len(tag) < 19}


def _moving() -> Refusal:
    return Refusal(409, "others write the same resource all the time; try again")
