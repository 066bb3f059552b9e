"""Many idle and slow clients: the others are served as if they were not there.

Few of them by default, and nothing is said of time. With TOOLWAY_CROWD=10000,1000 (idle, slow) the latencies
of the others are measured before and with them, printed, and compared.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .loading import Client, answered, failures, get, under_load
from .loading import statuses as statuses_of
from .node import node
from .serving import LISTEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Serve

IDLE, SLOW = (int(number) for number in os.environ.get("TOOLWAY_CROWD", "300,60").split(","))
IS_MEASURED = "TOOLWAY_CROWD" in os.environ
CLIENTS = 8
REQUESTS = 500 if IS_MEASURED else 50
"""Of each client, in each round."""
ROUNDS = 5 if IS_MEASURED else 1
PAUSE_SECONDS = 0.005 if IS_MEASURED else 0
"""Between two requests of a client, so that it is not the machine's limit that is measured."""


@contextmanager
def crowd(port: int) -> Iterator[subprocess.Popen[str]]:
    """The crowd, all of whom are connected."""
    command = [sys.executable, str(Path(__file__).with_name("crowd.py"))]
    with subprocess.Popen(
        [*command, str(port), str(IDLE), str(SLOW)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def ninety_ninth(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


async def measure(port: int) -> float:
    """The median over the rounds of the 99th percentile of latencies, in seconds."""
    found = []
    for _ in range(ROUNDS):
        clients = [Client(port, lambda: get("/others"), pause=PAUSE_SECONDS) for _ in range(CLIENTS)]
        async with under_load(clients):
            await answered(clients, REQUESTS)
        assert failures(clients) == []
        assert set(statuses_of(clients)) == {200}
        found.append(ninety_ninth([second for client in clients for second in client.seconds]))
    return statistics.median(found)


def test_idle_and_slow_clients_are_kept_and_hold_up_nobody(serve: Serve, tmp_path: Path) -> None:
    with ExitStack() as stack:
        # The crowd has a node of its own, so that what is measured is the gateway.
        nodes = [stack.enter_context(node(0, tmp_path / name))[1] for name in ("others", "crowd")]
        upstreams = [{"nodes": {f"127.0.0.1:{port}": 1}} for port in nodes]
        limits = {"connections": IDLE + SLOW + 100, "head_timeout": 3600}
        gateway = serve(
            {
                "gateway": {**LISTEN, "workers": 2, "access_log": None, "limits": limits},
                "routes": [
                    {"uri": "/others", "upstream": upstreams[0]},
                    {"uri": "/*", "upstream": upstreams[1]},
                ],
            }
        )
        before = asyncio.run(measure(gateway.port))
        memory = gateway.memory_peak()
        process = stack.enter_context(crowd(gateway.port))
        amid = asyncio.run(measure(gateway.port))
        said, _ = process.communicate("")
    assert said.split() == ["0", "0"]
    if IS_MEASURED:
        each = (gateway.memory_peak() - memory) / (IDLE + SLOW)
        print(f"p99 before {before * 1000:.2f} ms, amid {amid * 1000:.2f} ms; {each:.0f} bytes a connection")
        assert amid <= 2 * before
