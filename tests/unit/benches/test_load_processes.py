"""CPU time and memory of real processes."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest
from benches.load.processes import (
    Server,
    ServerError,
    Usage,
    descendants,
    free_port,
    run_on_core,
    used_microseconds,
)

if TYPE_CHECKING:
    from pathlib import Path

SERVER = """
import socket, subprocess, sys
code = "import socket; socket.create_connection(('127.0.0.1', {watch})).recv(1)"
child = subprocess.Popen([sys.executable, "-c", code])
listener = socket.create_server(("127.0.0.1", {port}))
while True:
    connection, _ = listener.accept()
    if connection.recv(1):
        sum(range(3_000_000))
        connection.sendall(b".")
    connection.close()
"""


def test_time_of_threads_that_came_counts_to_the_nanosecond() -> None:
    before = {1: Usage({1: 1_000, 2: 5_000}, 0)}
    after = {1: Usage({1: 2_500, 2: 5_000, 3: 500}, 9), 7: Usage({7: 4_000}, 0)}
    assert used_microseconds(before, after) == 6.0


def test_where_a_thread_ended_the_ticks_of_its_process_count() -> None:
    before = {1: Usage({1: 1_000, 2: 5_000}, 10)}
    after = {1: Usage({1: 2_000}, 12)}
    # A tick is 10 ms on every Linux.
    assert used_microseconds(before, after) == 20_000.0


def test_a_server_tells_its_time_and_memory_and_ends_with_its_children(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as watch:
        watch.settimeout(60)
        command = [sys.executable, "-c", SERVER.format(port=port, watch=watch.getsockname()[1])]
        server = Server("mine", command, port=port, core=0, folder=tmp_path, environment={})
        try:
            child, _ = watch.accept()
            before = server.usage()
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b".")
                assert connection.recv(1) == b"."
            assert used_microseconds(before, server.usage()) > 1_000
            assert server.peak_bytes() >= server.resident_bytes() > 1_000_000
            assert len(descendants(server.process.pid)) == 2
        finally:
            server.stop()
        assert server.process.poll() is not None
        with child:
            child.settimeout(60)
            assert child.recv(1) == b"", "the child has ended"


def test_a_server_that_ends_at_once_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such file')"]
    with pytest.raises(ServerError, match=r"mine did not start:\nno such file"):
        Server("mine", command, port=free_port(), core=0, folder=tmp_path, environment={})


def test_a_command_that_fails_is_an_error_with_what_it_said() -> None:
    with pytest.raises(ServerError, match="wrong"):
        run_on_core(0, [sys.executable, "-c", "raise SystemExit('wrong')"], timeout=60)
