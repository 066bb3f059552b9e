"""Writing: one revision with its changes, and what `resources`, `facets` and `links` are after it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, select, text, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from toolway.store.errors import StaleBase
from toolway.store.queries import latest
from toolway.store.record import Records, facets, storable
from toolway.store.tables import changes, links, metadata, resources, revisions, sealing_keys
from toolway.store.tables import facets as facets_table
from toolway.store.trimming import trim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection, Executable, Table

    from toolway.store.model import Change, Retention

_BATCH = 2000
_INSERTS = {table.name: insert(table) for table in (changes, facets_table, links)}


def write(
    connection: Connection,
    records: Records,
    given: Iterable[Change],
    *,
    base: int,
    actor: str,
    note: str,
    key_id: str,
    retention: Retention,
) -> int:
    """Writes the changes as the revision after `base`; of several changes of one resource the last counts.
    Revisions that `retention` does not keep go.

    Raises StaleBase when another revision came first.
    """
    net = list({(change.kind, change.id): change for change in given}.values())
    number = base + 1
    _begin(connection, number, actor, note, len(net))
    sealed = False
    for start in range(0, len(net), _BATCH):
        batch = net[start : start + _BATCH]
        rows = [records.row(number, start + offset, change) for offset, change in enumerate(batch)]
        sealed = sealed or any(row["secrets"] for row in rows)
        _insert(connection, changes, rows)
    if sealed:
        register_key(connection, key_id)
    _apply(connection, number)
    for start in range(0, len(net), _BATCH):
        _describe(connection, net[start : start + _BATCH])
    trim(connection, retention)
    if len(net) >= _BATCH and connection.dialect.name == "postgresql":
        # So many rows at once spoil the estimates, until the server looks for itself after minutes.
        connection.execute(text(f"ANALYZE {', '.join(table.name for table in metadata.sorted_tables)}"))
    return number


def register_key(connection: Connection, key_id: str) -> None:
    """Notes that the master key with this id sealed what the database holds."""
    connection.execute(_statements(connection.dialect.name).register, {"id": key_id})


def _begin(connection: Connection, number: int, actor: str, note: str, size: int) -> None:
    """Takes the number. Who comes second waits for the first and then gets nothing, by the primary key."""
    row = {
        "number": number,
        "before": number - 1,
        "time": int(time.time() * 1e6),
        "actor": storable(actor),
        "note": storable(note),
        "size": size,
    }
    if connection.scalar(_statements(connection.dialect.name).begin, row) is None:
        raise StaleBase(number - 1, latest(connection))


def _apply(connection: Connection, number: int) -> None:
    """Brings `resources` to the state after the revision, and empties the tables made from values."""
    for statement in _statements(connection.dialect.name).apply:
        connection.execute(statement, {"revision": number})


def _describe(connection: Connection, batch: Sequence[Change]) -> None:
    present = [change for change in batch if change.value is not None]
    _insert(
        connection,
        facets_table,
        [
            {"kind": change.kind, "id": change.id, "field": field, "text": text}
            for change in present
            for field, text in facets(change)
        ],
    )
    _insert(
        connection,
        links,
        [
            {"kind": change.kind, "id": change.id, "to_kind": kind, "to_id": identifier}
            for change in present
            for kind, identifier in dict.fromkeys(change.references)
        ],
    )


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(_INSERTS[table.name], rows)


@dataclass(frozen=True, slots=True)
class _Statements:
    """What every write asks in one dialect, made once: that takes ten times as long as to run it."""

    begin: Executable
    register: Executable
    apply: tuple[Executable, ...]
    """In this order."""


@cache
def _statements(dialect: str) -> _Statements:
    insert_into: Any = sqlite.insert if dialect == "sqlite" else postgresql.insert
    present = select(func.coalesce(func.max(revisions.c.number), 0)).scalar_subquery()
    names = ["number", "time", "actor", "note", "size"]
    row = select(*(bindparam(name, type_=revisions.c[name].type) for name in names))
    row = row.where(present == bindparam("before", type_=revisions.c.number.type))
    begin = insert_into(revisions).from_select(names, row).on_conflict_do_nothing()
    register = insert_into(sealing_keys).values(id=bindparam("id")).on_conflict_do_nothing()
    of_revision = changes.c.revision == bindparam("revision")
    deletions = []
    for table in (resources, facets_table, links):
        touched = select(changes.c.kind, changes.c.id).where(of_revision)
        if table is resources:
            touched = touched.where(changes.c.value.is_(None))
        deletions.append(delete(table).where(tuple_(table.c.kind, table.c.id).in_(touched)))
    apply = (_present(insert_into(resources), of_revision), *deletions)
    return _Statements(begin.returning(revisions.c.number), register, apply)


def _present(statement: Any, of_revision: ColumnElement[bool]) -> Executable:
    """Completes the statement that puts what a revision wrote into `resources`."""
    new = select(
        changes.c.kind,
        changes.c.id,
        changes.c.revision,
        changes.c.position,
        changes.c.revision.label("modified_index"),
        changes.c.position.label("modified_position"),
    ).where(of_revision, changes.c.value.is_not(None))
    statement = statement.from_select([column.name for column in resources.columns], new)
    modified = ("modified_index", "modified_position")
    done: Executable = statement.on_conflict_do_update(
        index_elements=["kind", "id"], set_={name: getattr(statement.excluded, name) for name in modified}
    )
    return done
