"""The processes of a run: started pinned to a core, measured from /proc, ended by their ids."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def require(*programs: str) -> None:
    """Installs Debian's packages of programs that are missing. Exits where that cannot be done."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    packages = ["nginx-light" if program == "nginx" else program for program in missing]
    print(f"==> Installing {', '.join(packages)}", flush=True)
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        sys.exit(f"make bench needs {', '.join(packages)}: install them, and run it again")
    subprocess.run([apt, "update", "-qq"], check=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([apt, "install", "-y", "-qq", *packages], check=True, env=environment)


def free_port() -> int:
    """A port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server process on one core, in a folder of its own."""

    def __init__(self, name: str, command: list[str], port: int, core: int, folder: Path) -> None:
        self.name, self.port = name, port
        with (folder / f"{name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._await_port(folder)

    def _await_port(self, folder: Path) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        self.stop()
        sys.exit(f"{self.name} did not start:\n{(folder / f'{self.name}.log').read_text()}")

    def cpu_seconds(self) -> float:
        """CPU time used so far by the process and its children."""
        return sum(_cpu_seconds(pid) for pid in [self.process.pid, *_children(self.process.pid)])

    def peak_memory(self) -> int:
        """The largest resident size of the process and its children so far, in bytes."""
        return sum(_peak_memory(pid) for pid in [self.process.pid, *_children(self.process.pid)])

    def stop(self) -> None:
        """Ends the process and waits for it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


def _children(pid: int) -> list[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listing.split()]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def _peak_memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
