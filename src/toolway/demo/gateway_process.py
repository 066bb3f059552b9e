"""The demo's gateway: `toolway serve` as a process of its own, as a user would start it.

Readiness is read from what the process says: it prints the addresses once they accept connections. Its access
log goes to a file; what it complains about afterwards is shown.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

READY = "listening on "
START_SECONDS = 60.0
STOP_SECONDS = 15.0


class GatewayStartError(Exception):
    """The gateway did not come up; the message is what it said."""


def free_port(first: int, *, taken: frozenset[int] = frozenset()) -> int:
    """The first port from `first` on that loopback has free and `taken` has not. Raises OSError if none."""
    for port in range(first, min(first + 100, 65536)):
        if port in taken:
            continue
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise OSError(f"no free port from {first} to {first + 99}")


@contextmanager
def gateway_process(
    configuration: Path, environment: Mapping[str, str], access_log: Path, complain: Callable[[str], None]
) -> Iterator[subprocess.Popen[str]]:
    """Runs the gateway within the block, which is entered once it listens. Raises GatewayStartError."""
    command = [sys.executable, "-m", "toolway", "serve", "-c", str(configuration)]
    with access_log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # This very interpreter, and a file of this package.
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    said: queue.Queue[str | None] = queue.Queue()
    stopping = threading.Event()
    assert process.stderr is not None
    reader = threading.Thread(target=_read, args=(process.stderr, said, stopping, complain), daemon=True)
    reader.start()
    try:
        _wait_until_ready(said)
        yield process
    finally:
        stopping.set()
        _stop(process)
        reader.join()
        process.stderr.close()


def _read(
    stream: IO[str], said: queue.Queue[str | None], stopping: threading.Event, complain: Callable[[str], None]
) -> None:
    ready = False
    for line in stream:
        if stopping.is_set():
            continue
        if ready:
            complain(line.rstrip())
        else:
            said.put(line.rstrip())
            ready = READY in line
    said.put(None)


def _wait_until_ready(said: queue.Queue[str | None]) -> None:
    lines: list[str] = []
    while True:
        try:
            line = said.get(timeout=START_SECONDS)
        except queue.Empty as error:
            raise GatewayStartError(f"it said nothing for {START_SECONDS:.0f} seconds") from error
        if line is None:
            raise GatewayStartError("\n".join(lines) or "it ended without a word")
        if READY in line:
            return
        lines.append(line)


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
