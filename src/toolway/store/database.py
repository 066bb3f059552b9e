"""The connection to a database, and the two kinds of transaction on it: reading and writing.

`sqlite` and `postgresql` say how each is opened; queries elsewhere are the same for both, but for what
`Database` itself tells. Whatever the database cannot do now leaves here as StoreUnavailable.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from toolway.store.errors import StoreUnavailable
from toolway.store.failure import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine


class Database:
    """An open database. Safe to use from several threads."""

    def __init__(
        self,
        engine: Engine,
        *,
        name: str,
        reads: Engine | None = None,
        read_only: str = "",
        check: Callable[[], None] = lambda: None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        """`name` is what people know it by, without a password; `reads` the engine for reading, where it
        differs. `read_only` says why nothing can be written, where that is so. `check` is called before each
        write and may refuse it; `release` gives back what was taken besides connections.
        """
        self.name = name
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.read_only = read_only
        self._engine = engine
        self._reads = reads or engine
        self._check = check
        self._release = release

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection on which everything is read as of one moment."""
        with self._told(), self._reads.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection on which everything is written at the end of the block, or nothing."""
        if self.read_only:
            raise StoreUnavailable(self.read_only)
        self._check()
        with (
            self._told(),
            self._engine.connect().execution_options(toolway_writes=True) as connection,
            connection.begin(),
        ):
            try:
                yield connection
            except DBAPIError:
                # What a connection is worth after a disk failed is not known; the next write takes another.
                connection.invalidate()
                raise

    def close(self) -> None:
        """Closes what no transaction uses; the rest is closed by its end."""
        self._engine.dispose()
        self._release()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeoutError) as error:
            told = unavailable(error, self.name)
            if told is None:
                raise
            raise told from error
