"""Bodies far larger than what the gateway may keep: they stream both ways, and a slow reader slows the
writer down.

TOOLWAY_BODY_MIB says how large; memory must not grow with it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from .serving import LISTEN, serving, write
from .upstream import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .serving import Gateway
    from .upstream import Upstream

PART = bytes(range(256)) * 4096
PARTS = int(os.environ.get("TOOLWAY_BODY_MIB", "100"))
"""1024 for a long run."""
SIZE = PARTS * len(PART)
GROWTH = 16 << 20
"""Of the process's memory, however large the body is."""


def parts() -> Iterator[bytes]:
    for _ in range(PARTS):
        yield PART


@pytest.fixture(scope="module")
def digest() -> str:
    hashed = hashlib.sha256()
    for part in parts():
        hashed.update(part)
    return hashed.hexdigest()


@pytest.fixture(scope="module")
def memory(gateway: Gateway) -> int:
    """The most memory that the gateway had before any large body."""
    assert gateway.http.put("/small", content=PART).status_code == 200
    return gateway.memory_peak()


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("large") / "toolway.yaml"
    write(path, {"gateway": LISTEN, "routes": [{"uri": "/*", "upstream": {"nodes": {recorder.node: 1}}}]})
    with serving(path) as gateway:
        yield gateway


@pytest.mark.parametrize("framing", [{"Content-Length": str(SIZE)}, {"Transfer-Encoding": "chunked"}])
def test_a_large_request_arrives_whole_and_is_not_kept(
    gateway: Gateway, memory: int, upstream: Upstream, digest: str, framing: dict[str, str]
) -> None:
    answer = gateway.http.put("/large", content=parts(), headers=framing)
    assert answer.status_code == 200
    received = upstream.only()
    assert (received.length, received.sha256) == (SIZE, digest)
    assert gateway.memory_peak() < memory + GROWTH


@pytest.mark.parametrize("framing", [{"Content-Length": str(SIZE)}, {}])
def test_a_large_answer_arrives_whole_and_is_not_kept(
    gateway: Gateway, memory: int, upstream: Upstream, digest: str, framing: dict[str, str]
) -> None:
    upstream.answer = lambda received: Answer(200, framing, parts())
    hashed, length = hashlib.sha256(), 0
    with gateway.http.stream("GET", "/large") as answer:
        assert answer.status_code == 200
        for part in answer.iter_raw():
            hashed.update(part)
            length += len(part)
    assert (length, hashed.hexdigest()) == (SIZE, digest)
    assert gateway.memory_peak() < memory + GROWTH


def test_a_reader_that_stops_stops_the_writer(gateway: Gateway, memory: int, upstream: Upstream) -> None:
    sent, ended = 0, threading.Event()

    def counted() -> Iterator[bytes]:
        nonlocal sent
        for part in parts():
            yield part
            sent += len(part)
        ended.set()

    upstream.answer = lambda received: (
        Answer(200, {}, counted()) if received.target == "/unread" else Answer()
    )
    with gateway.http.stream("GET", "/unread") as answer:
        # Others are served meanwhile; without backpressure the rest would have arrived by then.
        for number in range(200):
            assert gateway.http.get(f"/other/{number}").status_code == 200
        assert not ended.is_set()
        assert sent < SIZE
        length = sum(len(part) for part in answer.iter_raw())
    assert length == SIZE
    assert gateway.memory_peak() < memory + GROWTH
