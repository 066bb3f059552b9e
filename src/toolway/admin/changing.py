"""Many changes in one write: one revision and one swap, or none of it.

`bulk` takes changes one by one. `plan` and `apply` take what there should be: they find the changes that lead
there, tell them field by field, and delete only what the same owner applied before, which a label remembers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolway.admin.answers import Answer, Refusal, invalid
from toolway.admin.desired import LABEL, Desired, desired_of
from toolway.admin.differences import differences
from toolway.admin.expiry import cleared
from toolway.admin.masking import shown
from toolway.admin.reading import kind_named
from toolway.admin.references import everything, hindrances
from toolway.admin.resources import RESOURCES
from toolway.admin.writing import TIMES, change_of
from toolway.config.kinds import KINDS
from toolway.config.source import pointer_to
from toolway.live import Conflict
from toolway.problem import ConfigurationError, Problem
from toolway.store import Change

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolway.admin.operation import Call, Context
    from toolway.store import Key, Resource


@dataclass(slots=True)
class _Step:
    """A change with what it is based on and where it was asked for."""

    change: Change
    before: Resource | None
    origin: str
    wrong: Sequence[Problem] = ()
    """What keeps the change from being made, known before the others are looked at."""

    @property
    def action(self) -> str:
        if self.change.value is None:
            return "delete"
        return "change" if self.before else "make"


@dataclass(slots=True)
class _Plan:
    revision: int
    steps: list[_Step] = field(default_factory=list)
    unchanged: int = 0

    def told(self, context: Context) -> dict[str, Any]:
        """The plan as JSON data, without secrets."""
        return {
            "revision": self.revision,
            "changes": [_told(context, step) for step in self.steps],
            "unchanged": self.unchanged,
        }


def bulk(context: Context, call: Call) -> Answer:
    """Makes all of the changes or none."""
    body = call.fields("changes", "note", "force")
    given = body.get("changes")
    if not isinstance(given, list) or not given:
        raise Refusal(400, "invalid configuration: /changes: expected a list of changes")
    force = body.get("force", False)
    note = body.get("note", "bulk write")
    if not isinstance(force, bool) or not isinstance(note, str):
        raise Refusal(400, "invalid configuration: force is true or false, note a text")
    found = _Plan(context.records.revision())
    found.steps += [_asked(context, item, f"/changes/{index}") for index, item in enumerate(given)]
    _check_once(found.steps)
    revision = _write(context, call, found, note=note, force=force)
    return Answer(200, {**_counts(found), "revision": revision})


def plan(context: Context, call: Call) -> Answer:
    """What `apply` would do, without doing it."""
    found = _planned(context, call)
    _check(context, found, force=False)
    if found.steps:
        try:
            context.check([step.change for step in found.steps])
        except ConfigurationError as error:
            raise invalid(_at_origins(error.problems, found.steps)) from error
    return Answer(200, found.told(context))


def apply(context: Context, call: Call) -> Answer:
    """Leads to what there should be; tells what was done."""
    found = _planned(context, call)
    told = found.told(context)
    if found.steps:
        note = f"apply of {call.object().get('owner', OWNER)}"
        told["revision"] = _write(context, call, found, note=note, force=False)
    return Answer(200, told)


OWNER = "toolway"
"""Whose work it is where nobody says."""


def _planned(context: Context, call: Call) -> _Plan:
    context.writing()
    body = call.fields("resources", "owner", "base")
    owner = body.get("owner", OWNER)
    revision = context.records.revision()
    base = body.get("base", revision)
    if not isinstance(owner, str) or not owner:
        raise Refusal(400, "invalid configuration: /owner: expected a text")
    if not isinstance(base, int) or isinstance(base, bool) or base < 0:
        raise Refusal(400, "invalid configuration: /base: expected the number of a revision")
    if base != revision:
        raise Refusal(409, f"the configuration is at revision {revision}, and the plan was made for {base}")
    desired = desired_of(body.get("resources"), owner)
    found = _Plan(revision)
    deletions: list[_Step] = []
    steps: dict[Key, _Step] = {}
    for kind in KINDS:
        for resource in context.records.scan(kind):
            key = (kind, resource.id)
            if key in desired:
                step = _wanted(context, key, desired[key], resource)
                if step is None:
                    found.unchanged += 1
                    desired.pop(key)
                else:
                    steps[key] = step
            elif _owner(resource) == owner:
                deletions.append(_Step(Change(kind, resource.id, None), resource, ""))
    for key, wanted in desired.items():
        step = steps.get(key) or _wanted(context, key, wanted, None)
        if step is not None:
            found.steps.append(step)
    found.steps += reversed(deletions)
    return found


def _wanted(context: Context, key: Key, wanted: Desired, before: Resource | None) -> _Step | None:
    """The step that makes or changes a resource; none where it is as it should be."""
    kind = RESOURCES[key[0]]
    try:
        change, wrong = change_of(kind, context, key[1], wanted.value, before)
    except Refusal as refusal:
        raise Refusal(refusal.status, f"{wanted.origin}: {refusal.message}") from refusal
    if before is not None:
        completed = KINDS[key[0]].completed(change.value or {})
        if _plain(completed) == _plain(before.value):
            return None
    return _Step(change, before, wanted.origin, wrong)


def _asked(context: Context, item: Any, pointer: str) -> _Step:
    if not isinstance(item, dict) or not isinstance(item.get("kind"), str) or "value" not in item:
        raise Refusal(400, f"invalid configuration: {pointer}: expected kind, id and value")
    if unknown := set(item) - {"kind", "id", "value", "modifiedIndex"}:
        raise Refusal(400, f"invalid configuration: {pointer}: unknown fields {', '.join(sorted(unknown))}")
    try:
        kind = kind_named(item["kind"])
    except Refusal as refusal:
        raise Refusal(400, f"invalid configuration: {pointer}/kind: {refusal.message}") from refusal
    identifier = item.get("id")
    if not isinstance(identifier, str) or not kind.config.id_pattern.fullmatch(identifier):
        raise Refusal(400, f"invalid configuration: {pointer}/id: it is no id of a {kind.singular}")
    before = context.records.get(kind.name, identifier)
    index = before.modified_index if before else 0
    wanted = item.get("modifiedIndex", index)
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0:
        raise Refusal(400, f"invalid configuration: {pointer}/modifiedIndex: expected a whole number")
    if wanted != index:
        raise Refusal(409, f"{pointer}: the modifiedIndex of {kind.name}/{identifier} is {index}")
    if item["value"] is None:
        if before is None:
            raise Refusal(
                404, f"{pointer}: there is no {kind.name}/{identifier}", more={"message": "Key not found"}
            )
        return _Step(Change(kind.name, identifier, None), before, pointer)
    try:
        change, wrong = change_of(kind, context, identifier, item["value"], before)
        return _Step(change, before, f"{pointer}/value", wrong)
    except Refusal as refusal:
        raise Refusal(refusal.status, f"{pointer}/value: {refusal.message}") from refusal


def _check_once(steps: Sequence[_Step]) -> None:
    seen: set[Key] = set()
    for step in steps:
        key = (step.change.kind, step.change.id)
        if key in seen:
            raise Refusal(400, f"invalid configuration: {step.origin}: {'/'.join(key)} is written twice")
        seen.add(key)


def _check(context: Context, found: _Plan, *, force: bool) -> None:
    """Raises Refusal with everything that is wrong where the changes are known to be impossible."""
    changes = [step.change for step in found.steps]
    own = [problem for step in found.steps for problem in step.wrong]
    own += hindrances(context, changes, force=force)
    if own:
        raise invalid(_at_origins(everything(context, changes, own), found.steps))


def _write(context: Context, call: Call, found: _Plan, *, note: str, force: bool) -> int:
    writer = context.writing()
    _check(context, found, force=force)
    changes = [step.change for step in found.steps]
    expect = {
        (step.change.kind, step.change.id): step.before.modified_index if step.before else 0
        for step in found.steps
    }
    changes += cleared(context.records, expect)
    try:
        return writer.write(changes, actor=call.actor, note=note, expect=expect, force=force)
    except Conflict as error:
        raise Refusal(409, "the configuration was changed by another write meanwhile") from error
    except ConfigurationError as error:
        raise invalid(_at_origins(error.problems, found.steps)) from error


def _at_origins(problems: Sequence[Problem], steps: Sequence[_Step]) -> list[Problem]:
    """Problems with pointers into what was sent instead of into resources."""
    origins = {pointer_to(step.change.kind, step.change.id): step.origin for step in steps}
    return [_at_origin(problem, origins) for problem in problems]


def _at_origin(problem: Problem, origins: Mapping[str, str]) -> Problem:
    parts = problem.pointer.split("/", 3)
    start = "/".join(parts[:3])
    if start not in origins:
        return problem
    return Problem(
        problem.code,
        problem.message,
        pointer=origins[start] + problem.pointer[len(start) :],
        hint=problem.hint,
    )


def _told(context: Context, step: _Step) -> dict[str, Any]:
    change = step.change
    told: dict[str, Any] = {"action": step.action, "kind": change.kind, "id": change.id}
    if step.action == "change" and step.before is not None and change.value is not None:
        after = KINDS[change.kind].completed(change.value)
        told["differences"] = differences(
            _plain(step.before.value),
            _plain(after),
            shown(context.secret_places, change.kind, step.before.value),
            shown(context.secret_places, change.kind, after),
        )
    return told


def _counts(found: _Plan) -> dict[str, int]:
    actions = [step.action for step in found.steps]
    return {
        "made": actions.count("make"),
        "changed": actions.count("change"),
        "deleted": actions.count("delete"),
    }


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in TIMES}


def _owner(resource: Resource) -> Any:
    labels = resource.value.get("labels")
    return labels.get(LABEL) if isinstance(labels, dict) else None
