"""Trimming the history: revisions that are not kept any more are taken out, a few with each write.

What a kept revision was, and what was before the first of them, can still be told: of each resource the
change that was the latest then stays. Numbers are never given anew, and the latest revision always stays.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, tuple_

from toolway.store.queries import kept
from toolway.store.tables import changes, revisions

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from toolway.store.model import Retention

_MOST_AT_ONCE = 200
_CHANGES_AT_ONCE = 2000
"""Revisions, and the changes in all but the last of them, so that no write waits long for a long history."""


def trim(connection: Connection, retention: Retention) -> int:
    """Takes out revisions that `retention` does not keep, the oldest first: how many."""
    first, latest = kept(connection)
    last = min(first - 1 + _MOST_AT_ONCE, latest - 1)
    until = min(last, latest - retention.revisions)
    if retention.seconds is not None:
        until = max(until, _older(connection, last, retention.seconds))
    until = _bounded(connection, first, until)
    if until < first:
        return 0
    _forget(connection, first, until)
    return until - first + 1


def _bounded(connection: Connection, first: int, until: int) -> int:
    """The last revision up to `until` before which there are not too many changes."""
    query = select(revisions.c.number, revisions.c.size).where(revisions.c.number.between(first, until))
    changed = 0
    for row in connection.execute(query.order_by(revisions.c.number)):
        if changed > _CHANGES_AT_ONCE:
            return int(row.number) - 1
        changed += row.size
    return until


def _older(connection: Connection, last: int, seconds: float) -> int:
    """The latest revision up to `last` that was written longer ago; 0 where there is none."""
    before = int((time.time() - seconds) * 1e6)
    query = select(func.max(revisions.c.number)).where(revisions.c.number <= last, revisions.c.time < before)
    return connection.scalar(query) or 0


def _forget(connection: Connection, first: int, until: int) -> None:
    """Takes out the revisions from `first` to `until`, and the changes that no kept revision needs."""
    touched = select(changes.c.kind, changes.c.id).where(changes.c.revision.between(first, until))
    same = changes.alias()
    last = (
        select(func.max(same.c.revision))
        .where(same.c.kind == changes.c.kind, same.c.id == changes.c.id, same.c.revision <= until)
        .correlate(changes)
        .scalar_subquery()
    )
    superseded = tuple_(changes.c.kind, changes.c.id).in_(touched), changes.c.revision < last
    connection.execute(delete(changes).where(*superseded))
    # That a resource was deleted need not be remembered where nothing tells of it before.
    gone = changes.c.revision.between(first, until), changes.c.value.is_(None)
    connection.execute(delete(changes).where(*gone))
    connection.execute(delete(revisions).where(revisions.c.number <= until))
