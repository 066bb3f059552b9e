"""The gateway on real files and sockets: it follows what it read, and a wrong file changes nothing."""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("toolway._engine")

from toolway import openapi
from toolway.gateway import Gateway
from toolway.problem import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 20
OPENAPI = {
    "openapi": "3.0.3",
    "info": {"title": "Things", "version": "1"},
    "paths": {
        "/things": {"get": {"operationId": "listThings", "responses": {"200": {"description": "Done."}}}}
    },
}


class Echo(BaseHTTPRequestHandler):
    """Answers with the path that arrived."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Log(logging.Handler):
    """Keeps what the gateway says, and lets a test wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._new = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._new:
            self.said.append(record.getMessage())
            self._new.notify_all()

    def wait_for(self, words: str) -> None:
        with self._new:
            heard = self._new.wait_for(lambda: any(words in said for said in self.said), SECONDS)
        assert heard, f"nobody said {words!r} but {self.said}"


@pytest.fixture
def log() -> Iterator[Log]:
    logger = logging.getLogger("toolway.gateway")
    handler, level = Log(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def write(folder: Path, data: dict[str, Any]) -> Path:
    """Puts the configuration there as editors do: a new file in the place of the old."""
    gateway = dict.fromkeys(("metrics", "control", "admin", "access_log"))
    gateway |= {"listen": ["127.0.0.1:0"], "workers": 1}
    new = folder / "new"
    new.write_text(json.dumps({"gateway": gateway, **data}))
    return new.rename(folder / "toolway.yaml")


def routed(upstream: str, *uris: str) -> dict[str, Any]:
    nodes = {upstream: 1}
    return {
        "routes": [{"id": f"r{at}", "uri": uri, "upstream": {"nodes": nodes}} for at, uri in enumerate(uris)]
    }


@contextmanager
def running(path: Path) -> Iterator[Gateway]:
    gateway = Gateway(path)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop(5)


def status_of(gateway: Gateway, path: str) -> int:
    return answer_of(gateway, path)[0]


def body_of(gateway: Gateway, path: str) -> str:
    return answer_of(gateway, path)[1]


def answer_of(gateway: Gateway, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(gateway.listen_addresses[0], timeout=SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_a_change_of_the_file_is_served(tmp_path: Path, upstream: str, log: Log) -> None:
    with running(write(tmp_path, routed(upstream, "/old"))) as gateway:
        assert (status_of(gateway, "/old"), status_of(gateway, "/new")) == (200, 404)
        write(tmp_path, routed(upstream, "/new"))
        log.wait_for("configuration reloaded")
        assert (status_of(gateway, "/old"), status_of(gateway, "/new")) == (404, 200)


def test_a_wrong_file_is_told_and_the_last_good_one_goes_on(tmp_path: Path, upstream: str, log: Log) -> None:
    with running(write(tmp_path, routed(upstream, "/a"))) as gateway:
        write(tmp_path, {"rotues": []})
        log.wait_for("[unknown-field]")
        assert status_of(gateway, "/a") == 200
        (tmp_path / "toolway.yaml").unlink()
        log.wait_for("[file-unreadable]")
        assert status_of(gateway, "/a") == 200
        write(tmp_path, routed(upstream, "/b"))
        log.wait_for("configuration reloaded")
        assert status_of(gateway, "/b") == 200


def test_a_route_that_is_written_in_front_of_its_like_goes_first_after_a_reload(
    tmp_path: Path, upstream: str
) -> None:
    old = routed(upstream, "/x/:a", "/y")
    with running(write(tmp_path, old)) as gateway:
        assert body_of(gateway, "/x/1") == "/x/1"
        first = {**old["routes"][0], "id": "first", "plugins": {"proxy-rewrite": {"uri": "/first"}}}
        write(tmp_path, {"routes": [first, *old["routes"]]})
        assert gateway.reload()
        assert (body_of(gateway, "/x/1"), body_of(gateway, "/y")) == ("/first", "/y")
        write(tmp_path, {"routes": [*old["routes"], first]})
        assert gateway.reload()
        assert body_of(gateway, "/x/1") == "/x/1"


def test_an_anonymous_consumer_that_is_not_there_is_warned_of_at_its_place(
    tmp_path: Path, upstream: str, log: Log
) -> None:
    routes = routed(upstream, "/a")
    routes["routes"][0]["plugins"] = {"key-auth": {"anonymous_consumer": "guest"}}
    with running(write(tmp_path, {"consumers": [{"username": "guest"}], **routes})) as gateway:
        assert status_of(gateway, "/a") == 200
        write(tmp_path, routes)
        assert gateway.reload()
        assert status_of(gateway, "/a") == 401
        position = (tmp_path / "toolway.yaml").read_text().index('"guest"') + 1
        (said,) = [said for said in log.said if "anonymous-consumer-missing" in said]
        assert 'no consumer has the username "guest"' in said
        assert f"toolway.yaml:1:{position}:" in said


def test_a_change_of_a_document_in_another_folder_is_served(tmp_path: Path, upstream: str, log: Log) -> None:
    (tmp_path / "specs").mkdir()
    spec = tmp_path / "specs" / "things.json"
    spec.write_text(json.dumps(OPENAPI))
    api = {"id": "things", "spec": "specs/things.json", "upstream": {"nodes": {upstream: 1}}}
    with running(write(tmp_path, {"apis": [api]})) as gateway:
        assert (status_of(gateway, "/things"), status_of(gateway, "/stuff")) == (200, 404)
        spec.write_text(json.dumps(OPENAPI).replace("/things", "/stuff"))
        log.wait_for("configuration reloaded")
        assert (status_of(gateway, "/things"), status_of(gateway, "/stuff")) == (404, 200)


def test_a_reload_reads_only_documents_that_changed(
    tmp_path: Path, upstream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    original = openapi.read

    def counting(spec: Any, **options: Any) -> Any:
        read.append(spec)
        return original(spec, **options)

    monkeypatch.setattr(openapi, "read", counting)
    nodes = {"nodes": {upstream: 1}}
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps(OPENAPI))
    apis = [
        {"id": name, "prefix": f"/{name}", "spec": f"{name}.json", "upstream": nodes}
        for name in ("one", "two")
    ]
    gateway = Gateway(write(tmp_path, {"apis": apis}))
    gateway.build()
    read.clear()
    (tmp_path / "two.json").write_text(json.dumps(OPENAPI).replace("Things", "Stuff"))
    assert gateway.reload()
    assert read == ["two.json"]
    (tmp_path / "two.json").write_text("[]")
    assert not gateway.reload()


def test_what_takes_a_restart_is_said(tmp_path: Path, upstream: str, log: Log) -> None:
    path = write(tmp_path, routed(upstream, "/a"))
    gateway = Gateway(path)
    gateway.build()
    data = json.loads(path.read_text())
    data["gateway"]["workers"] = 2
    path.write_text(json.dumps(data))
    assert gateway.reload()
    assert "gateway.workers has changed, which takes a restart" in log.said
    assert not any("gateway.listen" in said for said in log.said)


def test_what_the_engine_refuses_is_told_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    path.write_text("routes:\n  - id: a\n    uri: /a/*/b\n    upstream: {nodes: {'a:1': 1}}\n")
    with pytest.raises(ConfigurationError) as caught:
        Gateway.check(path)
    (problem,) = caught.value.problems
    assert (problem.code, problem.line) == ("engine-refused", 3)


REFUSED_PLUGINS = """\
consumers:
  - username: ada
    plugins:
      request-id: {}
      cors: {}
      prometheus: {}
routes:
  - id: a
    uri: /a
    plugins: {limit-count: {count: 1, time_window: 60, group: both}}
    upstream: {nodes: {"127.0.0.1:1": 1}}
  - id: b
    uri: /b
    plugins:
      limit-count: {count: 2, time_window: 60, group: both}
    upstream: {nodes: {"127.0.0.1:1": 1}}
"""


def test_plugins_that_the_engine_refuses_are_told_at_their_line(tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    path.write_text(REFUSED_PLUGINS)
    with pytest.raises(ConfigurationError) as caught:
        Gateway.check(path)
    told = {problem.line: problem.message for problem in caught.value.problems}
    assert set(told) == {4, 5, 15}
    assert told[4].startswith("request-id runs before the consumer is known")
    assert told[5].startswith("cors runs before the consumer is known")
    assert "route:b are not those at route:a" in told[15]


def test_all_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not an image")
    data = {
        "apis": [{"id": "gone", "spec": "gone.yaml"}, {"id": "list", "spec": "toolway.yaml"}],
        "apps": [
            {"id": "a", "operations": [], "logo": "gone.png"},
            {"id": "b", "operations": [], "logo": "text.png"},
        ],
    }
    with pytest.raises(ConfigurationError) as caught:
        Gateway.compile(write(tmp_path, data))
    assert [(problem.code, problem.pointer) for problem in caught.value.problems] == [
        ("spec-unreadable", "/apis/0/spec"),
        ("spec-unreadable", "/apis/1/spec"),
        ("logo-unreadable", "/apps/0/logo"),
        ("logo-unreadable", "/apps/1/logo"),
    ]


def test_sighup_reloads_and_sigterm_drains(tmp_path: Path, upstream: str, log: Log) -> None:
    path = write(tmp_path, routed(upstream, "/a"))
    gateway = Gateway(path)
    gateway.start(watch=False)

    def ready() -> None:
        write(tmp_path, routed(upstream, "/b"))
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    assert gateway.run_until_signal(ready) == 0
    assert "configuration reloaded" in log.said
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_gateway_that_was_not_built_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not built"):
        Gateway(tmp_path / "toolway.yaml").call("a", "b", {})
