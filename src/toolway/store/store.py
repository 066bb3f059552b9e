"""The store as the rest of Toolway sees it: reads, writes as revisions, history, and waiting for news.

Synchronous and safe to use from several threads. Knows nothing of what a resource means; secrets are sealed
and opened on the way.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from sqlalchemy import func, select, text

from toolway.store import history, queries, rotating, verifying, writing
from toolway.store.errors import StoreInUse, StoreUnavailable
from toolway.store.following import CHANNEL, Follower, ListeningFollower
from toolway.store.migrating import migrate
from toolway.store.model import SEALED, Change, Difference, Filters, Key, Resource, Retention, Revision
from toolway.store.postgresql import SCHEMES, conninfo, open_postgresql
from toolway.store.record import Records
from toolway.store.sqlite import open_sqlite, read_sqlite
from toolway.store.tables import sealing_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from toolway.problem import Problem
    from toolway.store.database import Database
    from toolway.store.sealing import Sealer

logger = logging.getLogger("toolway.store")

_MIGRATION_LOCK = 0x746F6F6C776179
"""Of PostgreSQL's advisory locks: one gateway at a time brings the schema up to date."""


_BY_DEFAULT = Retention()
_LOOK_SECONDS = 0.1
"""How often a process that takes over looks whether it can, and for what is written until then."""
_PAUSE_SECONDS = 5.0


class Store:
    """An open store. Use `open`; use as a context manager, or `close` it."""

    def __init__(self, database: Database, follower: Follower, sealer: Sealer, retention: Retention) -> None:
        self._database = database
        self._follower = follower
        self._sealer = sealer
        self._retention = retention
        self._records = Records(sealer)
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._waiting: threading.Thread | None = None

    @classmethod
    def open(
        cls,
        url_or_folder: str | Path,
        *,
        sealer: Sealer,
        retention: Retention = _BY_DEFAULT,
        read_only: bool = False,
        take_over: bool = False,
    ) -> Self:
        """Opens the SQLite of a folder or the PostgreSQL at a URL, and brings its schema up to date.

        `retention` says which revisions stay when something is written. `read_only` changes nothing and keeps
        nobody out; a folder that cannot be written is opened like that in any case. `take_over` reads a
        folder that another process has, and writes from the moment on in which that gives it up.
        Raises StoreUnavailable, NewerSchema and MasterKeyError; nothing is changed then.
        """
        place = str(url_or_folder)
        scheme, separator, _ = place.partition("://")
        follower: Follower
        heir: Path | None = None
        if separator and scheme not in SCHEMES:
            raise StoreUnavailable(f"the store cannot be at {scheme}://: expected a folder or postgresql://")
        if separator:
            database = open_postgresql(place, read_only=read_only)
            follower = ListeningFollower(conninfo(place), database.name)
        else:
            folder = Path(url_or_folder)
            follower = Follower()
            try:
                database = read_sqlite(folder) if read_only else open_sqlite(folder)
            except StoreInUse as error:
                if not take_over:
                    raise
                database = read_sqlite(folder, because=f", until the other ends: {error}")
                heir = folder
        store = cls(database, follower, sealer, retention)
        try:
            store._prepare()
            if heir is not None:
                store._inherit(heir)
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

    @property
    def read_only(self) -> str:
        """Why nothing can be written now; empty where it can."""
        return self._database.read_only

    def close(self) -> None:
        """Ends all waiting and closes the database. Once is enough."""
        self._closing.set()
        if self._waiting is not None:
            self._waiting.join()
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

    def list(
        self,
        kind: str,
        *,
        page: int = 1,
        page_size: int | None = None,
        masked: bool = False,
        **filters: Unpack[Filters],
    ) -> tuple[int, Sequence[Resource]]:
        """How many resources pass the filters, and a page of them in the order in which they were made.

        Pages are from 1; without a size there is one page.
        """
        with self._database.reading() as connection:
            total, rows = queries.page(connection, kind, filters, page, page_size)
        return total, [self._resource(row, masked=masked) for row in rows]

    def scan(self, kind: str, *, masked: bool = False) -> Iterator[Resource]:
        """All resources of a kind in the order in which they were made, streamed.

        What is written meanwhile may be in it or not: take `revision` before and `changes_since` after it.
        """
        for row in queries.stream(self._database, kind):
            yield self._resource(row, masked=masked)

    def scan_sealed(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Ids and values as `scan` has them, with each secret as it is sealed, which `opened` opens again."""
        for row in queries.stream(self._database, kind):
            yield row.id, self._records.sealed(row)

    def opened(self, kind: str, id: str, pointer: str, text: str) -> Any:  # noqa: A002
        """The secret that `scan_sealed` gave as `text` for a place of a resource. Raises MasterKeyError."""
        return self._sealer.opened(kind, id, pointer, text.removeprefix(SEALED))

    def verify(self) -> Iterator[Problem]:
        """Everything that cannot be read or does not fit together; see `verifying`."""
        with self._database.reading() as connection:
            yield from verifying.problems(connection, self._sealer)

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
                    retention=self._retention,
                )
                if not self._database.is_sqlite:
                    connection.execute(select(func.pg_notify(CHANNEL, str(number))))
            self._follower.note(number)
        return number

    def changes_since(self, revision: int) -> Sequence[Change]:
        """The net effect of all revisions after this one, for a gateway that catches up.

        Raises UnknownRevision when the store is not that far, as after it was restored from a copy, or is so
        much further that the history begins later.
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
        if self._database.read_only:
            with self._database.reading() as connection:
                migrate(connection, read_only=True)
                self._sealer.ready(set(connection.scalars(select(sealing_keys.c.id))))
                revision = queries.latest(connection)
            self._follower.note(revision)
            return
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

    def _inherit(self, folder: Path) -> None:
        """Opens the folder for writing once the process that has it gives it up, and hears of what that
        writes until then.
        """
        self._waiting = threading.Thread(
            target=self._wait_for, args=(folder,), name="toolway-store", daemon=True
        )
        self._waiting.start()

    def _wait_for(self, folder: Path) -> None:
        while not self._closing.wait(_LOOK_SECONDS):
            try:
                database = open_sqlite(folder)
            except StoreInUse:
                with contextlib.suppress(StoreUnavailable):
                    self._follower.note(self.revision())
                continue
            except StoreUnavailable as error:
                logger.warning("the store cannot be taken over yet: %s", error)
                self._closing.wait(_PAUSE_SECONDS)
                continue
            read, self._database = self._database, database
            read.close()
            self._follower.note(self.revision())
            logger.info("%s is written by this process from now on", self.name)
            return

    def _resource(self, row: Any, *, masked: bool) -> Resource:
        value = self._records.value(row, masked=masked) or {}
        return Resource(row.kind, row.id, value, row.created_index, row.modified_index)
