"""A gateway under load: nodes die and come back, it is told to end, another takes over from it. No request
fails.

Short by default; TOOLWAY_NODE_ROUNDS and TOOLWAY_TAKEOVERS say how often.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx

from .loading import Client, answered, failures, post, statuses, under_load
from .node import node
from .serving import LISTEN, PATIENCE_SECONDS, serving, write

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Serve
    from .loading import Told
    from .upstream import Upstream

NODE_ROUNDS = int(os.environ.get("TOOLWAY_NODE_ROUNDS", "3"))
"""How often a node is killed and started anew; 60 for a long run."""
TAKEOVERS = int(os.environ.get("TOOLWAY_TAKEOVERS", "1"))
"""How often one gateway takes over from another; 20 for a long run."""
CLIENTS = 8
BETWEEN = 20
"""Answers that each client has had before the next thing happens."""


def everywhere(*nodes: str, **gateway: Any) -> dict[str, Any]:
    upstream = {"nodes": dict.fromkeys(nodes, 1)}
    return {
        "gateway": {**LISTEN, "access_log": None, **gateway},
        "routes": [{"uri": "/*", "upstream": upstream}],
    }


class Nodes:
    """Three nodes, one of which is dead at times."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._journals = [folder / f"node-{number}" for number in range(3)]
        self._running = [stack.enter_context(node(0, journal)) for journal in self._journals]
        self.addresses = [f"127.0.0.1:{port}" for _, port in self._running]

    def kill(self, number: int) -> None:
        process, _ = self._running[number]
        process.kill()
        process.wait()

    def restore(self, number: int) -> None:
        _, port = self._running[number]
        self._running[number] = self._stack.enter_context(node(port, self._journals[number]))

    def done(self) -> Counter[str]:
        """How often each POST was done."""
        return Counter(line for journal in self._journals for line in journal.read_text().splitlines())


async def kill_and_restore(nodes: Nodes, clients: list[Client]) -> None:
    async with under_load(clients):
        for number in itertools.islice(itertools.cycle(range(3)), NODE_ROUNDS):
            await asyncio.to_thread(nodes.kill, number)
            await answered(clients, BETWEEN)
            await asyncio.to_thread(nodes.restore, number)
            await answered(clients, BETWEEN)


def test_no_get_fails_while_one_of_three_nodes_dies_and_comes_back(serve: Serve, tmp_path: Path) -> None:
    with ExitStack() as stack:
        nodes = Nodes(stack, tmp_path)
        gateway = serve(everywhere(*nodes.addresses))
        clients = [Client(gateway.port) for _ in range(CLIENTS)]
        asyncio.run(kill_and_restore(nodes, clients))
    assert failures(clients) == []
    assert set(statuses(clients)) == {200}


def test_a_post_is_done_once_or_answered_with_502_while_nodes_die(serve: Serve, tmp_path: Path) -> None:
    sent: itertools.count[int] = itertools.count()
    told: dict[str, Told] = {}

    def ask() -> bytes:
        return post("/orders", str(next(sent)).encode())

    def note(request: bytes, answer: Told) -> None:
        told[request.rpartition(b"\r\n")[2].decode()] = answer

    with ExitStack() as stack:
        nodes = Nodes(stack, tmp_path)
        gateway = serve(everywhere(*nodes.addresses))
        clients = [Client(gateway.port, ask, told=note) for _ in range(CLIENTS)]
        asyncio.run(kill_and_restore(nodes, clients))
        done = nodes.done()
    assert failures(clients) == []
    assert set(done.values()) == {1}
    for identifier, answer in told.items():
        if answer.status == 200:
            assert done[identifier] == 1
        else:
            # A node that had the request died with it, and nobody can know whether it was done.
            assert (answer.status, answer.headers["x-toolway-error"]) == (502, "upstream_closed")
    lost = sum(answer.status != 200 for answer in told.values())
    # Only what is under way at the moment of a death can be lost.
    assert lost <= NODE_ROUNDS * CLIENTS


def test_sigterm_under_load_turns_readiness_false_first_and_fails_no_request(
    serve: Serve, upstream: Upstream
) -> None:
    gateway = serve(everywhere(upstream.node))
    clients = [Client(gateway.port, is_told_to_end=True) for _ in range(CLIENTS)]

    def is_ready() -> bool:
        """Whether the control listener says so; one that is gone does not."""
        try:
            return gateway.control("/status/ready").status_code == 200
        except httpx.TransportError:
            return False

    def is_refused() -> bool:
        try:
            gateway.http.get("/")
        except httpx.ConnectError:
            return True
        return False

    async def end() -> list[bool]:
        async with under_load(clients):
            assert is_ready()
            gateway.process.send_signal(signal.SIGTERM)
            while not await asyncio.to_thread(is_refused):
                pass
            # Whoever is refused now has been told before.
            seen = [await asyncio.to_thread(is_ready)]
            await answered(clients, sys.maxsize)
            return seen

    assert asyncio.run(end()) == [False]
    assert gateway.process.wait(PATIENCE_SECONDS) == 0
    assert failures(clients) == []
    assert set(statuses(clients)) == {200}
    assert not any("cut off" in line for line in gateway.said.all())


def test_one_gateway_after_the_other_takes_over_without_a_failed_request(
    upstream: Upstream, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    write(first, everywhere(upstream.node, workers=2))

    async def take_over(running: ExitStack, clients: list[Client]) -> None:
        async with under_load(clients):
            for _ in range(TAKEOVERS):
                predecessor = running.pop_all()
                await asyncio.to_thread(running.enter_context, serving(second, "--take-over"))
                await answered(clients, BETWEEN)
                # By SIGTERM; it must end with 0.
                await asyncio.to_thread(predecessor.close)
                await answered(clients, BETWEEN)

    with ExitStack() as stack:
        gateway = stack.enter_context(serving(first))
        write(second, everywhere(upstream.node, workers=2, listen=[f"127.0.0.1:{gateway.port}"]))
        # Half of them on kept connections, half on new ones.
        clients = [Client(gateway.port, fresh_after=number % 2) for number in range(CLIENTS)]
        asyncio.run(take_over(stack, clients))
    assert failures(clients) == []
    assert set(statuses(clients)) == {200}
