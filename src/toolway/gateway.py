"""The gateway: the one owner of the engine. Loads a configuration with all that it names, compiles, applies,
watches.

`reading` reads what a configuration names. A configuration is applied as a whole or not at all; while one is
wrong the last good one goes on, and the problems are logged (logger `toolway.gateway`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import weakref
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toolway import _engine
from toolway.compile import Compiled
from toolway.compile import compile as compile_configuration
from toolway.problem import ConfigurationError, Problem
from toolway.reading import Reader
from toolway.running import DRAIN_SECONDS, Running, cores, give_back_memory, warn_of_few_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from toolway.apps.model import AppView
    from toolway.config import Configuration
    from toolway.openapi.model import Document


logger = logging.getLogger("toolway.gateway")

_LOOK_SECONDS = 0.1
_PATIENCE_LOOKS = 5


class Gateway(Running):
    """One gateway process on one configuration file. Start it once; then it follows the file until it is
    stopped.
    """

    def __init__(
        self,
        path: Path,
        *,
        connect_to: Mapping[str, str] | None = None,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        """Nothing is read yet. `connect_to` sends connections for `host:port` elsewhere, as curl's
        --connect-to.
        """
        super().__init__(drain_seconds)
        self._path = path
        self._connect_to = dict(connect_to or {})
        self._reader = Reader(json.loads(_engine.plugin_schemas()))
        self._lock = threading.Lock()
        self._read = b""
        self._applied = b""
        self._served = b""
        self._configuration: weakref.ref[Configuration] | None = None
        self._revision = 0
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    @staticmethod
    def read(path: Path) -> Configuration:
        """The configuration in a file, not compiled. Raises ConfigurationError."""
        reader = Gateway(path)._reader
        return reader.configuration(path, reader.content(path))

    @staticmethod
    def compile(path: Path, *, connect_to: Mapping[str, str] | None = None) -> Compiled:
        """Compiles the file with all that it names, without the engine's word on it. Raises
        ConfigurationError.
        """
        return Gateway(path, connect_to=connect_to)._compiled()

    @staticmethod
    def check(path: Path, *, connect_to: Mapping[str, str] | None = None) -> Compiled:
        """Compiles the file and has the engine build the result; see `warnings` then. Raises
        ConfigurationError.
        """
        compiled = Gateway.compile(path, connect_to=connect_to)
        try:
            _engine.check(compiled.text())
        except _engine.EngineError as error:
            raise ConfigurationError(compiled.problems_of(error.problems)) from error
        return compiled

    def build(self, *, access_log: bool = True) -> Compiled:
        """Builds the engine without listening, enough for `call`; on request without an access log.

        Raises ConfigurationError.
        """
        compiled = self._compiled()
        if not access_log:
            silent = {**compiled.document["gateway"], "access_log": None}
            compiled = replace(compiled, document={**compiled.document, "gateway": silent})
        text = compiled.text()
        try:
            self._engine = _engine.Engine(text)
        except _engine.EngineError as error:
            raise ConfigurationError(compiled.problems_of(error.problems)) from error
        self._started_with = dict(compiled.document["gateway"])
        self._serves(text)
        return compiled

    def start(self, *, watch: bool = True, beside: bool = False) -> Compiled:
        """Builds, listens, and from now on follows the file where `watch` is set.

        `beside` shares addresses with a gateway that has them, to take over from it.
        Raises ConfigurationError, and OSError where an address cannot be had; nothing is served then.
        """
        compiled = self.build()
        self.listen(watch=watch, beside=beside)
        return compiled

    def listen(self, *, watch: bool = True, beside: bool = False) -> None:
        """The second half of `start`, for one that was built. Raises OSError."""
        self._built.start(beside=beside)
        warn_of_few_files()
        if watch:
            self._reader.managed.start(self.reload)
            self._reader.lists.start(self.reload, lambda: self._tell_lists(self._reader.lists))
            self._watcher = threading.Thread(target=self._watch, name="toolway-watch", daemon=True)
            self._watcher.start()

    @property
    def configuration(self) -> Configuration:
        """The configuration that is served: read anew from what the file held then, unless somebody has it
        still, since it may take many times the memory of what the engine has.
        """
        if not self._served:
            raise RuntimeError("the gateway was not built")
        with self._lock:
            found = self._configuration() if self._configuration is not None else None
            if found is None:
                content = zlib.decompress(self._served)
                found = self._reader.configuration(self._path, content)
                self._configuration = weakref.ref(found)
            return found

    @property
    def revision(self) -> int:
        """How many configurations have been served, this one included."""
        return self._revision

    @property
    def plugin_schemas(self) -> Mapping[str, Any]:
        """As the engine tells them: name -> {"priority", "schema"}."""
        return self._reader.plugin_schemas

    def view(self, app: str) -> AppView | None:
        """An app as it is shown to clients; none where there is none."""
        with self._lock:
            views = self._compiled(zlib.decompress(self._served)).apps
        return next((view for view in views if view.id == app), None)

    def reload(self) -> bool:
        """Applies the file as it is now. Whether it is in force; if not, the problems were logged."""
        with self._lock:
            engine = self._built
            try:
                compiled = self._compiled()
                text = compiled.text()
                if _digest(text) != self._applied:
                    self._apply(engine, compiled, text)
                else:
                    self._serves(text)
                del compiled, text
            except ConfigurationError as error:
                logger.error("the configuration was not reloaded; the last good one goes on")  # noqa: TRY400
                _log(logging.ERROR, error.problems)
                return False
            give_back_memory()
            return True

    def forget(self) -> None:
        """Makes the next reload read every document anew, and has address lists looked at again."""
        self._reader.forget()

    def stop(self, timeout: float | None = None) -> bool:
        """Stops watching and accepting, and waits at most `timeout` seconds for exchanges to end. Whether all
        did.
        """
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        self._reader.managed.close()
        self._reader.lists.close()
        return super().stop(timeout)

    def _compiled(self, content: bytes | None = None) -> Compiled:
        """What the file compiles to, or `content` that was read of it before."""
        if content is None:
            content = self._reader.content(self._path)
            self._read = zlib.compress(content, 1)
        configuration = self._reader.configuration(self._path, content)
        problems: list[Problem] = []
        documents: dict[str, Document] = {}
        logos: dict[str, bytes] = {}
        address_lists: dict[str, tuple[str, ...]] = {}
        try:
            documents = self._reader.documents(configuration)
        except ConfigurationError as error:
            problems += error.problems
        try:
            logos = self._reader.logos(configuration)
        except ConfigurationError as error:
            problems += error.problems
        try:
            address_lists = self._reader.address_lists(configuration)
        except ConfigurationError as error:
            problems += error.problems
        if problems:
            raise ConfigurationError(problems)
        return compile_configuration(
            configuration,
            documents,
            logos=logos,
            connect_to=self._connect_to,
            cores=cores(),
            address_lists=address_lists,
        )

    def _serves(self, text: str) -> None:
        """Notes what is served from now on."""
        self._configuration = None
        self._served = self._read
        digest = _digest(text)
        if digest != self._applied:
            self._revision += 1
        self._applied = digest

    def _apply(self, engine: _engine.Engine, compiled: Compiled, text: str) -> None:
        try:
            engine.apply(text)
        except _engine.EngineError as error:
            raise ConfigurationError(compiled.problems_of(error.problems)) from error
        self._serves(text)
        logger.info("configuration reloaded")
        _log(logging.WARNING, compiled.warnings)
        self._tell_fixed(compiled.document["gateway"])

    def _watch(self) -> None:
        """Reloads when a file that was read has changed, until the gateway stops.

        The files are looked at: that takes microseconds, works on every file system, and finds what an editor
        puts in the place of a file. One that is being written is left alone until two looks find the same,
        unless it never is.
        """
        changes = 0
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                changed = self._has_changed()
                changes += changed
                if changes and (not changed or changes > _PATIENCE_LOOKS):
                    changes = 0
                    self.reload()
            except Exception:
                # The edge of this thread: whatever went wrong, the next change must still be seen.
                logger.exception("watching the configuration failed; it goes on")

    def _has_changed(self) -> bool:
        with self._lock:
            return self._reader.has_changed()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _log(level: int, problems: Iterable[Problem]) -> None:
    for problem in problems:
        logger.log(level, "%s", problem)
