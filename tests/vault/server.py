"""A scripted Vault: what is at which path, in engines of version 1 and 2, and how it fails."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from toolway.secret_managers import VaultSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "s.the-token-of-tests"


class VaultServer:
    """A Vault with an engine of version 1 at `kv1` and one of version 2 at `teams/kv2`."""

    def __init__(self, port: int = 0, token: str = TOKEN) -> None:
        self.token = token
        self.secrets: dict[str, dict[str, Any]] = {}
        """By mount and path, as in `kv1/apisix/jack`."""
        self.answer: tuple[int, dict[str, str], bytes] | None = None
        """What everything is answered with, where it is set."""
        self.hold = threading.Event()
        """Cleared: nothing is answered until it is set."""
        self.hold.set()
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.tells_mounts = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            # A connection is for one request, so that a server that was stopped answers none.
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.headers.append(dict(self.headers))
                server.hold.wait(30)
                status, headers, body = server.answer or server.respond(self.path, dict(self.headers))
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(body))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.port: int = self._http.server_address[1]

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Takes no more connections."""
        self.hold.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def respond(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """What a Vault answers."""
        path = path.removeprefix("/v1/")
        if headers.get("X-Vault-Token") != self.token:
            return _json(403, {"errors": ["permission denied"]})
        if path.startswith("sys/internal/ui/mounts/teams/kv2/"):
            if not self.tells_mounts:
                return _json(403, {"errors": ["preflight capability check returned 403"]})
            return _json(200, {"data": {"path": "teams/kv2/", "type": "kv", "options": {"version": "2"}}})
        if path.startswith("teams/kv2/data/"):
            found = self.secrets.get("teams/kv2/" + path.removeprefix("teams/kv2/data/"))
            if found is None:
                return _json(404, {"errors": []})
            if not found:
                metadata = {"version": 1, "deletion_time": "2026-01-01T00:00:00Z"}
                return _json(404, {"data": {"data": None, "metadata": metadata}})
            return _json(200, {"data": {"data": found, "metadata": {"version": 3}}})
        if path.startswith("teams/kv2/"):
            warning = "Invalid path for a versioned K/V secrets engine. See the API docs for the path to use."
            return _json(404, {"errors": [], "warnings": [warning]})
        if path in self.secrets:
            return _json(200, {"lease_duration": 2764800, "data": self.secrets[path]})
        return _json(404, {"errors": []})


def _json(status: int, content: Any) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()


@contextlib.contextmanager
def vault_server(port: int = 0, token: str = TOKEN) -> Iterator[VaultServer]:
    """A server for the length of the block."""
    server = VaultServer(port, token)
    try:
        yield server
    finally:
        server.stop()


def settings_of(server: VaultServer, prefix: str = "kv1/apisix", **others: Any) -> VaultSettings:
    """How to reach it."""
    return VaultSettings(**{"uri": server.uri, "prefix": prefix, "token": TOKEN, **others})
