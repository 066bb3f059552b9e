"""History: every write is a revision; revisions are listed, shown, compared and brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.admin.answers import Answer, Refusal, invalid
from toolway.admin.masking import shown
from toolway.live import Conflict
from toolway.problem import ConfigurationError
from toolway.store import UnknownRevision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.admin.operation import Call, Context, History
    from toolway.store import Revision

PAGE_SIZE = 50


def list_revisions(context: Context, call: Call) -> Answer:
    """Revisions, the latest first."""
    size = call.query.get("page_size", PAGE_SIZE)
    total, found = _history(context).revisions(call.query.get("page", 1), size)
    return Answer(200, {"total": total, "list": [_told(revision) for revision in found]})


def get_revision(context: Context, call: Call) -> Answer:
    """One revision with its changes, secrets as `***`."""
    try:
        revision = _history(context).revision_at(_number(call))
    except UnknownRevision as error:
        raise Refusal(404, str(error)) from error
    changes = [
        {"kind": each.kind, "id": each.id, "value": _shown(context, each.kind, each.value)}
        for each in revision.changes
    ]
    return Answer(200, {**_told(revision), "changes": changes})


def diff_revisions(context: Context, call: Call) -> Answer:
    """What differs between a revision and another: by default the one before it."""
    after = _number(call)
    before = call.query.get("against", after - 1)
    try:
        found = _history(context).diff(before, after)
    except UnknownRevision as error:
        raise Refusal(404, str(error)) from error
    differences = [
        {
            "kind": each.kind,
            "id": each.id,
            "before": _shown(context, each.kind, each.before),
            "after": _shown(context, each.kind, each.after),
            "places": list(each.places),
        }
        for each in found
    ]
    return Answer(200, {"before": before, "after": after, "differences": differences})


def roll_back(context: Context, call: Call) -> Answer:
    """Brings the state of a revision back, as a new revision."""
    writer, history = context.writing(), _history(context)
    number = _number(call)
    try:
        changes = history.restore(number)
    except UnknownRevision as error:
        raise Refusal(404, str(error)) from error
    if not changes:
        return Answer(200, {"revision": context.records.revision(), "changes": 0})
    try:
        note = f"rollback to revision {number}"
        revision = writer.write(changes, actor=call.actor, note=note)
    except Conflict as error:
        raise Refusal(409, "the configuration was changed by another write meanwhile") from error
    except ConfigurationError as error:
        raise invalid(error.problems) from error
    return Answer(200, {"revision": revision, "changes": len(changes)})


def _history(context: Context) -> History:
    if context.history is None:
        raise Refusal(404, f"there is no history here: {context.read_only}")
    return context.history


def _number(call: Call) -> int:
    text = call.path["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) >= 1):
        raise Refusal(404, f"there is no revision {text[:100]!r}; they have numbers from 1")
    return int(text)


def _shown(context: Context, kind: str, value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A value of the past; the store has put `***` in place of what it seals, and digests are left."""
    return None if value is None else shown(context.secret_places, kind, value)


def _told(revision: Revision) -> dict[str, Any]:
    return {
        "revision": revision.number,
        "time": revision.time,
        "actor": revision.actor,
        "note": revision.note,
        "size": revision.size,
    }
