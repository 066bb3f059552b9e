"""Reading: resources by id, in filtered pages and streamed, who refers to whom, and states of the past.

Statements that every change asks are made once: to put one together takes ten times as long as to run it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, and_, bindparam, func, select, tuple_

from toolway.store.record import facet
from toolway.store.tables import changes, facets, links, resources, revisions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, Select

    from toolway.store.database import Database
    from toolway.store.model import Filters

AnyRow = Row[*tuple[Any, ...]]

_PAGE = 1000
_ORDER = (resources.c.created_index, resources.c.created_position)


def _rows(found: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The resources that are `found` with their values, in the order in which they were made.

    What is found is narrowed down first, so that values are looked up for these alone.
    """
    these = found.cte("these")
    present = and_(
        changes.c.revision == these.c.modified_index, changes.c.position == these.c.modified_position
    )
    return (
        select(
            these.c.kind,
            these.c.id,
            these.c.created_index,
            these.c.created_position,
            these.c.modified_index,
            changes.c.value,
            changes.c.secrets,
        )
        .select_from(these.join(changes, present))
        .order_by(these.c.created_index, these.c.created_position)
    )


_LATEST = select(func.coalesce(func.max(revisions.c.number), 0))
_ONE = _rows(
    select(resources).where(resources.c.kind == bindparam("kind"), resources.c.id == bindparam("id"))
)
_NEXT = _rows(
    select(resources)
    .where(
        resources.c.kind == bindparam("kind"),
        tuple_(*_ORDER) > tuple_(bindparam("after_index"), bindparam("after_position")),
    )
    .order_by(*_ORDER)
    .limit(_PAGE)
)
_REFERRING = select(links.c.kind, links.c.id).where(
    links.c.to_kind == bindparam("kind"), links.c.to_id == bindparam("id")
)


def latest(connection: Connection) -> int:
    """The number of the latest revision, 0 at first."""
    return connection.scalar(_LATEST) or 0


def kept(connection: Connection) -> tuple[int, int]:
    """The first and the latest revision that the history has; 1 and 0 where there was no write."""
    first, last = connection.execute(select(func.min(revisions.c.number), func.max(revisions.c.number))).one()
    return first or 1, last or 0


def one(connection: Connection, kind: str, identifier: str) -> AnyRow | None:
    """The row of a resource."""
    return connection.execute(_ONE, {"kind": kind, "id": identifier}).one_or_none()


def page(
    connection: Connection, kind: str, filters: Filters, number: int, size: int | None
) -> tuple[int, list[AnyRow]]:
    """How many resources pass the filters, and those of the page, in the order in which they were made.

    Of the filters `name` and `uri` look for a part of a text, `label` and `under` for a whole one.
    """
    conditions: list[ColumnElement[bool]] = [resources.c.kind == kind]
    for field, text in filters.items():
        text = facet(str(text))
        if field in ("label", "under"):
            found = facets.c.text == text
        elif connection.dialect.name == "sqlite":
            found = func.instr(facets.c.text, text) > 0
        else:
            found = func.strpos(facets.c.text, text) > 0
        having = select(facets.c.id).where(facets.c.kind == kind, facets.c.field == field, found)
        conditions.append(resources.c.id.in_(having))
    total = connection.scalar(select(func.count()).select_from(resources).where(*conditions)) or 0
    query = select(resources).where(*conditions).order_by(*_ORDER)
    if size is not None:
        query = query.limit(size).offset((number - 1) * size)
    return total, list(connection.execute(_rows(query)))


def stream(database: Database, kind: str) -> Iterator[AnyRow]:
    """All resources of a kind in the order in which they were made, a page at a time.

    No transaction is open between pages, so a slow reader keeps nobody waiting.
    """
    after_index, after_position = 0, 0
    while True:
        after = {"kind": kind, "after_index": after_index, "after_position": after_position}
        with database.reading() as connection:
            rows = list(connection.execute(_NEXT, after))
        yield from rows
        if len(rows) < _PAGE:
            return
        after_index, after_position = rows[-1].created_index, rows[-1].created_position


def referring(connection: Connection, kind: str, identifier: str) -> list[tuple[str, str]]:
    """Kinds and ids of the resources that refer to one, in alphabetical order."""
    found = connection.execute(_REFERRING, {"kind": kind, "id": identifier})
    return sorted((row.kind, row.id) for row in found)


def states(after: int, until: int, at: int) -> Select[*tuple[Any, ...]]:
    """The change that was the latest at revision `at` of each resource that a revision changed which came
    after `after` and not after `until`; where there was none, its columns are none. `of_kind` and `of_id`
    tell the resource. In the order of the last write in those revisions.
    """
    touched = (
        select(changes.c.kind, changes.c.id, func.max(changes.c.revision).label("last"))
        .where(changes.c.revision > after, changes.c.revision <= until)
        .group_by(changes.c.kind, changes.c.id)
        .subquery()
    )
    earlier = changes.alias()
    then = (
        select(func.max(earlier.c.revision))
        .where(earlier.c.kind == touched.c.kind, earlier.c.id == touched.c.id, earlier.c.revision <= at)
        .correlate(touched)
        .scalar_subquery()
    )
    same = and_(changes.c.kind == touched.c.kind, changes.c.id == touched.c.id, changes.c.revision == then)
    return (
        select(
            touched.c.kind.label("of_kind"),
            touched.c.id.label("of_id"),
            changes.c.kind,
            changes.c.id,
            changes.c.value,
            changes.c.secrets,
            changes.c.refers,
        )
        .select_from(touched.outerjoin(changes, same))
        .order_by(touched.c.last, changes.c.position, touched.c.kind, touched.c.id)
    )
