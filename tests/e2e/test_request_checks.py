"""Requests that are not as the API describes them: what callers, models and operators learn of it, and that
the upstream never does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .measures import samples
from .rpc import Rpc, text_of
from .serving import serving, write
from .things import configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .serving import Gateway
    from .upstream import Upstream

JSON = {"Content-Type": "application/json"}
OPERATIONS: dict[str, Any] = {
    "getThing": {"plugins": {"oas-validator": {"mode": "report"}}},
    "deleteThing": {"plugins": {"oas-validator": {"mode": "off"}}},
}
CHECKED = {
    "id": "checked",
    "uri": "/checked/*",
    "plugins": {
        "request-validation": {
            "header_schema": {"required": ["X-Tenant"]},
            "body_schema": {"type": "object", "properties": {"age": {"type": "integer"}}},
            "rejected_code": 422,
        }
    },
}
MINE = {
    "id": "mine",
    "uri": "/mine",
    "plugins": {"oas-validator": {"api": "things", "operation": "findThings", "unknown_query": "refuse"}},
}


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("checks") / "toolway.yaml"
    routes = [{**route, "upstream": {"nodes": {recorder.node: 1}}} for route in (CHECKED, MINE)]
    write(path, configuration(recorder.node, OPERATIONS, routes=routes))
    with serving(path) as gateway:
        yield gateway


def problems(answer: Any) -> list[str]:
    assert answer.status_code == 400, answer.text
    assert answer.headers["X-Toolway-Error"] == "invalid_request"
    return [problem["message"] for problem in answer.json()["problems"]]


def test_every_mistake_is_told_at_once_and_nothing_goes_upstream(
    gateway: Gateway, upstream: Upstream
) -> None:
    expected = 'query argument "limit" must be an integer between 1 and 100, not "abc"'
    assert problems(gateway.http.get("/things?limit=abc")) == [expected]
    content = json.dumps({"colour": "pink"})
    told = problems(gateway.http.post("/things", content=content, headers=JSON))
    assert sorted(told) == [
        'body pointer /colour must be one of "red", "green", "blue", not "pink"',
        "body pointer /name is required and missing: a text",
    ]
    answer = gateway.http.post("/things", content=content, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert answer.headers["X-Toolway-Error"] == "unsupported_media_type"
    assert upstream.arrived.empty()


def test_what_fits_goes_on_as_it_came(gateway: Gateway, upstream: Upstream) -> None:
    content = b'{ "name":"\\u0061", "more": 1.50 }'
    assert gateway.http.post("/things", content=content, headers=JSON).status_code == 200
    assert upstream.only().body == content
    assert gateway.http.get("/things?limit=100&other=x").status_code == 200
    assert upstream.only().target == "/v1/things?limit=100&other=x"


def test_what_is_reported_or_off_goes_on(gateway: Gateway, upstream: Upstream) -> None:
    for method in ("GET", "DELETE"):
        assert gateway.http.request(method, "/things/abc").status_code == 200
        assert upstream.only().target == "/v1/things/abc"
    counted = samples(gateway.metrics(), "toolway_invalid_requests_total")
    assert ({"route": "things:getThing", "outcome": "reported"}, 1) in counted
    assert not any(labels["route"] == "things:deleteThing" for labels, _ in counted)
    (line,) = gateway.logged(1, lambda line: line["invalid"] is not None)
    assert line["invalid"] == 'path argument "id" must be an integer'
    assert line["status"] == 200


def test_a_model_is_told_over_mcp_too(gateway: Gateway, upstream: Upstream) -> None:
    result = Rpc(gateway.http).call("findThings", {"limit": "abc"})
    assert result["isError"]
    assert "`limit` must be an integer" in text_of(result)
    assert upstream.arrived.empty()
    assert not Rpc(gateway.http).call("findThings", {"limit": 5})["isError"]
    assert upstream.only().target == "/v1/things?limit=5"


def test_a_route_of_one_s_own_may_hold_requests_against_an_operation(
    gateway: Gateway, upstream: Upstream
) -> None:
    expected = 'query argument "limt" is not known here; did you mean "limit"?'
    assert problems(gateway.http.get("/mine?limt=1")) == [expected]
    assert gateway.http.get("/mine?limit=1").status_code == 200
    assert upstream.only().target == "/mine?limit=1"


def test_request_validation_holds_headers_and_body_against_schemas(
    gateway: Gateway, upstream: Upstream
) -> None:
    def post(content: str, **headers: str) -> tuple[int, str]:
        answer = gateway.http.post("/checked/x", content=content, headers=headers)
        return answer.status_code, answer.text

    assert post("{}") == (422, 'property "x-tenant" is required')
    tenant = {"x-tenant": "t"}
    told = 'property "age" validation failed: wrong type: expected integer, got string'
    assert post('{"age": "x"}', **tenant) == (422, told)
    assert upstream.arrived.empty()
    assert post('{"age": 7}', **tenant)[0] == 200
    assert upstream.only().json == {"age": 7}


def test_a_change_of_the_document_holds_from_then_on(upstream: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    data = configuration(upstream.node)
    write(path, data)
    with serving(path) as gateway:
        assert gateway.http.get("/things?limit=500").status_code == 400
        data = json.loads(json.dumps(data))
        data["apis"][0]["spec"]["paths"]["/things"]["get"]["parameters"][1]["schema"]["maximum"] = 500
        gateway.rewrite(data)
        assert gateway.http.get("/things?limit=500").status_code == 200
