"""Upstreams and clients that fail: each gets a clear answer or none, and the gateway goes on serving."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from .serving import LISTEN, PATIENCE_SECONDS, serving, write
from .things import CONSUMERS, KEY
from .upstream import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .serving import Gateway
    from .upstream import Upstream

FIELDS = {
    "time",
    "client",
    "consumer",
    "route",
    "operation",
    "status",
    "bytes_in",
    "bytes_out",
    "upstream",
    "latency_ms",
}


@contextmanager
def answering(raw: bytes) -> Iterator[str]:
    """A node that reads a request's head, sends `raw` and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    head = b""
                    while not head.endswith(b"\r\n\r\n"):
                        head += connection.recv(1)
                    connection.sendall(raw)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def silent() -> Iterator[str]:
    """A node that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def dead() -> Iterator[str]:
    """An address at which nobody listens, and nobody else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("failures") / "toolway.yaml"
    with (
        dead() as nobody,
        silent() as mute,
        answering(b"") as closing,
        answering(b"this is no HTTP\r\n\r\n") as babbling,
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it") as breaking,
    ):
        nodes: dict[str, dict[str, int]] = {
            "dead": {nobody: 1},
            "silent": {mute: 1},
            "closing": {closing: 1},
            "babbling": {babbling: 1},
            "breaking": {breaking: 1},
            "half-dead": {nobody: 1, recorder.node: 1},
            "weightless": {recorder.node: 0},
            "well": {recorder.node: 1},
        }
        routes = [
            {
                "id": name,
                "name": f"The route {name}",
                "uri": f"/{name}/*",
                "upstream": {"nodes": found, "timeout": {"connect": 3600, "send": 3600, "read": 0.2}},
            }
            for name, found in nodes.items()
        ]
        guarded = {
            "id": "guarded",
            "uri": "/guarded/*",
            "plugins": {"key-auth": {}},
            "upstream": {"nodes": {recorder.node: 1}},
        }
        write(path, {"gateway": LISTEN, "routes": [*routes, guarded], "consumers": CONSUMERS})
        with serving(path) as gateway:
            yield gateway


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("dead", 502, "upstream_unreachable"),
        ("silent", 504, "upstream_read_timeout"),
        ("closing", 502, "upstream_closed"),
        ("babbling", 502, "upstream_protocol"),
        ("weightless", 503, "no_upstream_node"),
    ],
)
@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b"body")])
def test_an_upstream_that_fails_is_told_as_json_with_a_code(
    gateway: Gateway, name: str, status: int, code: str, method: str, body: bytes
) -> None:
    path = f"/{name}/{method}"
    answer = gateway.http.request(method, path, content=body)
    assert answer.status_code == status
    assert answer.headers["X-Toolway-Error"] == code
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"error_msg"}
    # Addresses are for the log.
    assert "127.0.0.1" not in answer.text
    line = gateway.logged(1, lambda line: line["path"] == path)[0]
    assert (line["status"], line["error"]) == (status, code)
    assert f'toolway_errors_total{{code="{code}"}} ' in gateway.metrics()


def test_another_node_is_asked_where_one_is_dead(gateway: Gateway, upstream: Upstream) -> None:
    for number in range(6):
        assert gateway.http.get(f"/half-dead/{number}").status_code == 200
        assert upstream.only().target == f"/half-dead/{number}"


def test_an_answer_that_breaks_off_is_not_passed_on_as_whole(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE_SECONDS) as client:
        client.sendall(b"GET /breaking/a HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        while part := client.recv(1 << 16):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    # What had arrived may be passed on or not; a client must see that it is not all.
    assert received == b"" or b"content-length: 100" in head.lower()
    assert len(body) < 100
    line = gateway.logged(1, lambda line: line["route"] == "breaking")[0]
    assert line["complete"] is False


def test_a_client_that_writes_one_byte_after_another_is_served(gateway: Gateway, upstream: Upstream) -> None:
    request = b"POST /well/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE_SECONDS) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            client.sendall(bytes([byte]))
        received = b""
        while part := client.recv(1 << 16):
            received += part
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert upstream.only().body == b"body"


def test_a_client_that_goes_away_while_it_reads_ends_the_exchange(
    gateway: Gateway, upstream: Upstream
) -> None:
    ended = threading.Event()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * (1 << 16)
        finally:
            # The write that failed has ended the answer.
            ended.set()

    upstream.answer = lambda received: Answer(200, {"Content-Type": "text/plain"}, endless())
    with gateway.http.stream("GET", "/well/reading") as answer:
        next(answer.iter_raw())
    assert ended.wait(PATIENCE_SECONDS)
    line = gateway.logged(1, lambda line: line["path"] == "/well/reading")[0]
    assert line["complete"] is False
    assert line["bytes_out"] > 0


def test_a_client_that_goes_away_while_it_writes_ends_the_exchange(
    gateway: Gateway, upstream: Upstream
) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(b"POST /well/writing HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
    gateway.logged(1, lambda line: line["path"] == "/well/writing")
    assert gateway.http.get("/well/after").status_code == 200


def test_a_client_that_goes_away_before_the_answer_is_logged_too(
    gateway: Gateway, upstream: Upstream
) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def wait(_: object) -> Answer:
        arrived.set()
        go_on.wait(PATIENCE_SECONDS)
        return Answer()

    upstream.answer = wait
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(b"GET /guarded/waiting HTTP/1.1\r\nHost: a\r\napikey: " + KEY.encode() + b"\r\n\r\n")
        assert arrived.wait(PATIENCE_SECONDS)
    line = gateway.logged(1, lambda line: line["path"] == "/guarded/waiting")[0]
    go_on.set()
    assert line["complete"] is False


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /well/a HTTP/1.1\r\n\r\n", 400),
        (b"GET /well/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"POST /well/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /well/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
        (b"GET /well/a%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"no HTTP at all\r\n\r\n", 400),
    ],
)
def test_a_request_that_cannot_be_trusted_never_reaches_the_upstream(
    gateway: Gateway, upstream: Upstream, head: bytes, status: int
) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE_SECONDS) as client:
        client.sendall(head)
        line = client.makefile("rb").readline()
    assert int(line.split()[1]) in {400, status}
    assert upstream.arrived.empty()


def test_a_line_of_the_log_has_every_field_that_is_promised(gateway: Gateway, upstream: Upstream) -> None:
    answer = gateway.http.post(f"/guarded/logged?apikey={KEY}&q=1", content=b"twelve bytes")
    assert answer.status_code == 200
    line = gateway.logged(1, lambda line: line["path"] == "/guarded/logged")[0]
    assert set(line) >= FIELDS
    expected: dict[str, Any] = {
        "client": "127.0.0.1",
        "method": "POST",
        "host": "127.0.0.1",
        "path": "/guarded/logged",
        "route": "guarded",
        "consumer": "ada",
        "operation": None,
        "status": 200,
        "bytes_in": 12,
        "bytes_out": len(answer.content),
        "upstream": upstream.node,
        "error": None,
        "tool": None,
        "complete": True,
    }
    assert {name: line[name] for name in expected} == expected
    assert line["latency_ms"] >= line["upstream_latency_ms"] > 0
    assert KEY not in json.dumps(line)
