"""`serve` and `call` as processes, against a real API on a real socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib.resources import files
from typing import IO, TYPE_CHECKING

import httpx
import pytest

from toolway.demo import conference, shop
from toolway.demo.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEMO = str(files("toolway.demo"))
KEY = "a-key-that-tests-use"
VISITOR_KEY = "a-key-of-one-who-may-only-look"

ROUTE = """\
gateway: {{listen: ["127.0.0.1:0"], admin: null, metrics: null, control: null}}
routes:
  - uri: {uri}
    upstream: {{nodes: {{"{node}": 1}}}}
"""
READY = "toolway: listening on "


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "toolway", *arguments]


@pytest.fixture(scope="module")
def conference_port() -> Iterator[int]:
    with served(conference.application(), "conference") as port:
        yield port


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A `toolway serve` that listens, and its origin; ended by SIGTERM where the test did not end it."""
    process = subprocess.Popen(
        command("serve", *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        address = line_with(process.stderr, READY).removeprefix(READY)
        yield process, f"http://{address}"
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def line_with(stream: IO[str], text: str) -> str:
    """The next line that has `text`; fails where the stream ends before."""
    read = []
    for line in stream:
        read.append(line)
        if text in line:
            return line.strip()
    raise AssertionError("".join(read))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_well_at_a_signal(tmp_path: Path, conference_port: int, number: int) -> None:
    path = tmp_path / "toolway.yaml"
    path.write_text(ROUTE.format(uri="/speaker/*", node=f"127.0.0.1:{conference_port}"))
    with serving("-c", str(path)) as (process, origin):
        answer = httpx.get(f"{origin}/speaker/1/sessions", trust_env=False)
        assert answer.json()["speaker"] == {"id": 1, "name": "Amara Abara"}
        process.send_signal(number)
        assert process.wait() == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_serve_follows_its_file_and_keeps_the_last_good_one(tmp_path: Path, conference_port: int) -> None:
    path = tmp_path / "toolway.yaml"
    node = f"127.0.0.1:{conference_port}"
    path.write_text(ROUTE.format(uri="/topics", node=node))
    with serving("-c", str(path)) as (process, origin):
        assert process.stderr is not None
        path.write_text("routes: 1\n")
        line_with(process.stderr, "the last good one goes on")
        assert httpx.get(f"{origin}/topics", trust_env=False).status_code == 200
        path.write_text(ROUTE.format(uri="/sessions", node=node))
        line_with(process.stderr, "configuration reloaded")
        assert httpx.get(f"{origin}/sessions", trust_env=False).status_code == 200
        assert httpx.get(f"{origin}/topics", trust_env=False).status_code == 404


def test_serve_connects_elsewhere_as_told(tmp_path: Path, conference_port: int) -> None:
    path = tmp_path / "toolway.yaml"
    path.write_text(ROUTE.format(uri="/topics", node="api.example:8080"))
    elsewhere = f"api.example:8080:127.0.0.1:{conference_port}"
    with serving("-c", str(path), "--connect-to", elsewhere) as (_, origin):
        assert httpx.get(f"{origin}/topics", trust_env=False).status_code == 200


def test_serve_of_a_bad_file_is_2_and_of_a_taken_port_1(tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    path.write_text("routes: 1\n")
    bad = subprocess.run(command("serve", "-c", str(path)), capture_output=True, text=True)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith(f"error: {path}:1:")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        path.write_text(
            f'gateway: {{listen: ["127.0.0.1:{port}"], admin: null, metrics: null, control: null}}\n'
        )
        taken = subprocess.run(command("serve", "-c", str(path)), capture_output=True, text=True)
    assert taken.returncode == 1
    assert taken.stderr.startswith("toolway: cannot listen: ")
    assert taken.stderr.count("\n") == 1


class Demo:
    """Calls of the demo's app, without a gateway that listens."""

    def __init__(self, conference_port: int, shop_port: int) -> None:
        self._environment = {
            **os.environ,
            "DEMO_CONFERENCE_PORT": str(conference_port),
            "DEMO_SHOP_PORT": str(shop_port),
            "DEMO_API_KEY": KEY,
            "DEMO_VISITOR_KEY": VISITOR_KEY,
        }

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command("call", "conference", *arguments, "-c", f"{DEMO}/toolway.yaml"),
            env=self._environment,
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def demo(conference_port: int) -> Iterator[Demo]:
    with served(shop.application(), "shop") as shop_port:
        yield Demo(conference_port, shop_port)


def test_call_prints_what_a_model_would_get(demo: Demo) -> None:
    ran = demo.call("GetSpeakerTopics", "id=1")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["speaker"] == {"id": 1, "name": "Amara Abara"}


def test_call_tells_a_refusal_and_takes_a_key(demo: Demo) -> None:
    order = ["PlaceOrder", "name=Ada", 'items=[{"product_id": "rubber-duck"}]']
    refused = demo.call(*order)
    assert refused.returncode == 1
    assert "Missing API key in request" in refused.stdout
    placed = demo.call(*order, "-H", f"apikey: {KEY}", "--output", "json")
    assert placed.returncode == 0
    result = json.loads(placed.stdout)
    assert not result.get("isError")
    assert json.loads(result["content"][0]["text"])["status"] == "placed"


def test_call_shows_what_a_given_caller_sees_and_gets(demo: Demo) -> None:
    def listed(*arguments: str) -> set[str]:
        ran = demo.call("--list", *arguments)
        assert (ran.returncode, ran.stderr) == (0, "")
        return {line.split()[0] for line in ran.stdout.splitlines()}

    assert listed("--as", KEY) - listed("--as", VISITOR_KEY) == {"PlaceOrder"}
    assert listed("--as", VISITOR_KEY) == listed() == listed("--as", "made-up")
    order = ["PlaceOrder", '{"name": "Ada", "items": [{"product_id": "rubber-duck"}]}']
    placed = demo.call(*order, "--as", KEY)
    assert (placed.returncode, json.loads(placed.stdout)["status"]) == (0, "placed")
    refused = demo.call(*order, "--as", VISITOR_KEY)
    assert refused.returncode == 1
    assert "it needs the role buyer" in refused.stdout
    for key, said in (
        ("made-up", "Invalid API key in request"),
        ("tw_made-up", "Invalid API key in request"),
    ):
        assert said in demo.call(*order, "--as", key).stdout


def test_call_with_a_wrong_argument_says_which(demo: Demo) -> None:
    ran = demo.call("GetSpeakerTopics", "id=first")
    assert ran.returncode == 1
    assert "id" in ran.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["Nothing"],
        [],
        ["GetSpeaker", "--list"],
        ["GetSpeaker", "id"],
        ["GetSpeaker", "{id: 1}"],
        ["GetSpeaker", "id=1", "-H", "key"],
    ],
)
def test_call_used_wrongly_is_2(demo: Demo, arguments: list[str]) -> None:
    ran = demo.call(*arguments)
    assert ran.returncode == 2
    assert ran.stderr.startswith("toolway: ")
    assert ran.stderr.count("\n") == 1
