"""Running: the engine of this process, whoever configures it: its addresses, calls, logs, signals and end.

`gateway` configures it from a file and `live` from a store; both stand on this, which knows neither.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import queue
import resource
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from toolway import _engine
    from toolway.address_lists import AddressLists

logger = logging.getLogger("toolway.gateway")

DRAIN_SECONDS = 30.0
_FEW_FILES = 4096
_FIXED_UNTIL_RESTART = ("listen", "tls_listen", "workers", "metrics", "control", "access_log")


class Running(ABC):
    """A gateway of this process, of which the engine is built or runs."""

    def __init__(self, drain_seconds: float = DRAIN_SECONDS) -> None:
        self._drain_seconds = drain_seconds
        self._engine: _engine.Engine | None = None
        self._started_with: dict[str, Any] = {}

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

    def tools(
        self, app: str, headers: Iterable[tuple[str, str]] | Mapping[str, str] = ()
    ) -> list[dict[str, Any]]:
        """The tools that a caller with these headers is shown, as entries of MCP's tools/list.

        Raises KeyError for an unknown app, PermissionError with the refusal where the caller is refused.
        """
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        result: list[dict[str, Any]] = json.loads(self._built.tools(app, pairs))
        return result

    def last_use(self, username: str, credential: str) -> int | None:
        """When a credential was last used here, in seconds since 1970, to the minute; none: not yet."""
        return self._built.last_use(username, credential)

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

    @abstractmethod
    def reload(self) -> bool:
        """Reads the configuration anew. Whether it is in force; if not, the problems were logged."""

    @abstractmethod
    def forget(self) -> None:
        """Has everything read anew, by the next reload or soon."""

    def stop(self, timeout: float | None = None) -> bool:
        """Stops accepting, and waits at most `timeout` seconds for exchanges to end. Whether all did."""
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
                self.forget()
                self.reload()
            logger.info("draining for at most %g seconds", self._drain_seconds)
            if not self.stop():
                logger.warning("some exchanges did not end in time and were cut off")
        finally:
            for number, former in before.items():
                signal.signal(number, former)
        return 0

    def _tell_fixed(self, settings: Mapping[str, Any]) -> None:
        """Logs which of the gateway's settings are others than those that it was started with."""
        for name in _FIXED_UNTIL_RESTART:
            if settings.get(name) != self._started_with.get(name):
                logger.warning("gateway.%s has changed, which takes a restart", name)

    def _tell_lists(self, lists: AddressLists) -> None:
        """Tells the metrics when address lists were last read."""
        self._built.tell_address_lists([(source, int(at)) for source, at in lists.read_at().items()])

    @property
    def _built(self) -> _engine.Engine:
        if self._engine is None:
            raise RuntimeError("the gateway was not built")
        return self._engine


def warn_of_few_files() -> None:
    """Logs that the process may have few files open. The engine has raised the limit as far as it may."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < _FEW_FILES:
        logger.warning(
            "the process may open only %d files, and each connection is one; raise the limit "
            "(ulimit -Hn, or LimitNOFILE of systemd)",
            files,
        )


def give_back_memory() -> None:
    """Lets go of what was only needed to compile, which may be many times what the engine keeps."""
    gc.collect()
    # glibc keeps what was freed for itself unless it is told not to; other libraries have no such function.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
