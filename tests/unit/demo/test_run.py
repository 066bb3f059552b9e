"""The demo as a whole, as `toolway demo` runs it: played to its end, with nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from toolway.demo.gateway_process import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = [sys.executable, "-m", "toolway", "demo"]


def is_listening(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def test_every_step_goes_as_it_should_and_nothing_stays() -> None:
    port = free_port(19_080)
    ran = subprocess.run([*COMMAND, "--once", "--port", str(port)], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert re.search(r"All \d+ steps went as they should", ran.stdout)
    assert "\x1b" not in ran.stdout
    assert not is_listening(port)


def from_a_terminal(process: subprocess.Popen[str]) -> None:
    """What Ctrl-C does: the signal goes to the demo and to the gateway that it started."""
    os.killpg(process.pid, signal.SIGINT)


def from_a_supervisor(process: subprocess.Popen[str]) -> None:
    process.terminate()


@pytest.mark.parametrize("stop", [from_a_terminal, from_a_supervisor])
def test_the_demo_stays_up_until_it_is_stopped(stop: Callable[[subprocess.Popen[str]], None]) -> None:
    port = free_port(19_180)
    process = subprocess.Popen(
        [*COMMAND, "--port", str(port), "--base-url", "https://demo.example/"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line)
        if "Ctrl-C ends the demo" in line:
            break
    assert is_listening(port)
    stop(process)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0, "".join(told)
    assert "Import from URL:  https://demo.example/openapi.yaml" in "".join(told)
    assert rest.endswith("\nStopped.\n")
    assert "Traceback" not in rest
    assert not is_listening(port)


def test_a_port_that_was_asked_for_and_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ran = subprocess.run([*COMMAND, "--once", "--port", str(port)], capture_output=True, text=True)
    assert ran.returncode == 1
    assert f"port {port} is taken" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr
