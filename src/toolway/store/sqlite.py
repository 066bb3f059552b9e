"""SQLite in the data folder: one file with a write-ahead log, of one Toolway at a time.

Each commit is on the disk before it is acknowledged (synchronous=FULL, https://www.sqlite.org/wal.html). A
lock on a file beside it keeps a second process out, and with it the hazards of two that write at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event

from toolway.store.database import Database
from toolway.store.errors import StoreInUse, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "store.db"
LOCK = "store.lock"
_UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
_BUSY_SECONDS = 10
"""How long to wait for a program that copies the file."""


def open_sqlite(folder: Path) -> Database:
    """Opens the store in `folder`, which is made where it is missing; for reading alone where the folder or
    its file cannot be written, as on a read-only disk. Raises StoreUnavailable,
    and of these StoreInUse where another process has it.
    """
    file = folder / FILE
    lock = None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        _take(lock, folder)
        # SQLite gives its other files the mode of this one.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        if lock is not None:
            os.close(lock)
        if error.errno in _UNWRITABLE and file.is_file():
            return read_sqlite(folder, because=f": {error.strerror}; start again once it can be written")
        raise StoreUnavailable(
            f"the data folder {folder} cannot be used: {error.strerror or error}"
        ) from error
    except StoreUnavailable:
        if lock is not None:
            os.close(lock)
        raise
    engine = _engine(str(file), {})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    taken = lock
    made = _identity(file)

    def check() -> None:
        if _identity(file) != made:
            raise StoreUnavailable(
                f"{file} is not there any more, or another one is in its place, so that a write would be "
                "lost: put it back, or start again"
            )

    def release() -> None:
        with contextlib.suppress(OSError):
            os.close(taken)

    return Database(engine, name=str(file), check=check, release=release)


def read_sqlite(folder: Path, *, because: str = "") -> Database:
    """Opens the store in `folder` for reading alone, also beside a gateway that has it.

    Raises StoreUnavailable.
    """
    file = folder / FILE
    if not file.is_file():
        raise StoreUnavailable(f"there is no store in {folder}")
    address = f"file:{quote(str(file.absolute()))}"
    options = {"mode": "ro", "uri": "true"}
    if not (os.access(folder, os.W_OK) or file.with_name(f"{FILE}-wal").exists()):
        # The log and its index cannot be made, and nobody writes: the file alone is all there is.
        options["immutable"] = "1"
    engine = _engine(address, options)
    event.listen(engine, "connect", _without_transactions)
    event.listen(engine, "begin", _begin)
    return Database(engine, name=str(file), read_only=f"{file} can only be read{because}")


def _engine(database: str, query: Mapping[str, str]) -> Engine:
    return create_engine(
        URL.create("sqlite", database=database, query=dict(query)),
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        hide_parameters=True,
        max_overflow=-1,
    )


def _identity(file: Path) -> tuple[int, int] | None:
    """What tells a file from another one at its path; none where it cannot be told."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _take(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        written = os.pread(lock, 32, 0).decode(errors="replace").strip()
        holder = f" (process {written})" if written else ""
        raise StoreInUse(
            f"the data folder {folder} is in use by another Toolway{holder}: "
            "stop it first, or give each its own folder; several gateways share a PostgreSQL"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _without_transactions(connection: Any, _record: Any) -> None:
    # The driver is not to begin transactions by itself: `_begin` does.
    connection.isolation_level = None


def _prepare(connection: Any, record: Any) -> None:
    _without_transactions(connection, record)
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "trusted_schema=OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("toolway_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
