"""The gateway: the one owner of the engine. Loads a configuration with all that it names, compiles, applies,
watches.

`reading` reads what a configuration names. A configuration is applied as a whole or not at all; while one is
wrong the last good one goes on, and the problems are logged (logger `toolway.gateway`).
"""

from __future__ import annotations

import json
import logging
import os
import queue
import resource
import signal
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import watchfiles

from toolway import _engine
from toolway.compile import Compiled, Running, json_text
from toolway.compile import compile as compile_configuration
from toolway.problem import ConfigurationError, Problem
from toolway.reading import Reader

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from toolway.openapi.model import Document


logger = logging.getLogger("toolway.gateway")

DRAIN_SECONDS = 30.0
_WATCH_STEP_MS = 50
_WATCH_LOOK_MS = 500
_FEW_FILES = 4096
_FIXED_UNTIL_RESTART = ("listen", "tls_listen", "workers", "metrics", "control", "access_log")


class Gateway:
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
        self._path = path
        self._connect_to = dict(connect_to or {})
        self._drain_seconds = drain_seconds
        self._reader = Reader(json.loads(_engine.plugin_schemas()))
        self._lock = threading.Lock()
        self._engine: _engine.Engine | None = None
        self._running = Running({})
        self._started_with: dict[str, Any] = {}
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

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
        try:
            self._engine = _engine.Engine(compiled.text())
        except _engine.EngineError as error:
            raise ConfigurationError(compiled.problems_of(error.problems)) from error
        self._running = Running(compiled.document)
        self._started_with = dict(compiled.document["gateway"])
        return compiled

    def start(self, *, watch: bool = True, beside: bool = False) -> Compiled:
        """Builds, listens, and from now on follows the file where `watch` is set.

        `beside` shares addresses with a gateway that has them, to take over from it.
        Raises ConfigurationError, and OSError where an address cannot be had; nothing is served then.
        """
        compiled = self.build()
        self._built.start(beside=beside)
        _warn_of_few_files()
        if watch:
            self._watcher = threading.Thread(target=self._watch, name="toolway-watch", daemon=True)
            self._watcher.start()
        return compiled

    @property
    def listen_addresses(self) -> list[str]:
        """The bound addresses, `host:port`, in the order of the configuration."""
        return self._built.listen_addresses()

    @property
    def tls_listen_addresses(self) -> list[str]:
        """The bound addresses of TLS listeners, in the order of the configuration."""
        return self._built.tls_listen_addresses()

    @property
    def metrics_address(self) -> str | None:
        """The bound address of the metrics, where there is one."""
        return self._built.metrics_address()

    @property
    def control_address(self) -> str | None:
        """The bound address of the control listener, where there is one."""
        return self._built.control_address()

    def call(
        self,
        app: str,
        tool: str,
        arguments: Mapping[str, Any],
        headers: Iterable[tuple[str, str]] | Mapping[str, str] = (),
    ) -> dict[str, Any]:
        """Calls a tool as a model would: the result object of MCP's tools/call.

        Raises KeyError for an unknown app or tool.
        """
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        result: dict[str, Any] = json.loads(self._built.call(app, tool, json.dumps(dict(arguments)), pairs))
        return result

    def reload(self) -> bool:
        """Applies the file as it is now. Whether it is in force; if not, the problems were logged."""
        with self._lock:
            engine = self._built
            try:
                compiled = self._compiled()
                self._apply(engine, compiled)
            except ConfigurationError as error:
                logger.error("the configuration was not reloaded; the last good one goes on")  # noqa: TRY400
                _log(logging.ERROR, error.problems)
                return False
            return True

    def reopen_logs(self) -> None:
        """Opens the access log's file anew, after it was moved away. Where it cannot be, that is logged."""
        if self._started_with["access_log"] in (None, "stdout"):
            return
        try:
            self._built.reopen_logs()
        except OSError as error:
            logger.error("the access log was not opened anew; the old file is written on: %s", error)  # noqa: TRY400
        else:
            logger.info("access log opened anew")

    def stop(self, timeout: float | None = None) -> bool:
        """Stops watching and accepting, and waits at most `timeout` seconds for exchanges to end. Whether all
        did.
        """
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        return self._built.drain(self._drain_seconds if timeout is None else timeout)

    def run_until_signal(self, ready: Callable[[], None] | None = None) -> int:
        """Waits for SIGTERM or SIGINT, then drains: the exit code 0. Main thread only.

        SIGHUP opens the access log anew and reloads. `ready` is called once signals are taken, so that
        whoever it tells may stop the gateway at once.
        """
        received: queue.SimpleQueue[int] = queue.SimpleQueue()

        def note(number: int, _frame: FrameType | None) -> None:
            received.put(number)

        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, note) for number in numbers}
        try:
            if ready is not None:
                ready()
            while received.get() == signal.SIGHUP:
                logger.info("reload asked for by SIGHUP")
                self.reopen_logs()
                self._reader.forget_documents()
                self.reload()
            logger.info("draining for at most %g seconds", self._drain_seconds)
            if not self.stop():
                logger.warning("some exchanges did not end in time and were cut off")
        finally:
            for number, former in before.items():
                signal.signal(number, former)
        return 0

    @property
    def _built(self) -> _engine.Engine:
        if self._engine is None:
            raise RuntimeError("the gateway was not built")
        return self._engine

    def _compiled(self) -> Compiled:
        configuration = self._reader.configuration(self._path)
        problems: list[Problem] = []
        documents: dict[str, Document] = {}
        logos: dict[str, bytes] = {}
        try:
            documents = self._reader.documents(configuration)
        except ConfigurationError as error:
            problems += error.problems
        try:
            logos = self._reader.logos(configuration)
        except ConfigurationError as error:
            problems += error.problems
        if problems:
            raise ConfigurationError(problems)
        return compile_configuration(
            configuration, documents, logos=logos, connect_to=self._connect_to, cores=_cores()
        )

    def _apply(self, engine: _engine.Engine, compiled: Compiled) -> None:
        delta = self._running.delta(compiled.document)
        if not delta:
            return
        try:
            engine.commit(engine.prepare(json_text(delta)))
            self._running.follow(compiled.document, delta)
        except _engine.EngineError:
            # The whole is refused for the same, and its problems have their places in the file.
            self._apply_whole(engine, compiled)
        logger.info("configuration reloaded")
        _log(logging.WARNING, compiled.warnings)
        for name in _FIXED_UNTIL_RESTART:
            if compiled.document["gateway"].get(name) != self._started_with.get(name):
                logger.warning("gateway.%s has changed, which takes a restart", name)

    def _apply_whole(self, engine: _engine.Engine, compiled: Compiled) -> None:
        try:
            engine.apply(compiled.text())
        except _engine.EngineError as error:
            raise ConfigurationError(compiled.problems_of(error.problems)) from error
        self._running = Running(compiled.document)

    def _watch(self) -> None:
        """Reloads when a file that was read has changed, until the gateway stops.

        Folders are watched, for editors and deployments put a new file in the place of the old. Between
        events the files are looked at as well, since some file systems tell nothing.
        """
        while not self._stopping.is_set():
            try:
                self._watch_folders(self._folders())
            except Exception:
                # The edge of this thread: whatever went wrong, the next change must still be seen.
                logger.exception("watching the configuration failed; it goes on")
                self._stopping.wait(_WATCH_LOOK_MS / 1000)

    def _watch_folders(self, folders: Sequence[Path]) -> None:
        """Reloads on changes below `folders` until a reload reads from other folders."""
        changes = watchfiles.watch(
            *folders,
            watch_filter=None,
            debounce=_WATCH_LOOK_MS,
            step=_WATCH_STEP_MS,
            stop_event=self._stopping,
            rust_timeout=_WATCH_LOOK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        )
        for _ in changes:
            if self._has_changed():
                self.reload()
                if self._folders() != folders:
                    return

    def _folders(self) -> Sequence[Path]:
        return self._reader.folders()

    def _has_changed(self) -> bool:
        with self._lock:
            return self._reader.has_changed()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _warn_of_few_files() -> None:
    """The engine has raised the limit by now as far as it may."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < _FEW_FILES:
        logger.warning(
            "the process may open only %d files, and each connection is one; raise the limit "
            "(ulimit -Hn, or LimitNOFILE of systemd)",
            files,
        )


def _log(level: int, problems: Iterable[Problem]) -> None:
    for problem in problems:
        logger.log(level, "%s", problem)
