"""The store as the rest of Toolway sees it: reads, writes as revisions, history, and waiting for news.

Synchronous and safe to use from several threads. Knows nothing of what a resource means; secrets are sealed
and opened on the way.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import func, select, text

from toolway.store import history, queries, rotating, writing
from toolway.store.errors import StoreUnavailable
from toolway.store.following import CHANNEL, Follower, ListeningFollower
from toolway.store.migrating import migrate
from toolway.store.model import Change, Difference, Key, Resource, Revision
from toolway.store.record import Records
from toolway.store.sqlite import open_sqlite
from toolway.store.tables import sealing_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from toolway.store.database import Database
    from toolway.store.sealing import Sealer

_MIGRATION_LOCK = 0x746F6F6C776179
"""Of PostgreSQL's advisory locks: one gateway at a time brings the schema up to date."""


class Store:
    """An open store. Use `open`; use as a context manager, or `close` it."""

    def __init__(self, database: Database, follower: Follower, sealer: Sealer) -> None:
        self._database = database
        self._follower = follower
        self._sealer = sealer
        self._records = Records(sealer)
        self._writing = threading.Lock()

    @classmethod
    def open(cls, url_or_folder: str | Path, *, sealer: Sealer) -> Self:
        """Opens the SQLite of a folder or the PostgreSQL at a URL, and brings its schema up to date.

        Raises StoreUnavailable, NewerSchema and MasterKeyError; nothing is changed then.
        """
        if "://" in str(url_or_folder):
            database, follower = _on_server(str(url_or_folder))
        else:
            database, follower = open_sqlite(Path(url_or_folder)), Follower()
        store = cls(database, follower, sealer)
        try:
            store._prepare()
        except BaseException:
            store.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self._database.name})"

    @property
    def name(self) -> str:
        """What people know the database by: a file, or a database and its host."""
        return self._database.name

    def close(self) -> None:
        """Ends all waiting and closes the database. Once is enough."""
        self._follower.close()
        self._database.close()

    def revision(self) -> int:
        """The number of the latest write, 0 at first. Raises StoreUnavailable, as all reads do."""
        with self._database.reading() as connection:
            return queries.latest(connection)

    def get(self, kind: str, id: str, *, masked: bool = False) -> Resource | None:  # noqa: A002
        """A resource, on request with `***` in place of its secrets."""
        with self._database.reading() as connection:
            row = queries.one(connection, kind, id)
        return None if row is None else self._resource(row, masked=masked)

    def modified(self, keys: Iterable[Key]) -> dict[Key, int]:
        """The modified index of each of these resources that is there."""
        by_kind: dict[str, list[str]] = {}
        for kind, identifier in keys:
            by_kind.setdefault(kind, []).append(identifier)
        found: dict[Key, int] = {}
        with self._database.reading() as connection:
            for kind, identifiers in by_kind.items():
                indexes = queries.modified(connection, kind, identifiers)
                found |= {(kind, identifier): index for identifier, index in indexes.items()}
        return found

    def list(
        self,
        kind: str,
        *,
        page: int = 1,
        page_size: int | None = None,
        name: str | None = None,
        label: str | None = None,
        uri: str | None = None,
        under: str | None = None,
        masked: bool = False,
    ) -> tuple[int, Sequence[Resource]]:
        """How many resources pass the filters, and a page of them in the order in which they were made.

        `name` and `uri` look for a part of a name and of any uri, `label` for the key of a label, `under`
        for the credentials of a consumer. Pages are from 1; without a size there is one page.
        """
        given = {"name": name, "label": label, "uri": uri, "under": under}
        filters = {field: value for field, value in given.items() if value is not None}
        with self._database.reading() as connection:
            total, rows = queries.page(connection, kind, filters, page, page_size)
        return total, [self._resource(row, masked=masked) for row in rows]

    def scan(self, kind: str, *, masked: bool = False) -> Iterator[Resource]:
        """All resources of a kind in the order in which they were made, streamed.

        What is written meanwhile may be in it or not: take `revision` before and `changes_since` after it.
        """
        for row in queries.stream(self._database, kind):
            yield self._resource(row, masked=masked)

    def referrers(self, kind: str, id: str) -> Sequence[Key]:  # noqa: A002
        """Kinds and ids of the resources whose values refer to this one, which need not exist."""
        with self._database.reading() as connection:
            return queries.referring(connection, kind, id)

    def write(self, changes: Iterable[Change], *, base: int, actor: str, note: str = "") -> int:
        """Writes all changes or none, as the revision after `base`: its number, once it is on the disk.

        Of several changes of one resource the last counts. Raises StaleBase when the store is not at `base`,
        StoreUnavailable, and ValueError for what JSON cannot carry. Where the connection breaks in the very
        moment of the commit, the revision may be there all the same; who follows the store will see it.
        """
        with self._writing:
            with self._database.writing() as connection:
                number = writing.write(
                    connection,
                    self._records,
                    changes,
                    base=base,
                    actor=actor,
                    note=note,
                    key_id=self._sealer.key_id,
                )
                if not self._database.is_sqlite:
                    connection.execute(select(func.pg_notify(CHANNEL, str(number))))
            self._follower.note(number)
        return number

    def changes_since(self, revision: int) -> Sequence[Change]:
        """The net effect of all revisions after this one, for a gateway that catches up.

        Raises UnknownRevision when the store is not that far, as after it was restored from a copy.
        """
        with self._database.reading() as connection:
            return history.since(connection, self._records, revision)

    def revisions(self, page: int = 1, page_size: int = 10) -> tuple[int, Sequence[Revision]]:
        """How many revisions there are, and a page of them without their changes, the latest first."""
        with self._database.reading() as connection:
            return history.listed(connection, page, page_size)

    def revision_at(self, number: int) -> Revision:
        """A revision with its changes, `***` in place of secrets. Raises UnknownRevision."""
        with self._database.reading() as connection:
            return history.revision_at(connection, self._records, number)

    def diff(self, first: int, second: int) -> Sequence[Difference]:
        """What differs from one revision to another, which may be the earlier. Raises UnknownRevision."""
        with self._database.reading() as connection:
            return history.between(connection, self._records, first, second)

    def restore(self, number: int) -> Sequence[Change]:
        """The changes that bring the state of a revision back, to be checked and given to `write`.

        Raises UnknownRevision.
        """
        with self._database.reading() as connection:
            return history.back_to(connection, self._records, number)

    def wait_beyond(self, revision: int, timeout: float) -> int:
        """Waits at most `timeout` seconds for a later revision: its number, or `revision` when there is none.

        Raises nothing while the database is gone; the revisions of that time come when it is back.
        """
        return self._follower.wait_beyond(revision, timeout)

    def rotate_key(self) -> int:
        """Seals every secret, those of the history too, with the first master key: how many it sealed anew.

        Where Toolway keeps the key in a file, a new one is made first and the old ones are forgotten last.
        All is sealed in one transaction, so that after a failure at any point the same call goes on. Raises
        MasterKeyError where keys are given and only one is.
        """
        keys = self._sealer.keys
        if len(keys) < 2:
            keys.make()
        with self._writing, self._database.writing() as connection:
            count = rotating.seal_anew(connection, self._sealer)
        if keys.in_file:
            keys.forget_old()
        return count

    def _prepare(self) -> None:
        with self._database.writing() as connection:
            if not self._database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATION_LOCK})
            migrate(connection)
            used = set(connection.scalars(select(sealing_keys.c.id)))
            self._sealer.ready(used)
            if not used:
                writing.register_key(connection, self._sealer.key_id)
            revision = queries.latest(connection)
        self._follower.note(revision)

    def _resource(self, row: Any, *, masked: bool) -> Resource:
        value = self._records.value(row, masked=masked) or {}
        return Resource(row.kind, row.id, value, row.created_index, row.modified_index)


def _on_server(url: str) -> tuple[Database, Follower]:
    from toolway.store.postgresql import SCHEMES, conninfo, open_postgresql

    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise StoreUnavailable(f"the store cannot be at {scheme}://: expected a folder or postgresql://")
    database = open_postgresql(url)
    return database, ListeningFollower(conninfo(url), database.name)
