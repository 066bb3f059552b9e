"""Address lists, remembered: read once, looked at again in the background, and kept while their source fails.

A list that was read once is never lost by a source that is away or gives nonsense; with a folder, not by a
restart either. Whoever uses the lists is told when one has changed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolway.address_lists.published import MAXIMUM_BYTES, prefixes_of
from toolway.openapi import Limits, is_url
from toolway.openapi.address import redacted
from toolway.problem import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

logger = logging.getLogger("toolway.address_lists")

REFRESH_SECONDS = 3600.0
STALE_SECONDS = 86400.0
"""From this age on, a list that cannot be read is an error in the log at each look."""
_END_SECONDS = 1.0
_LIMITS = Limits(bytes=MAXIMUM_BYTES, redirects=3, seconds=15.0)


class AddressListError(Exception):
    """A list that cannot be read and never was."""


@dataclass(frozen=True, slots=True)
class _Kept:
    prefixes: tuple[str, ...]
    read_at: float
    """In seconds since 1970."""
    trouble: str | None = None
    """Why the last look failed."""


class AddressLists:
    """Lists by their source, a URL or the path of a file. Safe to use from several threads; `close` it."""

    def __init__(self, *, folder: Path | None = None, refresh_seconds: float = REFRESH_SECONDS) -> None:
        """Nothing is read yet. `folder` is where copies are kept, so that a restart needs no network; it is
        made where the folder around it is there.

        From `start` on URLs are looked at again every `refresh_seconds`.
        """
        self._folder = folder
        self._refresh_seconds = refresh_seconds
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._changed: Callable[[], object] = lambda: None
        self._looked: Callable[[], object] = lambda: None
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, changed: Callable[[], object], looked: Callable[[], object] = lambda: None) -> None:
        """Looks at URLs again from now on, on a thread of its own: at copies of an earlier run at once.

        Calls `changed` when a list has changed, and `looked` whenever any was looked at.
        """
        self._changed = changed
        self._looked = looked
        self._thread = threading.Thread(target=self._follow, name="toolway-addresses", daemon=True)
        self._thread.start()

    def keep_in(self, folder: Path) -> None:
        """Keeps copies in `folder` from now on, wherever the folder around it is there."""
        self._folder = folder

    def read(self, source: str) -> tuple[str, ...]:
        """The networks of `source`: those of a file as it is now, of a URL as they were when last looked at.

        Where that fails, what was read before. Raises AddressListError where nothing was.
        """
        with self._lock:
            kept = self._kept.get(source)
        if kept is None and is_url(source):
            kept = self._copy(source)
        is_new = kept is None or not is_url(source)
        if kept is None or is_new:
            kept = self._look(source, kept)
        with self._lock:
            self._kept[source] = kept
        if is_new:
            self._looked()
        return kept.prefixes

    def refresh(self, *, older_than: float = 0.0) -> bool:
        """Looks at URLs again that were read more than so many seconds ago.

        Tells of a change. Whether any list has changed.
        """
        with self._lock:
            kept = [(source, each) for source, each in self._kept.items() if is_url(source)]
        changed = False
        for source, before in kept:
            if self._stopping.is_set():
                return False
            if time.time() - before.read_at < older_than:
                # There may be a folder for it by now.
                self._keep(source, before)
                continue
            after = self._look(source, before)
            changed = changed or after.prefixes != before.prefixes
            with self._lock:
                if source in self._kept:
                    self._kept[source] = after
        if self._stopping.is_set():
            return False
        self._looked()
        if changed:
            logger.info("address lists have changed")
            self._changed()
        return changed

    def read_at(self) -> dict[str, float]:
        """When each list was last read, in seconds since 1970, by its source as it may be shown."""
        with self._lock:
            return {_shown(source): kept.read_at for source, kept in self._kept.items()}

    def look_again(self) -> None:
        """Has all URLs looked at again now, on the thread that does it; nobody waits for that."""
        self._woken.set()

    def keep_only(self, sources: Collection[str]) -> None:
        """Forgets other sources, which nobody uses any more."""
        with self._lock:
            self._kept = {source: kept for source, kept in self._kept.items() if source in sources}

    def close(self) -> None:
        """Ends looking again. A look that is under way is not waited for; what it finds changes nothing."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)
            self._thread = None

    def _look(self, source: str, before: _Kept | None) -> _Kept:
        """Reads a list; where that fails, what was read before stays.

        Raises AddressListError without that.
        """
        try:
            after = _Kept(prefixes_of(_content(source)), time.time())
        except (ConfigurationError, OSError, ValueError) as error:
            trouble = _words(error)
            if before is None:
                raise AddressListError(f"{_shown(source)}: {trouble}") from error
            self._tell(source, before, trouble)
            return replace(before, trouble=trouble)
        if before is not None and before.trouble is not None:
            logger.info("the address list %s is read again", _shown(source))
        if is_url(source):
            self._keep(source, after)
        return after

    @staticmethod
    def _tell(source: str, before: _Kept, trouble: str) -> None:
        age = time.time() - before.read_at
        if age > STALE_SECONDS:
            message = "the address list %s is stale: it was last read %d hours ago; %s"
            logger.error(message, _shown(source), age // 3600, trouble)
        elif before.trouble is None:
            message = "the address list %s cannot be read, and what was read before is used on: %s"
            logger.warning(message, _shown(source), trouble)

    def _path(self, source: str) -> Path | None:
        name = f"{hashlib.sha256(source.encode()).hexdigest()}.json"
        return self._folder / name if self._folder is not None else None

    def _copy(self, source: str) -> _Kept | None:
        """The copy of an earlier run."""
        path = self._path(source)
        try:
            data: Any = json.loads(path.read_bytes()) if path is not None and path.exists() else None
            if not isinstance(data, dict) or data.get("source") != source:
                return None
            prefixes = prefixes_of(json.dumps(data).encode())
            return _Kept(prefixes, float(data["read_at"]))
        except (OSError, ValueError, TypeError, LookupError) as error:
            logger.warning("the copy of the address list %s cannot be used: %s", _shown(source), error)
            return None

    def _keep(self, source: str, kept: _Kept) -> None:
        path = self._path(source)
        if path is None or not path.parent.parent.is_dir():
            return
        entries = [{f"ipv{6 if ':' in prefix else 4}Prefix": prefix} for prefix in kept.prefixes]
        data = {"source": source, "read_at": kept.read_at, "prefixes": entries}
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                made = Path(folder, path.name)
                made.write_text(json.dumps(data), encoding="utf-8")
                made.replace(path)
        except OSError as error:
            logger.warning("the address list %s cannot be kept for a restart: %s", _shown(source), error)

    def _follow(self) -> None:
        older_than = self._refresh_seconds
        while not self._stopping.is_set():
            try:
                self.refresh(older_than=older_than)
            except Exception:
                # The edge of this thread: whatever a listener did wrong, the next change must still be seen.
                logger.exception("looking at address lists again failed; it goes on")
            older_than = 0.0
            self._woken.wait(self._refresh_seconds)
            self._woken.clear()


def _content(source: str) -> bytes:
    """What a file or URL holds. Raises ConfigurationError, OSError and ValueError."""
    if is_url(source):
        # Loaded when it is needed, since an HTTP client takes 12 MB, and most gateways have no list.
        from toolway.openapi.fetch import fetch

        return fetch(source, _LIMITS, trusted=True, allow_private=False).content
    with Path(source).open("rb") as file:
        return file.read(MAXIMUM_BYTES + 1)


def _shown(source: str) -> str:
    return redacted(source) if is_url(source) else source


def _words(error: Exception) -> str:
    if isinstance(error, ConfigurationError):
        return "; ".join(problem.message for problem in error.problems)
    return str(getattr(error, "strerror", None) or error)
