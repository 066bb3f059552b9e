"""`forward-auth` and `opa` on the wire: what servers that decide are told, and what becomes of answers."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .serving import LISTEN
from .upstream import Answer, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Serve
    from .upstream import Received, Upstream


@contextmanager
def deciding(decide: Any) -> Iterator[Upstream]:
    """A server that decides."""
    with upstream() as server:
        server.answer = decide
        yield server


def configuration(node: str, plugins: dict[str, Any]) -> dict[str, Any]:
    return {
        "gateway": LISTEN,
        "routes": [
            {"id": "reports", "uri": "/reports/*", "plugins": plugins, "upstream": {"nodes": {node: 1}}}
        ],
    }


def test_an_authorization_service_lets_in_and_refuses(serve: Serve, upstream: Upstream) -> None:
    def decide(received: Received) -> Answer:
        if received.header("Authorization") == "Bearer good":
            return Answer(headers={"X-User-ID": "carol"}, body=b"")
        return Answer(status=401, headers={"WWW-Authenticate": "Bearer", "X-Inner": "1"}, body=b"go away")

    with deciding(decide) as service:
        settings = {
            "uri": f"http://{service.node}/auth",
            "request_headers": ["Authorization"],
            "upstream_headers": ["X-User-ID"],
            "client_headers": ["WWW-Authenticate"],
            "keepalive": False,
        }
        gateway = serve(configuration(upstream.node, {"forward-auth": settings}))
        headers = {"Authorization": "Bearer good", "X-User-ID": "root"}
        assert (
            gateway.http.post("/reports/%2e/a?b=1", headers=headers, content=b"x" * 100_000).status_code
            == 200
        )
        asked, received = service.only(), upstream.only()
        assert (asked.method, asked.target) == ("GET", "/auth")
        assert asked.header("X-Forwarded-Uri") == received.target == "/reports/a?b=1"
        assert asked.header("X-Forwarded-Method") == "POST"
        assert (received.header("X-User-ID"), received.header("Authorization")) == ("carol", None)
        assert received.length == 100_000
        refused = gateway.http.get("/reports/a")
        assert (refused.status_code, refused.text) == (401, "go away")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert "X-Inner" not in refused.headers
    assert gateway.http.get("/reports/a", headers=headers).status_code == 403
    line = json.loads(gateway.access_log.wait_for("outbound_failed"))
    assert line["error_detail"].startswith(f"http://{service.node}/auth: ")
    assert upstream.arrived.empty()


def test_a_policy_lets_in_and_refuses(serve: Serve, upstream: Upstream) -> None:
    def decide(received: Received) -> Answer:
        request = received.json["input"]["request"]
        if request["method"] == "GET":
            decision: dict[str, Any] = {"allow": True, "headers": {"X-Level": "reader"}}
        else:
            decision = {"allow": False, "status_code": 405, "reason": {"only": "GET"}}
        return Answer(body=json.dumps({"result": decision}).encode())

    with deciding(decide) as agent:
        settings = {
            "host": f"http://{agent.node}",
            "policy": "reports/access",
            "with_route": True,
            "send_headers_upstream": ["X-Level"],
            "keepalive": False,
        }
        gateway = serve(configuration(upstream.node, {"opa": settings}))
        assert gateway.http.get("/reports/a", headers={"X-Level": "admin"}).status_code == 200
        assert upstream.only().header("X-Level") == "reader"
        asked = agent.only()
        assert (asked.method, asked.target) == ("POST", "/v1/data/reports/access")
        assert asked.json["input"]["route"]["id"] == "reports"
        refused = gateway.http.post("/reports/a")
        assert (refused.status_code, refused.json()) == (405, {"only": "GET"})
        agent.answer = lambda received: Answer(body=b"{}")
        assert gateway.http.get("/reports/a").status_code == 503
    assert gateway.http.get("/reports/a").status_code == 403
    assert upstream.arrived.empty()
