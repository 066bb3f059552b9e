"""The processes of a run: started on a core in a session of their own, measured from /proc, ended by id.

Knows nothing of what they serve. What is started here is ended here, however the run ends.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_SECONDS = 180.0
"""The longest that a server may take until it listens; 100,000 consumers take a while to read."""
STOP_SECONDS = 10.0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ServerError(Exception):
    """A process did not do what it was started for; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time of the threads of one process."""

    threads: Mapping[int, int]
    """Nanoseconds on a core by thread."""
    ticks: int
    """User and system time of the process, threads that have ended among them."""


class Server:
    """A server process with its children on one core."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        core: int,
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        """Starts `command` in `folder` and returns once `port` accepts connections. Raises ServerError."""
        self.name, self.port = name, port
        self._log = folder / "output.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **environment},
                # Ctrl-C at the terminal is for the run, which then ends its servers in order.
                start_new_session=True,
            )
        try:
            self._await_port()
        except BaseException:
            self.stop()
            raise

    def _await_port(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise ServerError(f"{self.name} did not start:\n{self.said()}")

    def said(self) -> str:
        """The end of what the process printed."""
        return self._log.read_text(errors="replace")[-2000:]

    def usage(self) -> dict[int, Usage]:
        """CPU time so far, by process."""
        return {pid: usage for pid in descendants(self.process.pid) if (usage := _usage(pid)) is not None}

    def resident_bytes(self) -> int:
        """Memory in use now by the process and its children; what they share counts for each."""
        return sum(_status_bytes(pid, "VmRSS") for pid in descendants(self.process.pid))

    def peak_bytes(self) -> int:
        """The same, each process at its largest so far."""
        return sum(_status_bytes(pid, "VmHWM") for pid in descendants(self.process.pid))

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process alone."""
        self.process.send_signal(number)

    def stop(self) -> None:
        """Ends the process and its children, and waits for it."""
        stop(self.process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that was started in a session of its own, with all of that session that is left."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def run_on_core(core: int, command: Sequence[str], *, timeout: float) -> str:
    """What `command` prints, run on one core. Raises ServerError where it fails or takes too long."""
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output = process.communicate(timeout=timeout)[0].decode(errors="replace")
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{command[0]} did not end within {timeout:g} seconds") from error
    finally:
        stop(process)
    if process.returncode:
        raise ServerError(f"{' '.join(command)} failed:\n{output[-2000:]}")
    return output


def free_port() -> int:
    """A port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def used_microseconds(before: Mapping[int, Usage], after: Mapping[int, Usage]) -> float:
    """CPU time between two looks at the same server.

    Exact to the nanosecond while threads only come; where one has ended, its time is only in the ticks of its
    process. A process that has ended in between is not counted.
    """
    total = 0.0
    for pid, now in after.items():
        then = before.get(pid, Usage({}, 0))
        if then.threads.keys() <= now.threads.keys():
            spent = sum(now.threads.values()) - sum(then.threads.values())
            total += spent / 1e3
        else:
            total += (now.ticks - then.ticks) / _TICKS_PER_SECOND * 1e6
    return total


def descendants(pid: int) -> list[int]:
    """A process, its children, theirs and so on."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            found += descendants(int(child))
    return found


def _usage(pid: int) -> Usage | None:
    threads = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            threads[int(path.parent.name)] = int(path.read_text().split()[0])
        except OSError:
            continue
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return Usage(threads, int(fields[11]) + int(fields[12]))


def _status_bytes(pid: int, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
