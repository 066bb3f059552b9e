"""Writing: one revision with its changes, and what `resources`, `facets` and `links` are after it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, literal, select, text, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from toolway.store.errors import StaleBase
from toolway.store.queries import latest
from toolway.store.record import Records, facets, storable
from toolway.store.tables import changes, links, metadata, resources, revisions, sealing_keys
from toolway.store.tables import facets as facets_table
from toolway.store.trimming import trim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Table

    from toolway.store.model import Change, Retention

_BATCH = 2000


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
    statement = _upsert(connection, sealing_keys)
    connection.execute(statement.values(id=key_id).on_conflict_do_nothing())


def _begin(connection: Connection, number: int, actor: str, note: str, size: int) -> None:
    """Takes the number. Who comes second waits for the first and then gets nothing, by the primary key."""
    present = select(func.coalesce(func.max(revisions.c.number), 0)).scalar_subquery()
    row = select(
        literal(number, revisions.c.number.type),
        literal(int(time.time() * 1e6), revisions.c.time.type),
        literal(storable(actor)),
        literal(storable(note)),
        literal(size),
    ).where(present == number - 1)
    statement = _upsert(connection, revisions).from_select(["number", "time", "actor", "note", "size"], row)
    taken = connection.scalar(statement.on_conflict_do_nothing().returning(revisions.c.number))
    if taken is None:
        raise StaleBase(number - 1, latest(connection))


def _apply(connection: Connection, number: int) -> None:
    """Brings `resources` to the state after the revision, and empties the tables made from values."""
    of_revision = changes.c.revision == number
    new = select(
        changes.c.kind,
        changes.c.id,
        changes.c.revision,
        changes.c.position,
        changes.c.revision.label("modified_index"),
        changes.c.position.label("modified_position"),
    ).where(of_revision, changes.c.value.is_not(None))
    columns = [column.name for column in resources.columns]
    statement = _upsert(connection, resources).from_select(columns, new)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "id"],
            set_={
                name: getattr(statement.excluded, name) for name in ("modified_index", "modified_position")
            },
        )
    )
    for table in (resources, facets_table, links):
        touched = select(changes.c.kind, changes.c.id).where(of_revision)
        if table is resources:
            touched = touched.where(changes.c.value.is_(None))
        connection.execute(delete(table).where(tuple_(table.c.kind, table.c.id).in_(touched)))


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
        connection.execute(insert(table), rows)


def _upsert(connection: Connection, table: Table) -> Any:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)
