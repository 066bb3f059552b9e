"""The gateway under test: `toolway serve` as a process of its own, on ports that the kernel chooses.

Readiness and everything else that has to be waited for is read from what the process says; nothing here
sleeps. A gateway is ended by SIGTERM, and must then end with 0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import httpx
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

READY = "toolway: listening on "
METRICS = "toolway: metrics on "
CONTROL = "toolway: control on "
ADMIN = "toolway: admin on "
RELOADED = "configuration reloaded"
REFUSED = "the last good one goes on"
PATIENCE_SECONDS = 30.0
"""How long something may take that is bound to come; beyond it, the test fails with what was said so far."""

LISTEN: dict[str, Any] = {
    "listen": ["127.0.0.1:0"],
    "admin": None,
    "metrics": "127.0.0.1:0",
    "control": "127.0.0.1:0",
}
"""The `gateway` block of tests."""


class Lines:
    """What a process writes to one of its streams, line by line, read as it comes."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._has_ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, wanted: str | Callable[[str], bool], *, after: int = 0) -> str:
        """The first line from number `after` on that has `wanted` in it, or for which it is true."""
        fits = (lambda line: wanted in line) if isinstance(wanted, str) else wanted
        return self.wait_for_all(fits, 1, after=after)[0]

    def wait_for_all(self, fits: Callable[[str], bool], count: int, *, after: int = 0) -> list[str]:
        """The first `count` lines from number `after` on for which `fits` is true."""

        def found() -> list[str]:
            return [line for line in self._lines[after:] if fits(line)]

        with self._changed:
            self._changed.wait_for(lambda: self._has_ended or len(found()) >= count, PATIENCE_SECONDS)
            lines = found()
            assert len(lines) >= count, "".join(f"\n{line}" for line in ["it said only:", *self._lines])
            return lines[:count]

    def count(self) -> int:
        """How many lines there are by now."""
        with self._changed:
            return len(self._lines)

    def so_far(self) -> list[str]:
        """The lines by now."""
        with self._changed:
            return list(self._lines)

    def all(self) -> list[str]:
        """Every line, once the stream has ended."""
        self._reader.join()
        return list(self._lines)

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        self._stream.close()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()


@dataclass(slots=True)
class Gateway:
    """A gateway that listens."""

    process: subprocess.Popen[str]
    path: Path
    """Its configuration file."""
    said: Lines
    """Its standard error."""
    access_log: Lines
    """Its standard output."""
    origin: str
    metrics_origin: str | None
    control_origin: str | None
    admin_origin: str | None
    http: httpx.Client
    """A client whose base URL is the origin."""

    @property
    def port(self) -> int:
        return int(self.origin.rpartition(":")[2])

    def rewrite(self, configuration: str | dict[str, Any], outcome: str = RELOADED) -> None:
        """Puts another configuration in the place of the file, and waits until it is in force or refused."""
        before = self.said.count()
        write(self.path, configuration)
        self.said.wait_for(outcome, after=before)

    def logged(self, count: int, fits: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """The first `count` lines of the access log for which `fits` is true, decoded."""
        lines = self.access_log.wait_for_all(lambda line: fits(json.loads(line)), count)
        return [json.loads(line) for line in lines]

    def metrics(self) -> str:
        """The text of the metrics."""
        answer = httpx.get(f"{self.metrics_origin}/apisix/prometheus/metrics", trust_env=False)
        assert answer.status_code == 200
        return answer.text

    def control(self, path: str) -> httpx.Response:
        """What the control listener answers."""
        return httpx.get(f"{self.control_origin}{path}", trust_env=False)

    def memory_peak(self) -> int:
        """The largest resident memory that the process has had, in bytes (proc(5), VmHWM)."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:  # noqa: PTH123
            line = next(line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


def write(path: Path, configuration: str | dict[str, Any]) -> None:
    """Puts the configuration into the file at once, as deployments do."""
    text = configuration if isinstance(configuration, str) else yaml.safe_dump(configuration, sort_keys=False)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def toolway(*arguments: str) -> list[str]:
    """The command line of a command."""
    return [sys.executable, "-m", "toolway", *arguments]


def environment_with(extra: Mapping[str, str] | None) -> dict[str, str]:
    """This process's environment without proxies, and `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, **(extra or {})}


def run(
    *arguments: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        toolway(*arguments),
        env=environment_with(environment),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _origin(said: Lines, prefix: str) -> str | None:
    """The origin of the listener whose address the line with this prefix tells."""
    lines = [line for line in said.so_far() if line.startswith(prefix)]
    return f"http://{lines[0].removeprefix(prefix)}" if lines else None


@contextmanager
def serving(
    path: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    within: Sequence[str] = (),
) -> Iterator[Gateway]:
    """Serves the file `path` within the block, which is entered once the gateway listens. `within` is a
    command that runs the command which follows it, in the same process.
    """
    process = subprocess.Popen(
        [*within, *toolway("serve", "-c", str(path), *arguments)],
        env=environment_with(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said, access_log = Lines(process.stderr), Lines(process.stdout)
    try:
        # The line may name several addresses; the first is enough for a client.
        address = said.wait_for(READY).removeprefix(READY).split(", ")[0]
        metrics, control, admin = (_origin(said, prefix) for prefix in (METRICS, CONTROL, ADMIN))
        origin = f"http://{address}"
        with httpx.Client(base_url=origin, trust_env=False, timeout=PATIENCE_SECONDS) as client:
            yield Gateway(process, path, said, access_log, origin, metrics, control, admin, client)
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0, said.all()
        assert not [line for line in said.all() if "Traceback" in line or "panicked" in line], said.all()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        said.all()
        access_log.all()
