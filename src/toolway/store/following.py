"""Waiting for the next revision: told at once within a process, over LISTEN/NOTIFY from other gateways.

On PostgreSQL a thread listens on a connection of its own and asks for the latest revision on each
notification, and every half second besides, for poolers do not always pass notifications on. While the
database is gone it tries again with longer and longer pauses, and misses nothing, since it asks what is
latest instead of counting notifications.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

logger = logging.getLogger("toolway.store")

CHANNEL = "toolway_revision"
_POLL_SECONDS = 0.5
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class Follower:
    """The latest revision that is known of, and who waits for it."""

    def __init__(self) -> None:
        self._known = 0
        self._changed = threading.Condition()
        self._closed = False

    def note(self, revision: int) -> None:
        """Says that the store is at `revision`; an earlier one than known is no news."""
        with self._changed:
            if revision > self._known:
                self._known = revision
                self._changed.notify_all()

    def wait_beyond(self, revision: int, timeout: float) -> int:
        """Waits at most `timeout` seconds for a later revision: the latest known, or `revision`."""
        with self._changed:
            self._changed.wait_for(lambda: self._known > revision or self._closed, timeout)
            return max(self._known, revision)

    def close(self) -> None:
        """Ends all waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class ListeningFollower(Follower):
    """A follower that hears of the writes of other gateways on one PostgreSQL."""

    def __init__(self, conninfo: Mapping[str, Any], name: str) -> None:
        """`conninfo` is what psycopg takes, `name` what people know the database by. Starts on first use."""
        super().__init__()
        self._conninfo = dict(conninfo)
        self._name = name
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def wait_beyond(self, revision: int, timeout: float) -> int:
        """As Follower, and from the first call on hears of other gateways."""
        with self._starting:
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._listen, name="toolway-store", daemon=True)
                self._thread.start()
        return super().wait_beyond(revision, timeout)

    def close(self) -> None:
        """Ends the thread and all waiting."""
        self._stopping.set()
        super().close()
        with self._starting:
            thread = self._thread
        if thread is not None:
            thread.join(timeout=2 * _POLL_SECONDS + _LONGEST_PAUSE)

    def _listen(self) -> None:
        # Only here, as in the store: a gateway on SQLite has no use for it.
        import psycopg

        pause = _FIRST_PAUSE
        lost_at: float | None = None
        while not self._stopping.is_set():
            try:
                with psycopg.connect(**self._conninfo, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._ask(connection)
                    if lost_at is not None:
                        gone = time.monotonic() - lost_at
                        logger.info("%s is back after %.1f seconds", self._name, gone)
                    pause, lost_at = _FIRST_PAUSE, None
                    self._hear(connection)
            except psycopg.Error:
                if lost_at is None:
                    lost_at = time.monotonic()
                    logger.warning("%s is not reached; trying again", self._name)
                # Gateways that lost it together must not come back together.
                self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _hear(self, connection: psycopg.Connection[Any]) -> None:
        while not self._stopping.is_set():
            for _ in connection.notifies(timeout=_POLL_SECONDS, stop_after=1):
                pass
            self._ask(connection)

    def _ask(self, connection: psycopg.Connection[Any]) -> None:
        row = connection.execute("SELECT coalesce(max(number), 0) FROM toolway_revisions").fetchone()
        if row is not None:
            self.note(int(row[0]))
