"""The row `apply`: one route among 10,000 changes while the server is under load.

Toolway is told of the change by its Admin API, the others by their file. What is measured is the time from
then to the first answer by the new route, and the requests of the load that failed meanwhile.
"""

from __future__ import annotations

import re
import signal
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from benches.load.administering import Administration
from benches.load.figures import BUDGET_CONNECTIONS, Report, Single, check
from benches.load.generators import parse_wrk
from benches.load.installing import program
from benches.load.processes import Server, ServerError, stop
from benches.load.rows import APPLY, TOOLWAY, Ask
from benches.load.run import answer, note
from benches.load.servers import LOAD_CORE, PEERS, Peer, start, values
from benches.load.templates import changing, write_file

if TYPE_CHECKING:
    from pathlib import Path

ASK = Ask(path="/routes/5000/items")
LIVE_MILLISECONDS = 50
LONGEST_SECONDS = 60.0
"""After which a change is given up."""
SETTLE_SECONDS = 1.0


def run_apply(changes: int, peers: frozenset[str], folder: Path, upstream: Server, report: Report) -> None:
    """Measures `changes` changes of each server that can follow its file."""
    for peer in PEERS.values():
        if peer.name not in peers or not peer.can("apply"):
            continue
        note(f"apply: {peer.name}")
        server = start(peer, "apply", f"apply-{peer.name}", folder, upstream)
        try:
            own = folder / f"apply-{peer.name}"
            change = _by_admin(own) if peer.name == TOOLWAY else _by_file(peer, server, own, upstream)
            live, errors = _under_load(server, changes, change)
        except ServerError as error:
            report.not_measured[f"{APPLY}: {peer.name}"] = str(error)
            continue
        finally:
            server.stop()
        report.singles += [
            Single(APPLY, peer.name, "change to live", live, "ms"),
            Single(APPLY, peer.name, "failed requests", errors, ""),
        ]
        if peer.name == TOOLWAY:
            report.checks += [
                check(APPLY, "one route of 10,000 changed, to live", live, LIVE_MILLISECONDS, "ms"),
                check(APPLY, "requests that failed meanwhile", errors, 0, ""),
            ]


Change = Callable[[int], Callable[[], None]]
"""Prepares a change by its number; what is returned makes it."""


def _under_load(server: Server, changes: int, change: Change) -> tuple[float, int]:
    """The median of the times to live in milliseconds, and the failed requests."""
    _await(server, 0)
    longest = int(changes * LONGEST_SECONDS) + 10
    command = ["taskset", "-c", str(LOAD_CORE), program("wrk"), "--latency", "-t1", f"-c{BUDGET_CONNECTIONS}"]
    command += [f"-d{longest}s", f"http://127.0.0.1:{server.port}{ASK.path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as generator:
        try:
            times = [_time_to_live(server, number + 1, change) for number in range(changes)]
            # wrk then stops and tells what it saw.
            generator.send_signal(signal.SIGINT)
            output = generator.communicate(timeout=40)[0].decode()
        finally:
            stop(generator)
    # Requests that were under way when wrk stopped are no errors of the server.
    return statistics.median(times), parse_wrk(re.sub(r"timeout \d+", "timeout 0", output)).errors


def _by_admin(folder: Path) -> Change:
    administration = Administration(folder)
    return lambda number: partial(administration.change, number)


def _by_file(peer: Peer, server: Server, folder: Path, upstream: Server) -> Change:
    def prepared(number: int) -> Callable[[], None]:
        filled = values(server.port, upstream.port, folder, number)
        finish = [write_file(template, folder, filled) for template in changing(peer.name, "apply")]

        def change() -> None:
            for put_in_place in finish:
                put_in_place()
            if peer.reload is not None:
                server.signal(peer.reload)

        return change

    return prepared


def _time_to_live(server: Server, number: int, change: Change) -> float:
    """Milliseconds from a change to its first answer."""
    # A master process takes signals later than its new worker takes requests, and loses earlier ones.
    time.sleep(SETTLE_SECONDS)
    make = change(number)
    began = time.monotonic()
    make()
    return (_await(server, number) - began) * 1e3


def _await(server: Server, number: int) -> float:
    """When the route of a change answered first. Raises ServerError."""
    ask = Ask(path=f"/changed/{number}")
    deadline = time.monotonic() + LONGEST_SECONDS
    while (now := time.monotonic()) < deadline:
        try:
            if answer(server.port, ask)[0] == 200:
                return time.monotonic()
        except ServerError:
            # A server that is reloading may drop a connection; the load counts that.
            time.sleep(0.001)
            continue
        time.sleep(max(0.0, 0.002 - (time.monotonic() - now)))
    raise ServerError(f"the change was not live after {LONGEST_SECONDS:g} s\n{server.said()}")
