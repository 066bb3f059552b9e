"""Balancing and health as a user meets them: a configuration, requests, and the control listener."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .serving import LISTEN, PATIENCE_SECONDS
from .upstream import Answer, upstream

if TYPE_CHECKING:
    from .conftest import Serve
    from .serving import Gateway
    from .upstream import Received


def balanced(*nodes: str, **settings: Any) -> dict[str, Any]:
    """A gateway whose one upstream has these nodes."""
    route = {"uri": "/*", "upstream_id": "web"}
    return {
        "gateway": LISTEN,
        "upstreams": [{"id": "web", "nodes": dict.fromkeys(nodes, 1), **settings}],
        "routes": [route],
    }


def wait_for_statuses(gateway: Gateway, *expected: str) -> dict[str, Any]:
    """Asks the control listener until the nodes have these statuses."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found: dict[str, Any] = gateway.control("/v1/healthcheck/upstreams/web").json()
        if [node["status"] for node in found["nodes"]] == list(expected):
            return found
        assert time.monotonic() < deadline, found


def named(name: bytes) -> Answer:
    return Answer(body=name, headers={})


def test_a_cookie_stays_with_its_node_over_a_reload(serve: Serve) -> None:
    with upstream() as first, upstream() as second:
        first.answer, second.answer = lambda _: named(b"first"), lambda _: named(b"second")
        hashing = {"type": "chash", "hash_on": "cookie", "key": "session"}
        gateway = serve(balanced(first.node, second.node, **hashing))
        cookies = [{"Cookie": f"session={number}"} for number in range(20)]
        homes = [gateway.http.get("/", headers=cookie).text for cookie in cookies]
        assert set(homes) == {"first", "second"}
        gateway.rewrite(balanced(second.node, first.node, **hashing, retries=0))
        assert [gateway.http.get("/", headers=cookie).text for cookie in cookies] == homes


def test_a_node_that_probes_find_sick_gets_no_requests_until_it_is_well(serve: Serve) -> None:
    sick = True

    def answer(received: Received) -> Answer:
        is_probe = received.target == "/health"
        return Answer(status=500) if is_probe and sick else named(b"first")

    active = {
        "http_path": "/health",
        "healthy": {"interval": 0.1, "successes": 1},
        "unhealthy": {"interval": 0.1, "http_failures": 1},
    }
    with upstream() as first, upstream() as second:
        first.answer, second.answer = answer, lambda _: named(b"second")
        gateway = serve(balanced(first.node, second.node, checks={"active": active}))
        shown = wait_for_statuses(gateway, "unhealthy", "healthy")
        assert shown["name"] == "/apisix/upstreams/web"
        assert [gateway.http.get("/").text for _ in range(6)] == ["second"] * 6
        labels = f'name="/apisix/upstreams/web",ip="127.0.0.1",port="{first.port}"'
        assert f"apisix_upstream_status{{{labels}}} 0" in gateway.metrics()
        sick = False
        wait_for_statuses(gateway, "healthy", "healthy")
        assert {gateway.http.get("/").text for _ in range(6)} == {"first", "second"}


def test_the_control_listener_tells_liveness_and_readiness(serve: Serve) -> None:
    gateway = serve(balanced("127.0.0.1:1"))
    for path in ("/status", "/status/ready"):
        answer = gateway.control(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    missing = gateway.control("/v1/healthcheck/upstreams/web")
    assert (missing.status_code, missing.json()) == (404, {"error_msg": "no checker for upstreams[web]"})
