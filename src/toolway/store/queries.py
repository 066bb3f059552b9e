"""Reading: resources by id, in filtered pages and streamed, who refers to whom, and states of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, and_, func, select, tuple_

from toolway.store.record import facet
from toolway.store.tables import changes, facets, links, resources, revisions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, Select

    from toolway.store.database import Database

AnyRow = Row[*tuple[Any, ...]]

_PAGE = 1000
_PRESENT = and_(
    changes.c.revision == resources.c.modified_index, changes.c.position == resources.c.modified_position
)
_ROWS = select(
    resources.c.kind,
    resources.c.id,
    resources.c.created_index,
    resources.c.created_position,
    resources.c.modified_index,
    changes.c.value,
    changes.c.secrets,
).join_from(resources, changes, _PRESENT)
_ORDER = (resources.c.created_index, resources.c.created_position)


def latest(connection: Connection) -> int:
    """The number of the latest revision, 0 at first."""
    return connection.scalar(select(func.coalesce(func.max(revisions.c.number), 0))) or 0


def one(connection: Connection, kind: str, identifier: str) -> AnyRow | None:
    """The row of a resource."""
    query = _ROWS.where(resources.c.kind == kind, resources.c.id == identifier)
    return connection.execute(query).one_or_none()


def page(
    connection: Connection, kind: str, filters: dict[str, str], number: int, size: int | None
) -> tuple[int, list[AnyRow]]:
    """How many resources pass the filters, and those of the page, in the order in which they were made.

    Of the filters `name` and `uri` look for a part of a text, `label` and `under` for a whole one.
    """
    conditions: list[ColumnElement[bool]] = [resources.c.kind == kind]
    for field, text in filters.items():
        text = facet(text)
        if field in ("label", "under"):
            found = facets.c.text == text
        elif connection.dialect.name == "sqlite":
            found = func.instr(facets.c.text, text) > 0
        else:
            found = func.strpos(facets.c.text, text) > 0
        having = select(facets.c.id).where(facets.c.kind == kind, facets.c.field == field, found)
        conditions.append(resources.c.id.in_(having))
    total = connection.scalar(select(func.count()).select_from(resources).where(*conditions)) or 0
    query = _ROWS.where(*conditions).order_by(*_ORDER)
    if size is not None:
        query = query.limit(size).offset((number - 1) * size)
    return total, list(connection.execute(query))


def stream(database: Database, kind: str) -> Iterator[AnyRow]:
    """All resources of a kind in the order in which they were made, a page at a time.

    No transaction is open between pages, so a slow reader keeps nobody waiting.
    """
    query = _ROWS.where(resources.c.kind == kind).order_by(*_ORDER).limit(_PAGE)
    after: ColumnElement[bool] | None = None
    while True:
        with database.reading() as connection:
            rows = list(connection.execute(query if after is None else query.where(after)))
        yield from rows
        if len(rows) < _PAGE:
            return
        after = tuple_(*_ORDER) > (rows[-1].created_index, rows[-1].created_position)


def referring(connection: Connection, kind: str, identifier: str) -> list[tuple[str, str]]:
    """Kinds and ids of the resources that refer to one, in alphabetical order."""
    query = select(links.c.kind, links.c.id).where(links.c.to_kind == kind, links.c.to_id == identifier)
    return sorted((row.kind, row.id) for row in connection.execute(query))


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
