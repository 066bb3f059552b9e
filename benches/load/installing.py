"""Installs Debian's packages that a run needs. `make bench` puts those of Python into `.venv-bench`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from benches.load.processes import ServerError

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-bench" / "bin"
"""Where Envoy, Caddy and FastMCP are."""

PACKAGES = {
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "wrk": "wrk",
    "h2load": "nghttp2-client",
    "taskset": "util-linux",
}
"""Debian's package of each program."""


def install(programs: set[str]) -> None:
    """Installs the packages of `programs` that are missing. Raises ServerError where that cannot be done."""
    missing = sorted(
        PACKAGES[program] for program in programs if shutil.which(program, path=search_path()) is None
    )
    if not missing:
        return
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise ServerError(f"make bench needs {', '.join(missing)}: install them, or run it as root on Debian")
    print(f"==> Installing {', '.join(missing)}", flush=True)
    # Run level 1 keeps the packages from starting their services, which nothing here needs.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        done = subprocess.run([apt, "-qq", *command], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise ServerError(f"apt-get {command[0]} failed:\n{done.stderr[-2000:]}")


def search_path() -> str:
    """Where programs are looked for; those of administrators are not on every user's path."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def program(name: str) -> str:
    """The path of a program. Raises ServerError where there is none."""
    found = shutil.which(name, path=search_path())
    if found is None:
        raise ServerError(f"{name} is not installed")
    return found
