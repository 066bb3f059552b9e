"""Expiry: resources that were written with `?ttl=` are deleted when their time has come.

What expires when is kept in the store beside the resources, as a kind of its own that is never served, so
that it outlives a restart and any of several gateways may do the deleting.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from toolway.live import Conflict
from toolway.problem import ConfigurationError
from toolway.store import Change, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolway.admin.operation import Records, Writer
    from toolway.store import Key, Resource

logger = logging.getLogger("toolway.admin")

KIND = "_expiries"
_LOOK_SECONDS = 5.0
"""How often other gateways' writes are looked for."""


def expiry_change(records: Records, kind: str, identifier: str, ttl: float | None) -> list[Change]:
    """What a write of a resource changes about its expiry: set anew, or none any more."""
    name = f"{kind}/{identifier}"
    if ttl:
        return [Change(KIND, name, {"at": time.time() + ttl})]
    return [Change(KIND, name, None)] if records.get(KIND, name) is not None else []


def cleared(records: Records, written: Iterable[Key]) -> list[Change]:
    """What a write of many resources, none of which expires, changes about their expiries."""
    expiring = {expiry.id for expiry in records.scan(KIND)}
    names = ("/".join(key) for key in written)
    return [Change(KIND, name, None) for name in names if name in expiring]


class Expiry:
    """Deletes what has expired, from a thread, between `start` and `stop`."""

    def __init__(self, records: Records, writer: Writer) -> None:
        self._records = records
        self._writer = writer
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to look."""
        self._thread = threading.Thread(target=self._run, name="toolway-expiry", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def note(self) -> None:
        """Something was written that expires."""
        self._news.set()

    def _run(self) -> None:
        said = ""
        while not self._stopping.is_set():
            wait = _LOOK_SECONDS
            try:
                wait = self._look()
                said = ""
            except StoreError as error:
                # Once for each reason, since a store may be read-only for good.
                if said != str(error):
                    said = str(error)
                    logger.warning("what has expired cannot be deleted: %s", error)
            except Exception:
                # The edge of this thread: the next one to expire must still be deleted.
                logger.exception("deleting what has expired failed; it goes on")
            self._news.wait(wait)
            self._news.clear()

    def _look(self) -> float:
        """Deletes what has expired; the seconds until the next look."""
        wait = _LOOK_SECONDS
        for expiry in list(self._records.scan(KIND)):
            left = expiry.value["at"] - time.time()
            if left <= 0:
                self._delete(expiry)
            else:
                wait = min(wait, left)
        return wait

    def _delete(self, expiry: Resource) -> None:
        kind, _, identifier = expiry.id.partition("/")
        changes = [Change(KIND, expiry.id, None)]
        if self._records.get(kind, identifier) is not None:
            changes.append(Change(kind, identifier, None))
        try:
            self._writer.write(
                changes,
                actor="expiry",
                note=f"{expiry.id} has expired",
                expect={(KIND, expiry.id): expiry.modified_index},
                force=True,
            )
        except Conflict:
            logger.info("%s was written again, or another gateway has deleted it", expiry.id)
        except ConfigurationError as error:
            logger.error("%s has expired and cannot be deleted: %s", expiry.id, error)  # noqa: TRY400
