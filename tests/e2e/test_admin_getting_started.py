"""Apache APISIX's getting started tutorials against the Admin API, call by call, with their answers."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from .live import LiveGateway, live
from .upstream import Answer, Upstream
from .upstream import upstream as upstream_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def nth(name: bytes) -> Answer:
    return Answer(body=b'{"node": "%s"}' % name)


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Upstream, Upstream]]:
    """Two APIs that answer with their names."""
    with ExitStack() as stack:
        one, two = (stack.enter_context(upstream_server()) for _ in range(2))
        one.answer = lambda _received: nth(b"one")
        two.answer = lambda _received: nth(b"two")
        yield one, two


@pytest.fixture
def gateway(tmp_path: Path, nodes: tuple[Upstream, Upstream]) -> Iterator[LiveGateway]:
    """A gateway with the tutorials' first route."""
    with live(tmp_path / "data") as gateway:
        route = {
            "id": "getting-started-ip",
            "uri": "/ip",
            "upstream": {"type": "roundrobin", "nodes": {nodes[0].node: 1}},
        }
        assert gateway.curl("PUT", "/routes", route).status_code == 201
        yield gateway


def test_configure_routes(gateway: LiveGateway) -> None:
    assert gateway.http.get("/ip").json() == {"node": "one"}
    assert gateway.http.get("/other").status_code == 404


def test_load_balancing(gateway: LiveGateway, nodes: tuple[Upstream, Upstream]) -> None:
    route = {
        "id": "getting-started-headers",
        "uri": "/headers",
        "upstream": {
            "type": "roundrobin",
            "nodes": {node.node: 1 for node in nodes},
            "pass_host": "node",
            "scheme": "http",
        },
    }
    assert gateway.curl("PUT", "/routes", route).status_code == 201
    answered = [gateway.http.get("/headers").json()["node"] for _ in range(100)]
    assert 45 <= answered.count("one") <= 55


def test_key_authentication(gateway: LiveGateway) -> None:
    consumer = {"username": "tom", "plugins": {"key-auth": {"key": "secret-key"}}}
    assert gateway.curl("PUT", "/consumers", consumer).status_code == 201
    on = gateway.curl("PATCH", "/routes/getting-started-ip", {"plugins": {"key-auth": {}}})
    assert on.status_code == 200
    assert gateway.http.get("/ip").status_code == 401
    assert gateway.http.get("/ip", headers={"apikey": "wrong-key"}).status_code == 401
    assert gateway.http.get("/ip", headers={"apikey": "secret-key"}).status_code == 200
    off = {"plugins": {"key-auth": {"_meta": {"disable": True}}}}
    assert gateway.curl("PATCH", "/routes/getting-started-ip", off).status_code == 200
    assert gateway.http.get("/ip").status_code == 200


def test_rate_limiting(gateway: LiveGateway) -> None:
    limit = {"plugins": {"limit-count": {"count": 2, "time_window": 10_000, "rejected_code": 503}}}
    assert gateway.curl("PATCH", "/routes/getting-started-ip", limit).status_code == 200
    statuses = [gateway.http.get("/ip").status_code for _ in range(20)]
    assert statuses == [200, 200, *[503] * 18]
    off = {"plugins": {"limit-count": {"_meta": {"disable": True}}}}
    assert gateway.curl("PATCH", "/routes/getting-started-ip", off).status_code == 200
    assert {gateway.http.get("/ip").status_code for _ in range(20)} == {200}


def test_the_article_in_admin_calls(gateway: LiveGateway, nodes: tuple[Upstream, Upstream]) -> None:
    """Its upstream and route, which it writes as a file, through the Admin API."""
    upstream = {
        "name": "Conferences API upstream",
        "desc": "Register Conferences API as the upstream",
        "scheme": "http",
        "pass_host": "node",
        "nodes": {nodes[1].node: 1},
    }
    assert gateway.curl("PUT", "/upstreams/1", upstream).status_code == 201
    route = {
        "uris": ["/speaker/*"],
        "name": "Conferences API speaker's sessions details",
        "methods": ["GET"],
        "upstream_id": 1,
    }
    assert gateway.curl("POST", "/routes", route).status_code == 201
    assert gateway.http.get("/speaker/1/sessions").json() == {"node": "two"}
    assert gateway.http.post("/speaker/1/sessions").status_code == 404
    in_use = gateway.curl("DELETE", "/upstreams/1")
    assert in_use.status_code == 400
    assert "is still using it now" in in_use.json()["error_msg"]
