"""Verifying: whether all that a store holds can be read, and fits together. Nothing is changed.

What a value means is not known here; whether it could be served, who verifies asks elsewhere.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, or_, select, text, tuple_

from toolway.problem import Problem
from toolway.store.errors import MasterKeyError
from toolway.store.model import MASK, Change
from toolway.store.queries import kept
from toolway.store.record import facets
from toolway.store.sealing import place_of
from toolway.store.tables import changes, links, resources, revisions
from toolway.store.tables import facets as facets_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from toolway.store.sealing import Sealer

CODES = MappingProxyType(
    {
        "store-database": "The database itself is damaged.",
        "store-history": "The revisions and their changes do not fit together.",
        "store-index": "What the store looks things up by is not what the changes say.",
        "store-record": "A change cannot be read.",
        "store-reference": "A resource refers to one that is not there.",
        "store-secret": "A sealed secret does not open with the master key.",
    }
)
"""Code -> what it means, in alphabetical order."""

_PAGE = 1000
_PLACE = (changes.c.revision, changes.c.position)


def problems(connection: Connection, sealer: Sealer) -> Iterator[Problem]:
    """Everything that is wrong, with pointers `/KIND/ID` to resources, and `/revisions/NUMBER` to others."""
    if connection.dialect.name == "sqlite":
        for (said,) in connection.execute(text("PRAGMA integrity_check")):
            if said != "ok":
                yield Problem("store-database", f"SQLite says: {said}", pointer="/")
    yield from _history(connection)
    yield from _records(connection, sealer)
    yield from _present(connection)
    yield from _dangling(connection)


def _history(connection: Connection) -> Iterator[Problem]:
    first, latest = kept(connection)
    counted = select(changes.c.revision, func.count().label("size")).where(changes.c.revision >= first)
    sizes = {row.revision: row.size for row in connection.execute(counted.group_by(changes.c.revision))}
    expected = first
    for row in connection.execute(select(revisions.c.number, revisions.c.size).order_by(revisions.c.number)):
        if row.number != expected:
            yield _of_revision(expected, f"it is missing, and {row.number} comes next")
        expected = row.number + 1
        found = sizes.pop(row.number, 0)
        if found != row.size:
            yield _of_revision(row.number, f"it changed {row.size} resources, and {found} changes are there")
    for number in sorted(sizes):
        yield _of_revision(number, f"changes are there of a revision that is not; the latest is {latest}")


def _of_revision(number: int, message: str) -> Problem:
    return Problem("store-history", message, pointer=f"/revisions/{number}")


def _records(connection: Connection, sealer: Sealer) -> Iterator[Problem]:
    after = (-1, -1)
    while True:
        query = select(changes).where(tuple_(*_PLACE) > after).order_by(*_PLACE).limit(_PAGE)
        rows = connection.execute(query).all()
        for row in rows:
            yield from _record(row, sealer)
        if len(rows) < _PAGE:
            return
        after = (rows[-1].revision, rows[-1].position)


def _record(row: Any, sealer: Sealer) -> Iterator[Problem]:
    at = _pointer(row)
    told = f"in revision {row.revision}"
    try:
        value = None if row.value is None else json.loads(row.value)
        sealed = json.loads(row.secrets or "{}")
        [(str(kind), str(identifier)) for kind, identifier in json.loads(row.refers or "[]")]
    except (ValueError, TypeError):
        yield Problem("store-record", f"{told} it is not the JSON that was written", pointer=at)
        return
    if not isinstance(sealed, dict) or not (value is None or isinstance(value, dict)):
        yield Problem("store-record", f"{told} it is not an object", pointer=at)
        return
    for pointer, token in sealed.items():
        holder, name = place_of(value, pointer)
        if holder is None or holder[name] != MASK:
            yield Problem(
                "store-record", f"{told} nothing is left out at {pointer}, where a secret was", pointer=at
            )
        try:
            sealer.opened(row.kind, row.id, pointer, token)
        except MasterKeyError as error:
            yield Problem("store-secret", f"{told}: {error}", pointer=at)


def _present(connection: Connection) -> Iterator[Problem]:
    """Whether `resources`, `facets` and `links` are what the latest changes say."""
    same = and_(changes.c.kind == resources.c.kind, changes.c.id == resources.c.id)
    exact = and_(
        same,
        changes.c.revision == resources.c.modified_index,
        changes.c.position == resources.c.modified_position,
        changes.c.value.is_not(None),
    )
    later = and_(same, changes.c.revision > resources.c.modified_index)
    wrong = or_(~exists().where(exact), exists().where(later))
    for row in connection.execute(select(resources.c.kind, resources.c.id).where(wrong)):
        yield Problem(
            "store-index", "its latest change is not the one it is read from", pointer=_pointer(row)
        )
    other = changes.alias()
    follows = and_(
        other.c.kind == changes.c.kind, other.c.id == changes.c.id, other.c.revision > changes.c.revision
    )
    lost = and_(changes.c.value.is_not(None), ~exists().where(follows), ~exists().where(same))
    for row in connection.execute(select(changes.c.kind, changes.c.id).where(lost)):
        yield Problem("store-index", "it was written and cannot be found", pointer=_pointer(row))
    found = select(changes).select_from(resources.join(changes, exact))
    ordered = found.order_by(changes.c.kind, changes.c.id)
    after = ("", "")
    while True:
        key = tuple_(changes.c.kind, changes.c.id)
        rows = connection.execute(ordered.where(key > after).limit(_PAGE)).all()
        yield from _looked_up(connection, rows)
        if len(rows) < _PAGE:
            return
        after = (rows[-1].kind, rows[-1].id)


def _looked_up(connection: Connection, rows: Any) -> Iterator[Problem]:
    keys = [(row.kind, row.id) for row in rows]
    there: dict[tuple[str, str], set[tuple[str, ...]]] = {key: set() for key in keys}
    for table, columns in ((facets_table, ("field", "text")), (links, ("to_kind", "to_id"))):
        query = select(table).where(tuple_(table.c.kind, table.c.id).in_(keys))
        for row in connection.execute(query):
            there[row.kind, row.id].add((table.name, *(getattr(row, column) for column in columns)))
    for row in rows:
        try:
            references = tuple((kind, identifier) for kind, identifier in json.loads(row.refers or "[]"))
            change = Change(row.kind, row.id, json.loads(row.value), references)
            expected = {(facets_table.name, *pair) for pair in facets(change)}
        except (ValueError, TypeError, AttributeError):
            continue  # It was told as a change that cannot be read.
        if there[row.kind, row.id] != expected | {(links.name, *pair) for pair in references}:
            yield Problem(
                "store-index", "lists and references do not find it as it is", pointer=_pointer(row)
            )


def _dangling(connection: Connection) -> Iterator[Problem]:
    target = and_(resources.c.kind == links.c.to_kind, resources.c.id == links.c.to_id)
    query = select(links).where(~exists().where(target)).order_by(links.c.kind, links.c.id)
    for row in connection.execute(query):
        message = f"it refers to {row.to_kind}/{row.to_id}, which is not there"
        yield Problem("store-reference", message, pointer=_pointer(row))


def _pointer(row: Any) -> str:
    return f"/{row.kind}/{row.id.replace('~', '~0').replace('/', '~1')}"
