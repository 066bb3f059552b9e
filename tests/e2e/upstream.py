"""A recording upstream: an HTTP/1.1 server on a thread of the test, which keeps what it received and answers
what the test scripted.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterable, Iterator

KEPT_BYTES = 1 << 20
"""Of a body; the rest is only counted and hashed."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived."""

    method: str
    target: str
    """Path and query as they stood in the request line."""
    headers: list[tuple[str, str]]
    body: bytes
    length: int
    sha256: str

    def header(self, name: str) -> str | None:
        """The value of the header, which must not be there twice."""
        values = [value for known, value in self.headers if known.lower() == name.lower()]
        assert len(values) < 2, values
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the upstream answers. A body that is not bytes goes out in chunks, as it is made."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    body: bytes | Iterable[bytes] = b'{"ok":true}'


class Upstream:
    """The server. `answer` may be changed at any time."""

    def __init__(self, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self.node = f"127.0.0.1:{self.port}"
        self.answer: Callable[[Received], Answer] = lambda received: Answer()
        self.arrived: queue.SimpleQueue[Received] = queue.SimpleQueue()
        """Requests in the order in which they were complete."""

    def next(self) -> Received:
        """The next request that nobody has asked for."""
        return self.arrived.get(timeout=30)

    def only(self) -> Received:
        """The one request since the last was asked for."""
        received = self.next()
        assert self.arrived.empty()
        return received

    def begin_anew(self) -> None:
        """As it was at the start: nothing received, every request answered with `{"ok":true}`."""
        self.answer = lambda received: Answer()
        self.arrived = queue.SimpleQueue()


@contextmanager
def upstream(context: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """A server on a free port of loopback within the block, with TLS where a context is given."""
    made: list[Upstream] = []

    class Connection(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def serve(self) -> None:
            received = self._receive()
            made[0].arrived.put(received)
            self._send(made[0].answer(received))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Says nothing."""

        def _receive(self) -> Received:
            kept, length, digest = b"", 0, hashlib.sha256()
            for part in self._parts():
                kept += part[: max(0, KEPT_BYTES - len(kept))]
                length += len(part)
                digest.update(part)
            pairs = list(self.headers.items())
            return Received(self.command, self.path, pairs, kept, length, digest.hexdigest())

        def _parts(self) -> Iterator[bytes]:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                while size := int(self.rfile.readline(), 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return
            left = int(self.headers.get("Content-Length", "0"))
            while left:
                part = self.rfile.read(min(left, 1 << 16))
                if not part:
                    return
                left -= len(part)
                yield part

        def _send(self, answer: Answer) -> None:
            whole = answer.body if isinstance(answer.body, bytes) else None
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if whole is not None and answer.status != 204 and "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(whole)))
            if whole is None and "Content-Length" not in answer.headers:
                self.send_header("Transfer-Encoding", "chunked")
            try:
                self.end_headers()
                if whole is not None:
                    self.wfile.write(b"" if self.command == "HEAD" else whole)
                else:
                    self._send_parts(answer)
            except OSError:
                # The gateway went away, as some tests have it do.
                self.close_connection = True

        def _send_parts(self, answer: Answer) -> None:
            assert not isinstance(answer.body, bytes)
            is_chunked = "Content-Length" not in answer.headers
            for part in answer.body:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if is_chunked else part)
            if is_chunked:
                self.wfile.write(b"0\r\n\r\n")

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            if context is None:
                return connection, address
            # The handshake is made at the first read, on the connection's own thread.
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, *_: object) -> None:
            """A connection that broke is the other side's affair."""

    server = Server(("127.0.0.1", 0), Connection)
    made.append(Upstream(server.socket))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made[0]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
