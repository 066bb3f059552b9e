"""A gateway's life as a process: how it starts, refuses to start, is told to reload, and ends."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from .serving import CONTROL, LISTEN, METRICS, PATIENCE_SECONDS, READY, run, toolway
from .things import DOCUMENT
from .upstream import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Serve
    from .upstream import Received, Upstream

BAD = """\
gateway: {listen: ["127.0.0.1:0"], admin: null, metrics: null, wrokers: 2}
upstreams:
  - id: one
    nodes: {"127.0.0.1:1": 1}
    type: roundrobbin
routes:
  - uri: no-slash
    upstream_id: two
    plugins:
      limit-count: {count: many, time_window: 60}
      key-auht: {}
consumers:
  - username: ada
    plugins: {key-auth: {key: "$env://E2E_IS_NOT_SET"}}
apps:
  - id: app
    operations: ["things:*"]
    nmae_for_human: App
"""


def everywhere(node: str) -> dict[str, Any]:
    return {"gateway": LISTEN, "routes": [{"uri": "/*", "upstream": {"nodes": {node: 1}}}]}


def test_sigterm_lets_a_slow_answer_end_and_takes_no_new_connection(serve: Serve, upstream: Upstream) -> None:
    go_on = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b"first,"
        assert go_on.wait(PATIENCE_SECONDS)
        yield b"last"

    upstream.answer = lambda received: Answer(200, {"Content-Type": "text/plain"}, slowly())
    gateway = serve(everywhere(upstream.node))
    with gateway.http.stream("GET", "/slow") as answer:
        parts = answer.iter_raw()
        assert next(parts) == b"first,"
        gateway.process.send_signal(signal.SIGTERM)
        gateway.said.wait_for("draining")
        assert gateway.process.poll() is None
        go_on.set()
        assert b"".join(parts) == b"last"
    assert gateway.process.wait(PATIENCE_SECONDS) == 0
    line = json.loads(gateway.access_log.all()[-1])
    assert (line["path"], line["status"], line["complete"]) == ("/slow", 200, True)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gateway.port))


def test_sigterm_ends_idle_connections_at_once(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(everywhere(upstream.node))
    assert gateway.http.get("/a").status_code == 200
    with socket.create_connection(("127.0.0.1", gateway.port)) as silent:
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(PATIENCE_SECONDS) == 0
        assert silent.recv(1) == b""
    assert not any("cut off" in line for line in gateway.said.all())


def test_sighup_reads_documents_behind_urls_again(serve: Serve, upstream: Upstream) -> None:
    served = json.dumps(DOCUMENT)

    def answer(received: Received) -> Answer:
        return Answer(body=served.encode()) if received.target == "/spec.json" else Answer()

    upstream.answer = answer
    api = {
        "id": "things",
        "spec": f"http://{upstream.node}/spec.json",
        "upstream": {"nodes": {upstream.node: 1}},
    }
    gateway = serve({"gateway": LISTEN, "apis": [api]})
    assert gateway.http.get("/stock").status_code == 200
    served = served.replace('"/stock"', '"/inventory"')
    before = gateway.said.count()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.said.wait_for("configuration reloaded", after=before)
    assert gateway.http.get("/inventory").status_code == 200
    assert gateway.http.get("/stock").status_code == 404


def test_sighup_opens_the_access_log_anew_after_it_was_moved_away(
    serve: Serve, upstream: Upstream, tmp_path: Path
) -> None:
    log, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    configuration = everywhere(upstream.node)
    gateway = serve({**configuration, "gateway": {**LISTEN, "access_log": str(log)}})
    assert gateway.http.get("/before").status_code == 200
    log.rename(moved)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.said.wait_for("access log opened anew")
    assert gateway.http.get("/after").status_code == 200
    gateway.process.terminate()
    assert gateway.process.wait(PATIENCE_SECONDS) == 0
    old, new = ([json.loads(line)["path"] for line in file.read_text().splitlines()] for file in (moved, log))
    # A line that was under way may be in either.
    assert sorted(old + new) == ["/after", "/before"]
    assert "/after" in new


def test_sighup_keeps_the_old_access_log_where_there_can_be_no_new_one(
    serve: Serve, upstream: Upstream, tmp_path: Path
) -> None:
    log, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    configuration = everywhere(upstream.node)
    gateway = serve({**configuration, "gateway": {**LISTEN, "access_log": str(log)}})
    log.rename(moved)
    log.mkdir()
    gateway.process.send_signal(signal.SIGHUP)
    assert "directory" in gateway.said.wait_for("the access log was not opened anew")
    assert gateway.http.get("/after").status_code == 200
    gateway.process.terminate()
    assert gateway.process.wait(PATIENCE_SECONDS) == 0
    assert json.loads(moved.read_text())["path"] == "/after"


def test_a_bad_file_at_the_start_is_2_and_every_mistake_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    path.write_text(BAD)
    ran = run("serve", "-c", str(path))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Traceback" not in ran.stderr
    places = {
        "1:64": "workers",
        "5:11": "roundrobin",
        "7:10": "/",
        "8:18": "two",
        "10:28": "count",
        "11:7": "key-auth",
        "14:31": "E2E_IS_NOT_SET",
        "18:5": "name_for_human",
    }
    lines = ran.stderr.splitlines()
    for place, said in places.items():
        told = [line for line in lines if line.startswith(f"error: {path}:{place}: ")]
        assert told, f"nothing at {place}:\n{ran.stderr}"
        assert said in told[0]
    assert len(lines) == len(places)


def test_check_says_the_same_as_serve(tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    path.write_text(BAD)
    checked, served = run("check", "-c", str(path)), run("serve", "-c", str(path))
    assert (checked.returncode, checked.stderr) == (2, served.stderr)
    told = json.loads(run("check", "-c", str(path), "--output", "json").stdout)["problems"]
    assert len(told) == len(served.stderr.splitlines())


def test_a_file_that_is_missing_is_2_and_one_line(tmp_path: Path) -> None:
    ran = run("serve", "-c", str(tmp_path / "nothing.yaml"))
    assert ran.returncode == 2
    assert "nothing.yaml" in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("block", ["listen", "metrics", "control"])
def test_an_address_that_is_taken_is_1_and_one_line(tmp_path: Path, block: str) -> None:
    path = tmp_path / "toolway.yaml"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        addresses: dict[str, Any] = {
            "listen": ["127.0.0.1:0"],
            "metrics": None,
            "admin": None,
            "control": None,
        }
        addresses[block] = [address] if block == "listen" else address
        path.write_text(json.dumps({"gateway": addresses}))
        ran = run("serve", "-c", str(path))
    assert ran.returncode == 1
    assert ran.stderr.startswith("toolway: cannot listen: ")
    assert address in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_the_number_of_files_is_raised_as_far_as_it_may_be_and_a_low_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    path.write_text(json.dumps({"gateway": LISTEN}))
    command = [
        "bash",
        "-c",
        'ulimit -Sn 300; ulimit -Hn 2000; exec "$@"',
        "limited",
        *toolway("serve", "-c", str(path)),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = list(itertools.takewhile(lambda line: not line.startswith(READY), process.stderr))
        with open(f"/proc/{process.pid}/limits", encoding="ascii") as limits:  # noqa: PTH123
            files = next(line.split()[3:5] for line in limits if line.startswith("Max open files"))
        process.terminate()
    assert files == ["2000", "2000"]
    assert any("may open only 2000 files" in line for line in said)


def test_a_second_gateway_cannot_share_the_addresses_of_the_first(serve: Serve, tmp_path: Path) -> None:
    first = serve({"gateway": {**LISTEN, "workers": 2}})
    path = tmp_path / "second.yaml"
    path.write_text(json.dumps({"gateway": {**LISTEN, "listen": [f"127.0.0.1:{first.port}"], "workers": 2}}))
    with subprocess.Popen(toolway("serve", "-c", str(path)), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if METRICS not in line and CONTROL not in line)
        # It ends by itself, unless it listens where it must not.
        if not line.startswith("toolway: cannot listen: "):
            process.terminate()
    assert line.startswith("toolway: cannot listen: ")
    assert process.returncode == 1
