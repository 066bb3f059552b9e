"""kill -9 in the middle of writes: what was acknowledged is there, and nothing is there by half."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from toolway.store import Store

from .stores import sealer
from .writer import changes

if TYPE_CHECKING:
    from databases.postgresql import Server

ROOT = Path(__file__).parents[3]
ROUNDS = (1, 57, 110, 36)
"""How many revisions are acknowledged before the writer is killed, in the middle of the next."""


def writer(place: str) -> subprocess.Popen[str]:
    """A process that writes and tells what was acknowledged."""
    command = [sys.executable, "-m", "tests.unit.store.writer", place]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def check(store: Store, acknowledged: int) -> None:
    """All that was acknowledged is there, at most one revision more, and each of them whole."""
    latest = store.revision()
    assert latest in (acknowledged, acknowledged + 1)
    for number in range(1, latest + 1):
        revision = store.revision_at(number)
        expected = changes(number)
        assert [(change.kind, change.id) for change in revision.changes] == [
            (change.kind, change.id) for change in expected
        ]
        own = store.get("routes", f"of-{number}")
        assert own is not None
        assert own.value == expected[0].value
        assert (own.created_index, revision.size) == (number, len(expected))
    last = {change.id: number for number in range(1, latest + 1) for change in changes(number)[1:]}
    assert {service.id: service.value["number"] for service in store.scan("services")} == last
    assert {service.id: service.modified_index for service in store.scan("services")} == last


def test_a_writer_that_is_killed_leaves_every_acknowledged_write_and_no_half_one(place: str) -> None:
    acknowledged = 0
    for rounds in ROUNDS:
        with writer(place) as process:
            assert process.stdout is not None
            for _ in range(rounds):
                acknowledged = int(process.stdout.readline())
            process.kill()
            # It may have acknowledged more before the signal came.
            for line in process.stdout:
                acknowledged = int(line)
        with Store.open(place, sealer=sealer()) as store:
            check(store, acknowledged)
            acknowledged = store.revision()
    assert acknowledged >= sum(ROUNDS)


def test_a_database_server_that_crashes_keeps_every_acknowledged_write(postgresql: Server) -> None:
    place = postgresql.new_database()
    acknowledged = 0
    with writer(place) as process:
        assert process.stdout is not None
        for _ in range(75):
            acknowledged = int(process.stdout.readline())
        postgresql.stop("immediate")
        for line in process.stdout:
            acknowledged = int(line)
    postgresql.start()
    assert process.returncode == 1
    with Store.open(place, sealer=sealer()) as store:
        check(store, acknowledged)
