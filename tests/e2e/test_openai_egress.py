"""`openai-egress` on the wire: whose address is published may call, while lists change and fail."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any

from .live import live
from .serving import LISTEN, RELOADED
from .upstream import Answer
from .upstream import upstream as server

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Serve
    from .serving import Gateway
    from .upstream import Upstream

HERE = "127.0.0.0/8"
ELSEWHERE = "192.0.2.0/28"


def text(*prefixes: str) -> str:
    return json.dumps({"prefixes": [{"ipv4Prefix": prefix} for prefix in prefixes]})


def published(*prefixes: str) -> Answer:
    return Answer(body=text(*prefixes).encode())


def route(node: str, *sources: str) -> dict[str, Any]:
    return {
        "uri": "/actions/*",
        "upstream": {"nodes": {node: 1}},
        "plugins": {"openai-egress": {"sources": list(sources)}},
    }


def status(gateway: Gateway) -> int:
    answer = gateway.http.get("/actions/a", headers={"X-Forwarded-For": "192.0.2.1"})
    if answer.status_code == 403:
        assert answer.json() == {"message": "Your IP address is not allowed"}
    return answer.status_code


def look_again(gateway: Gateway, said: str) -> None:
    """Has the lists read anew, and waits until the gateway has `said` what came of it."""
    before = gateway.said.count()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.said.wait_for(said, after=before)


def test_a_list_behind_a_url_is_followed_and_kept_while_it_fails(serve: Serve, upstream: Upstream) -> None:
    with server() as publisher:
        publisher.answer = lambda _: published(ELSEWHERE, HERE)
        url = f"http://{publisher.node}/chatgpt-actions.json"
        gateway = serve({"gateway": LISTEN, "routes": [{"id": "a", **route(upstream.node, url)}]})
        assert status(gateway) == 200
        publisher.answer = lambda _: published(ELSEWHERE)
        look_again(gateway, RELOADED)
        assert status(gateway) == 403
        publisher.answer = lambda _: Answer(status=500)
        look_again(gateway, "what was read before is used on")
        assert status(gateway) == 403
        publisher.answer = lambda _: published(HERE)
        look_again(gateway, RELOADED)
        assert status(gateway) == 200
        name = f'toolway_address_list_read_time_seconds{{source="{url}"}}'
        assert re.search(rf"^{re.escape(name)} \d{{10}}$", gateway.metrics(), re.MULTILINE)


def test_a_list_in_a_file_is_followed(serve: Serve, upstream: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "addresses.json"
    path.write_text(text(HERE))
    gateway = serve({"gateway": LISTEN, "routes": [{"id": "a", **route(upstream.node, path.name)}]})
    assert status(gateway) == 200
    before = gateway.said.count()
    path.write_text(text(ELSEWHERE))
    gateway.said.wait_for(RELOADED, after=before)
    assert status(gateway) == 403
    before = gateway.said.count()
    path.write_text("half of a fi")
    gateway.said.wait_for("what was read before is used on", after=before)
    assert status(gateway) == 403


def test_a_gateway_on_a_store_starts_without_the_publisher(upstream: Upstream, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with server() as publisher:
        publisher.answer = lambda _: published(HERE)
        url = f"http://{publisher.node}/chatgpt-connectors.json"
        with live(folder) as gateway:
            publisher.answer = lambda _: Answer(status=500)
            refused = gateway.curl("PUT", "/routes/1", route(upstream.node, url))
            assert refused.status_code == 400
            assert "the address list cannot be used" in refused.json()["error_msg"]
            refused = gateway.curl("PUT", "/routes/1", route(upstream.node, "/etc/passwd"))
            assert refused.status_code == 400
            assert "is no URL" in refused.json()["error_msg"]
            publisher.answer = lambda _: published(HERE)
            assert gateway.curl("PUT", "/routes/1", route(upstream.node, url)).status_code == 201
            assert gateway.http.get("/actions/a").status_code == 200
        publisher.answer = lambda _: Answer(status=500)
        with live(folder) as gateway:
            assert gateway.http.get("/actions/a").status_code == 200


def test_origins_of_the_metadata_are_changed_live(upstream: Upstream, tmp_path: Path) -> None:
    page = {"Origin": "https://b.example"}
    with live(tmp_path / "data") as gateway:
        cors = {"cors": {"allow_origins_by_metadata": ["own"]}}
        body = {"uri": "/pages", "upstream": {"nodes": {upstream.node: 1}}, "plugins": cors}
        assert gateway.curl("PUT", "/routes/1", body).status_code == 400
        refused = gateway.curl("PUT", "/plugin_metadata/cors", {"allow_origins": {"own": "b.example"}})
        assert refused.status_code == 400
        assert "expected origins with commas between" in refused.json()["error_msg"]
        assert gateway.curl("PUT", "/plugin_metadata/cors", {"allow_origins": {}}).status_code == 201
        refused = gateway.curl("PUT", "/routes/1", body)
        assert refused.status_code == 400
        assert 'has no allow_origins named "own"' in refused.json()["error_msg"]
        gateway.curl("PUT", "/plugin_metadata/cors", {"allow_origins": {"own": "https://a.example"}})
        assert gateway.curl("PUT", "/routes/1", body).status_code == 201
        assert "Access-Control-Allow-Origin" not in gateway.http.get("/pages", headers=page).headers
        lists = {"allow_origins": {"own": "https://a.example,https://b.example"}}
        assert gateway.curl("PUT", "/plugin_metadata/cors", lists).status_code == 200
        answer = gateway.http.get("/pages", headers=page)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://b.example"
        assert gateway.curl("DELETE", "/plugin_metadata/cors").status_code == 400
