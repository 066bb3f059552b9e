"""A PostgreSQL server of the tests' own: from the system's package, in a folder of its own, on a free port.

It refuses to run as root, so then it runs as the user that its package makes. Its speed comes from not
flushing to the disk: these tests end processes, not machines.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
}
_USER = "toolway"
PASSWORD = "correct-horse"


def programs() -> Path:
    """The folder of the newest server's programs. Without it the test is skipped, but never in CI."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    reason = "there is no PostgreSQL server; Debian's package is called postgresql"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Server:
    """A running server; `stop` and `start` keep its data, port and socket."""

    def __init__(self, folder: Path) -> None:
        """Makes the data in `folder`, which other users must be able to reach, and starts."""
        self._programs = programs()
        self._owner = "postgres" if os.getuid() == 0 else None
        self.folder = folder
        self._data = folder / "data"
        if self._owner:
            shutil.chown(folder, self._owner)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._names = (f"t{number}" for number in itertools.count(1))
        secret = folder / "password"
        secret.write_text(PASSWORD)
        self.own(secret)
        access = ("-U", _USER, "-A", "scram-sha-256", "--pwfile", secret)
        self._run("initdb", "-D", self._data, "-N", "-E", "UTF8", *access)
        settings = {**_SETTINGS, "port": self.port, "unix_socket_directories": folder}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self.start()

    def url(self, database: str = "postgres", *, password: str = PASSWORD, query: str = "") -> str:
        """Of a database, over TCP."""
        return f"postgresql://{_USER}:{password}@127.0.0.1:{self.port}/{database}{query}"

    def new_database(self) -> str:
        """Makes an empty database: its URL."""
        name = next(self._names)
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def new_schema(self) -> str:
        """Makes an empty schema, quicker than a database: the URL of a database that has nothing else."""
        name = next(self._names)
        self.execute(f"CREATE SCHEMA {name}")
        return self.url(query=f"?options=-csearch_path%3D{name}")

    def execute(self, statement: str, url: str | None = None) -> None:
        """Runs a statement, each in a transaction of its own."""
        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def start(self) -> None:
        """Starts, and returns once connections are taken."""
        self._run("pg_ctl", "-D", self._data, "-l", self.folder / "log", "-w", "-t", "60", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stops at once, with all connections cut; `immediate` is like a crash."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "-t", "60", "stop")

    def own(self, path: Path) -> None:
        """Gives a file to the user that the server runs as, for nobody else to read."""
        path.chmod(0o600)
        if self._owner:
            shutil.chown(path, self._owner, pwd.getpwnam(self._owner).pw_gid)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        # What it starts must not keep a pipe of the tests open.
        with tempfile.TemporaryFile("w+") as output:
            streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            done = subprocess.run(command, user=self._owner, cwd="/", **streams, check=False)  # type: ignore[call-overload]
            output.seek(0)
            assert done.returncode == 0, output.read()


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A server that is stopped and gone at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="toolway-pg-"))
    folder.chmod(0o755)
    running: Server | None = None
    try:
        running = Server(folder)
        yield running
    finally:
        if running is not None:
            running.stop("immediate")
        shutil.rmtree(folder)
