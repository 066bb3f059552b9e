"""Starts the peers, Toolway among them, with their configurations in `peers/`, and their upstream."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

from benches.load import credentials
from benches.load.installing import ENVIRONMENT, program
from benches.load.processes import Server, free_port
from benches.load.templates import templates, write

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER_CORE, LOAD_CORE = 0, 1

ANSWER = json.dumps({"speaker": 1, "sessions": [{"id": number, "title": "x" * 48} for number in range(9)]})
"""What the upstream answers: about 700 bytes of JSON."""
LARGE_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that is compared."""

    name: str
    file: str
    """How the file that it is started with ends."""
    command: Callable[[Path], list[str]]
    """What starts it in the foreground with one worker, from the path of that file."""
    version: Callable[[], list[str]]
    programs: frozenset[str] = frozenset()
    """What it takes of Debian's."""
    reload: signal.Signals | None = None
    """What makes it read its configuration anew; none: it follows the file by itself."""
    environment: dict[str, str] = field(default_factory=dict)
    patience: int = 1
    """How many times as long it is loaded, since it answers so few requests."""
    most_connections: int = 512
    """With more it would answer each of them only now and then."""

    def main_file(self, folder: Path, configuration: str) -> Path:
        """The file that it is started with."""
        return folder / f"{configuration}.{self.file}"

    def can(self, configuration: str) -> bool:
        """Whether there is such a configuration for it."""
        return bool(templates(self.name, configuration))


def _toolway(path: Path) -> list[str]:
    # What is changed while it serves is told to the Admin API; every other row is a file.
    data = ["--data", str(path.parent / "data")] if path.stem == "apply" else []
    return [sys.executable, "-m", "toolway", "serve", "-c", str(path), *data]


def _envoy(path: Path) -> list[str]:
    # The wheel's own command is Python that runs this.
    binary = next(
        ENVIRONMENT.parent.glob("lib/python*/site-packages/envoy/_bin/envoy"), ENVIRONMENT / "envoy"
    )
    return [
        str(binary),
        "-c",
        str(path),
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "error",
    ]


_HAPROXY = frozenset({"haproxy"})
_METADATA = "from importlib.metadata import version; print(version('fastmcp'))"

PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "nginx",
            "conf",
            lambda path: [program("nginx"), "-p", str(path.parent), "-c", str(path), "-e", "error.log"],
            lambda: [program("nginx"), "-v"],
            frozenset({"nginx"}),
            signal.SIGHUP,
        ),
        Peer(
            "haproxy",
            "cfg",
            # The master is what can be told to reload. Nothing of a request passes through it.
            lambda path: [program("haproxy"), "-W", "-db", "-f", str(path)],
            lambda: [program("haproxy"), "-v"],
            _HAPROXY,
            signal.SIGUSR2,
        ),
        Peer("envoy", "yaml", _envoy, lambda: [*_envoy(Path())[:1], "--version"]),
        Peer(
            "caddy",
            "Caddyfile",
            lambda path: [str(ENVIRONMENT / "caddy"), "run", "--adapter", "caddyfile", "--config", str(path)],
            lambda: [str(ENVIRONMENT / "caddy"), "version"],
            environment={"GOMAXPROCS": "1"},
        ),
        Peer(
            "fastmcp",
            "py",
            lambda path: [str(ENVIRONMENT / "python"), str(path)],
            lambda: [str(ENVIRONMENT / "python"), "-c", _METADATA],
            patience=5,
            most_connections=64,
        ),
        Peer("toolway", "yaml", _toolway, lambda: [sys.executable, "-m", "toolway", "--version"]),
    )
}


def version(command: list[str]) -> str:
    """The version that a program tells, alone where it can be found in what it says."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    said = (done.stdout + done.stderr).replace(command[0], "")
    found = re.search(r"\d+\.\d+(?:\.\d+)?(?:[-+~][\w.+~-]+)?", said)
    return found[0] if found else said.strip().partition("\n")[0] or "unknown"


def start(peer: Peer, configuration: str, label: str, folder: Path, upstream: Server) -> Server:
    """Starts `peer` in a new folder below `folder` on the servers' core. Raises ServerError."""
    own = folder / re.sub(r"\W+", "-", label)
    own.mkdir()
    for name in ("server.pem", "server.key", "both.pem"):
        (own / name).write_bytes((folder / name).read_bytes())
    port = free_port()
    write(peer.name, configuration, own, values(port, upstream.port, own))
    return Server(
        label,
        peer.command(peer.main_file(own, configuration)),
        port=port,
        core=SERVER_CORE,
        folder=own,
        environment=peer.environment,
    )


def values(port: int, upstream_port: int, folder: Path, change: int = 0) -> dict[str, object]:
    """What a template may name."""
    return {
        "LISTEN": port,
        "UPSTREAM": upstream_port,
        "ADMIN": free_port(),
        "FOLDER": folder,
        "BODY": ANSWER,
        "CHANGE": change,
        **credentials.values(),
    }


def start_upstream(folder: Path) -> Server:
    """An nginx on the load's core that answers every request with `ANSWER`, and `/large` with 100 kB."""
    own = folder / "upstream"
    own.mkdir()
    (own / "large").write_bytes(b"x" * LARGE_BYTES)
    port = free_port()
    write("upstream", "upstream", own, values(port, port, own))
    command = PEERS["nginx"].command(own / "upstream.conf")
    return Server("upstream", command, port=port, core=LOAD_CORE, folder=own, environment={})


def make_certificate(folder: Path) -> None:
    """A certificate for 127.0.0.1 and localhost with its key (P-256): apart, and both in one file."""
    certificate = trustme.CA().issue_cert("127.0.0.1", "localhost")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    key = certificate.private_key_pem.bytes()
    (folder / "server.pem").write_bytes(chain)
    (folder / "server.key").write_bytes(key)
    (folder / "both.pem").write_bytes(chain + key)
