"""Plugins on every way in: a call of a tool meets those of its operation as any request does, and global
rules hold where no route is.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import pytest

from .measures import samples
from .rpc import Rpc, text_of
from .serving import serving, write
from .things import configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Serve
    from .serving import Gateway
    from .upstream import Upstream

ORIGIN = "https://chatgpt.com"
LIMIT = {"count": 2, "time_window": 600, "rejected_code": 429, "rejected_msg": "Slow down."}
OPERATIONS = {
    "findThings": {"plugins": {"limit-count": LIMIT}},
    "getStock": {"plugins": {"proxy-rewrite": {"uri": "/inner/stock", "headers": {"set": {"X-Set": "yes"}}}}},
    "createThing": {"plugins": {"cors": {}}},
}


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    rule = {"id": "everywhere", "plugins": {"request-id": {}, "prometheus": {}}}
    path = tmp_path_factory.mktemp("everywhere") / "toolway.yaml"
    write(path, configuration(recorder.node, OPERATIONS, global_rules=[rule]))
    with serving(path) as gateway:
        yield gateway


def test_a_limit_counts_requests_and_calls_of_the_tool_together(gateway: Gateway, upstream: Upstream) -> None:
    rpc = Rpc(gateway.http)
    assert gateway.http.get("/things").status_code == 200
    assert rpc.call("findThings")["isError"] is False
    assert gateway.http.get("/things").status_code == 429
    result = rpc.call("findThings")
    assert result["isError"] is True
    assert "Slow down." in text_of(result)
    assert re.search(r"after \d+ seconds?", text_of(result))


def test_a_rewrite_holds_on_calls_of_a_tool(gateway: Gateway, upstream: Upstream) -> None:
    assert Rpc(gateway.http).call("getStock")["isError"] is False
    received = upstream.only()
    assert (received.target, received.header("X-Set")) == ("/inner/stock", "yes")


def test_an_operation_with_cors_answers_the_preflight_of_its_method(
    gateway: Gateway, upstream: Upstream
) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    preflight = gateway.http.options("/things", headers=asked)
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert upstream.arrived.empty()


def test_a_call_has_the_id_of_the_request_that_carries_it(gateway: Gateway, upstream: Upstream) -> None:
    Rpc(gateway.http).call("getStock", headers={"X-Request-Id": "trace-1"})
    assert upstream.only().header("X-Request-Id") == "trace-1"
    lines = gateway.logged(2, lambda line: line["request_id"] == "trace-1")
    assert {line["tool"] for line in lines} == {"getStock", None}


@pytest.mark.parametrize(
    ("path", "status"), [("/stock", 200), ("/openapi.yaml", 200), ("/nothing", 404), ("/mcp", 405)]
)
def test_global_rules_hold_on_everything_also_where_no_route_is(
    gateway: Gateway, upstream: Upstream, path: str, status: int
) -> None:
    answer = gateway.http.get(path)
    assert answer.status_code == status
    identifier = answer.headers["X-Request-Id"]
    assert uuid.UUID(identifier)
    gateway.logged(1, lambda line: line["request_id"] == identifier)
    codes = {labels["code"] for labels, _ in samples(gateway.metrics(), "apisix_http_status")}
    assert str(status) in codes


def test_a_global_limit_counts_a_call_once(serve: Serve, upstream: Upstream) -> None:
    rule = {"id": "limit", "plugins": {"limit-count": {**LIMIT, "count": 4}}}
    gateway = serve(configuration(upstream.node, global_rules=[rule]))
    answer = gateway.http.get("/nothing")
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (404, "3")
    # The exchange of the endpoint counts; that of the operation is a part of it.
    assert Rpc(gateway.http).call("getStock")["isError"] is False
    assert gateway.http.get("/nothing").headers["X-RateLimit-Remaining"] == "1"
