"""Secrets of managers, remembered: read once, looked at again in the background, kept while one is away.

A value that was read once is never lost by a manager that fails; only one that was never read is missing.
Whoever uses the values is told when one has changed.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolway.secret_managers.settings import VaultError, VaultSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from toolway.secret_managers.vault import Vault

logger = logging.getLogger("toolway.secret_managers")

REFRESH_SECONDS = 60.0
_AWAY_SECONDS = 5.0
"""For how long a manager that is away is not asked again, so that many secrets do not wait in turn."""

Place = tuple[VaultSettings, str]


class ManagerError(Exception):
    """A secret that a manager does not give and never gave; the message shows no value."""


@dataclass(slots=True)
class _Kept:
    values: Mapping[str, Any] = field(repr=False)
    trouble: str | None = None
    """Why the last look failed; the values are then those of the look before."""


class ManagedSecrets:
    """What managers have told. Safe to use from several threads; `close` it."""

    def __init__(self, *, refresh_seconds: float = REFRESH_SECONDS, vault: Vault | None = None) -> None:
        """Nothing is read yet. From `start` on all is looked at again every `refresh_seconds`."""
        self._refresh_seconds = refresh_seconds
        self._vault = vault
        self._lock = threading.Lock()
        self._kept: dict[Place, _Kept] = {}
        self._missed: set[Place] = set()
        self._away: dict[VaultSettings, tuple[float, str]] = {}
        self._changed: Callable[[], object] = lambda: None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, changed: Callable[[], object]) -> None:
        """Looks at secrets again from now on, on a thread of its own, and calls `changed` when one has."""
        self._changed = changed
        self._thread = threading.Thread(target=self._follow, name="toolway-secrets", daemon=True)
        self._thread.start()

    def read(self, settings: VaultSettings, path: str, key: str) -> str:
        """The value of `key` in the secret at `path`, remembered or read now.

        Raises ManagerError where there is no such value; a secret that lacks the key is read again first.
        """
        place = (settings, path)
        with self._lock:
            kept = self._kept.get(place)
        if kept is None or key not in kept.values:
            kept = self._look(place, kept)
        if key not in kept.values:
            reason = f" ({kept.trouble})" if kept.trouble else ""
            raise ManagerError(f'the secret {path} in the Vault {settings.host} has no key "{key}"{reason}')
        value = kept.values[key]
        if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "":
            message = (
                f'the key "{key}" of the secret {path} in the Vault {settings.host} is no text, or empty'
            )
            raise ManagerError(message)
        return str(value)

    def refresh(self) -> bool:
        """Looks at every secret again, also at those that could not be had because a manager was away.

        Tells of a change. Whether any has changed, or came to be had.
        """
        with self._lock:
            places = [*self._kept, *self._missed]
        changed = False
        for place in places:
            if self._stopping.is_set():
                return False
            with self._lock:
                before = self._kept.get(place)
                if before is None and place not in self._missed:
                    continue
            with contextlib.suppress(ManagerError):
                after = self._look(place, before)
                changed = changed or before is None or after.values != before.values
        if changed:
            logger.info("secrets of managers have changed")
            self._changed()
        return changed

    def keep_only(self, managers: Collection[VaultSettings]) -> None:
        """Forgets what was read from other managers, as after one was deleted or got another token."""
        with self._lock:
            self._kept = {place: kept for place, kept in self._kept.items() if place[0] in managers}
            self._missed = {place for place in self._missed if place[0] in managers}
            self._away = {settings: away for settings, away in self._away.items() if settings in managers}

    def close(self) -> None:
        """Ends looking again and closes connections."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._vault is not None:
            self._vault.close()

    def _look(self, place: Place, before: _Kept | None) -> _Kept:
        """Reads a secret; where that fails, what was read before stays. Raises ManagerError without that."""
        settings, path = place
        try:
            after = _Kept(self._asked(settings, path))
        except VaultError as error:
            if before is None:
                with self._lock:
                    (self._missed.add if error.is_away else self._missed.discard)(place)
                raise ManagerError(str(error)) from error
            if before.trouble is None:
                logger.warning("%s; what it told before is used on", error)
            after = _Kept(before.values, str(error))
        else:
            if before is not None and before.trouble is not None:
                logger.info("the secret %s is read from the Vault %s again", path, settings.host)
        with self._lock:
            self._kept[place] = after
            self._missed.discard(place)
        return after

    def _reader(self) -> Vault:
        """Made when it is needed, since an HTTP client takes 12 MB, and most gateways have no manager."""
        if self._vault is None:
            from toolway.secret_managers.vault import Vault

            self._vault = Vault()
        return self._vault

    def _asked(self, settings: VaultSettings, path: str) -> Mapping[str, Any]:
        """What the manager answers, or what it last said where it is away. Raises VaultError."""
        with self._lock:
            until, said = self._away.get(settings, (0.0, ""))
        if time.monotonic() < until:
            raise VaultError(said, is_away=True)
        try:
            return self._reader().read(settings, path)
        except VaultError as error:
            if error.is_away:
                with self._lock:
                    self._away[settings] = (time.monotonic() + _AWAY_SECONDS, str(error))
            raise

    def _follow(self) -> None:
        while not self._stopping.wait(self._refresh_seconds):
            try:
                self.refresh()
            except Exception:
                # The edge of this thread: whatever a listener did wrong, the next change must still be seen.
                logger.exception("looking at secrets again failed; it goes on")
