"""What a database says when it cannot do its work, as StoreUnavailable in an operator's words.

Only the database's own sentence is passed on, never a statement with its values, nor the address with its
password.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from toolway.store.errors import StoreUnavailable

_SQLITE = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "the disk or the file is read-only",
    "SQLITE_IOERR": "the disk refuses to be read or written; it may be full or failing",
    "SQLITE_CANTOPEN": "the file cannot be opened",
    "SQLITE_PERM": "access to the file is refused",
    "SQLITE_AUTH": "access to the file is refused",
    "SQLITE_BUSY": "another program keeps the file locked",
    "SQLITE_CORRUPT": "the file is damaged: restore it from a copy",
    "SQLITE_NOTADB": "the file is not a database",
}
_MISTAKES = ("22", "23", "42")
"""SQLSTATE classes (PostgreSQL, appendix A) that are mistakes of Toolway, not the state of the server."""

_REFUSED = "42501"
"""insufficient_privilege, of class 42 but for the administrator to mend."""


def unavailable(error: DBAPIError | PoolTimeoutError, database: str) -> StoreUnavailable | None:
    """The error as the store's, of `database` as people know it; none where it is a mistake of Toolway."""
    if isinstance(error, PoolTimeoutError):
        return StoreUnavailable(f"{database} is too busy: all connections are in use")
    if isinstance(error, IntegrityError):
        return None
    cause: Any = error.orig
    if (name := getattr(cause, "sqlite_errorname", None)) is not None:
        if name == "SQLITE_ERROR":
            return None
        known = (words for prefix, words in _SQLITE.items() if name.startswith(prefix))
        return StoreUnavailable(f"{database} cannot be used: {next(known, str(cause))} ({cause})")
    state = getattr(cause, "sqlstate", None)
    if state and state.startswith(_MISTAKES) and state != _REFUSED:
        return None
    return StoreUnavailable(f"{database} cannot be used: {_sentence(cause)}")


def _sentence(cause: object) -> str:
    """The last line of what a server or its client library says, where the reason stands."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if re.search(r"FATAL|ERROR|error|failed", line)), None)
    return said or (lines[0] if lines else type(cause).__name__)
