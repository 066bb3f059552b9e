"""The history: what revisions were, what differs between two, and what brings an earlier state back.

Secrets leave here only in the changes that are to be written again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from toolway.store.errors import UnknownRevision
from toolway.store.model import Change, Difference, Revision
from toolway.store.queries import kept, states
from toolway.store.record import references
from toolway.store.tables import changes, revisions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from toolway.store.record import Records


def listed(connection: Connection, page: int, size: int) -> tuple[int, list[Revision]]:
    """How many revisions there are, and those of the page without their changes, the latest first."""
    total = connection.scalar(select(func.count()).select_from(revisions)) or 0
    query = select(revisions).order_by(revisions.c.number.desc()).limit(size).offset((page - 1) * size)
    return total, [_revision(row) for row in connection.execute(query)]


def revision_at(connection: Connection, records: Records, number: int) -> Revision:
    """A revision with its changes. Raises UnknownRevision."""
    row = connection.execute(select(revisions).where(revisions.c.number == number)).one_or_none()
    if row is None:
        raise UnknownRevision(number, *kept(connection))
    query = select(changes).where(changes.c.revision == number).order_by(changes.c.position)
    found = tuple(
        Change(change.kind, change.id, records.value(change, masked=True), references(change))
        for change in connection.execute(query)
    )
    return _revision(row, found)


def since(connection: Connection, records: Records, number: int) -> list[Change]:
    """The net effect of the revisions after `number`. Raises UnknownRevision."""
    head = _known(connection, number)
    return [
        Change(row.of_kind, row.of_id, records.value(row), references(row))
        for row in connection.execute(states(number, head, head))
    ]


def back_to(connection: Connection, records: Records, number: int) -> list[Change]:
    """The changes that bring the state of revision `number` back. Raises UnknownRevision.

    What was before the first revision that is kept can be had too, as far as it is told by a difference.
    """
    head = _known(connection, number)
    now = {(row.of_kind, row.of_id): row for row in connection.execute(states(number, head, head))}
    found = []
    for row in connection.execute(states(number, head, number)):
        value = records.value(row)
        if value != records.value(now[row.of_kind, row.of_id]):
            found.append(Change(row.of_kind, row.of_id, value, references(row)))
    return found


def between(connection: Connection, records: Records, first: int, second: int) -> list[Difference]:
    """What differs from revision `first` to `second`, which may be the earlier. Raises UnknownRevision."""
    _known(connection, max(first, second))
    _known(connection, min(first, second))
    low, high = sorted((first, second))
    before = connection.execute(states(low, high, first))
    after = {(row.of_kind, row.of_id): row for row in connection.execute(states(low, high, second))}
    found = []
    for row in before:
        later = after[row.of_kind, row.of_id]
        places = tuple(_places(records.value(row), records.value(later), ""))
        if places:
            old, new = (records.value(state, masked=True) for state in (row, later))
            found.append(Difference(row.of_kind, row.of_id, old, new, places))
    return found


def _known(connection: Connection, number: int) -> int:
    """The latest revision. What was at `number` must be known: from what was before the first one on."""
    first, head = kept(connection)
    if not first - 1 <= number <= head:
        raise UnknownRevision(number, first, head)
    return head


def _revision(row: Any, found: tuple[Change, ...] = ()) -> Revision:
    return Revision(row.number, row.time / 1e6, row.actor, row.note, row.size, found)


def _places(before: Any, after: Any, pointer: str) -> Iterator[str]:
    """Pointers to what is not the same, as deep as both sides are objects."""
    if before == after and type(before) is type(after):
        return
    if not isinstance(before, dict) or not isinstance(after, dict):
        yield pointer
        return
    for name in dict.fromkeys((*before, *after)):
        below = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
        if name in before and name in after:
            yield from _places(before[name], after[name], below)
        else:
            yield below
