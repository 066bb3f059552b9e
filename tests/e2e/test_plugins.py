"""Plugins of routes on the wire: limit-count, proxy-rewrite, cors, request-id and prometheus, and whose
settings win where several places have some.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from .measures import samples
from .serving import LISTEN, serving, write
from .things import CONSUMERS, KEY, OTHER_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Serve
    from .serving import Gateway
    from .upstream import Upstream

LIMIT = {"count": 2, "time_window": 600, "rejected_code": 429, "key": "remote_addr"}
ORIGIN = "https://chatgpt.com"
THIRD_KEY = "a-third-key-that-only-tests-use"
REWRITE: dict[str, Any] = {
    "regex_uri": ["^/shop/([a-z]+)/(.*)$", "/v2/$2/$1"],
    "method": "PUT",
    "host": "inner.example",
    "headers": {"set": {"X-Set": "$remote_addr"}, "add": {"X-Added": "two"}, "remove": ["X-Removed"]},
}
CORS = {"allow_origins": ORIGIN, "allow_methods": "GET,PUT", "allow_headers": "apikey", "max_age": 60}
PLUGINS: dict[str, dict[str, Any]] = {
    "limited": {"limit-count": LIMIT},
    "apart": {"key-auth": {}, "limit-count": {**LIMIT, "key": "consumer_name"}},
    "one": {"limit-count": {**LIMIT, "group": "both"}},
    "two": {"limit-count": {**LIMIT, "group": "both"}},
    "personal": {"key-auth": {}, "limit-count": {**LIMIT, "count": 1}},
    "shop": {"proxy-rewrite": REWRITE},
    "paged": {"cors": CORS, "key-auth": {}},
    "named": {"request-id": {}},
    "counted": {"prometheus": {}, "key-auth": {}},
    "switched-off": {"key-auth": {"_meta": {"disable": True}}},
    "switched-on": {"key-auth": {"_meta": {"disable": False}}},
}
"""By route, which is at the uri of its name."""


def says(who: str) -> dict[str, Any]:
    return {"proxy-rewrite": {"headers": {"set": {"X-Said-By": who}}}}


def route(name: str, node: str, plugins: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": f"The route {name}",
        "uri": f"/{name}/*",
        "plugins": plugins,
        "upstream": {"nodes": {node: 1}},
        **fields,
    }


def with_routes(*routes: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"gateway": LISTEN, "routes": list(routes), "consumers": CONSUMERS, **sections}


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    routes: list[dict[str, Any]] = [route(name, recorder.node, given) for name, given in PLUGINS.items()]
    routes += [
        {"uri": "/a", "service_id": "service", "plugin_config_id": "shared", "plugins": says("route")},
        {"uri": "/b", "service_id": "service", "plugin_config_id": "shared"},
        {"uri": "/c", "service_id": "service"},
    ]
    own = {"key-auth": {"key": THIRD_KEY}, "limit-count": {**LIMIT, "count": 3}}
    configuration = with_routes(
        *routes,
        consumers=[*CONSUMERS, {"username": "eve", "plugins": own}],
        services=[
            {"id": "service", "plugins": says("service"), "upstream": {"nodes": {recorder.node: 1}}},
        ],
        plugin_configs=[{"id": "shared", "plugins": says("plugin_config")}],
    )
    path = tmp_path_factory.mktemp("plugins") / "toolway.yaml"
    write(path, configuration)
    with serving(path) as gateway:
        yield gateway


def statuses(gateway: Gateway, path: str, count: int, headers: dict[str, str] | None = None) -> list[int]:
    return [gateway.http.get(path, headers=headers).status_code for _ in range(count)]


def test_a_limit_tells_what_is_left_and_then_when_to_come_back(gateway: Gateway, upstream: Upstream) -> None:
    for left in ("1", "0"):
        answer = gateway.http.get("/limited/a")
        assert answer.status_code == 200
        assert answer.headers["X-RateLimit-Limit"] == "2"
        assert answer.headers["X-RateLimit-Remaining"] == left
        assert 0 < int(answer.headers["X-RateLimit-Reset"]) <= 600
        assert "Retry-After" not in answer.headers
        assert upstream.only().target == "/limited/a"
    refused = gateway.http.get("/limited/b")
    assert refused.status_code == 429
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    assert "error_msg" in refused.json()
    assert upstream.arrived.empty()


def test_a_limit_is_kept_when_the_configuration_changes(serve: Serve, upstream: Upstream) -> None:
    limited = route("limited", upstream.node, {"limit-count": LIMIT})
    gateway = serve(with_routes(limited))
    assert statuses(gateway, "/limited/a", 3) == [200, 200, 429]
    gateway.rewrite(with_routes(route("other", upstream.node, {}), limited))
    assert statuses(gateway, "/other/a", 1) == [200]
    assert statuses(gateway, "/limited/a", 1) == [429]


def test_a_limit_may_count_each_consumer_apart(gateway: Gateway, upstream: Upstream) -> None:
    for key in (KEY, OTHER_KEY):
        assert statuses(gateway, "/apart/a", 3, {"apikey": key}) == [200, 200, 429]
    # Who has no key is refused before anything is counted.
    assert statuses(gateway, "/apart/a", 1) == [401]


def test_routes_of_one_group_share_a_limit(gateway: Gateway, upstream: Upstream) -> None:
    assert statuses(gateway, "/one/a", 1) + statuses(gateway, "/two/a", 2) == [200, 200, 429]


def test_a_consumer_s_own_plugin_comes_before_the_route_s(gateway: Gateway, upstream: Upstream) -> None:
    answer = gateway.http.get("/personal/a", headers={"apikey": THIRD_KEY})
    assert answer.headers["X-RateLimit-Limit"] == "3"
    assert statuses(gateway, "/personal/a", 3, {"apikey": THIRD_KEY}) == [200, 200, 429]
    assert statuses(gateway, "/personal/a", 2, {"apikey": OTHER_KEY}) == [200, 429]


@pytest.mark.parametrize(("path", "who"), [("/a", "route"), ("/b", "plugin_config"), ("/c", "service")])
def test_a_route_s_plugin_comes_before_those_of_its_plugin_config_and_service(
    gateway: Gateway, upstream: Upstream, path: str, who: str
) -> None:
    assert gateway.http.get(path).status_code == 200
    assert upstream.only().header("X-Said-By") == who


def test_a_request_is_rewritten_on_its_way(gateway: Gateway, upstream: Upstream) -> None:
    sent = {"X-Set": "client", "X-Added": "one", "X-Removed": "gone"}
    gateway.http.post("/shop/mugs/7?a=b%2Fc", headers=sent, content=b"body")
    received = upstream.only()
    assert (received.method, received.target) == ("PUT", "/v2/7/mugs?a=b%2Fc")
    assert received.header("Host") == "inner.example"
    assert received.header("X-Set") == "127.0.0.1"
    added = [value for name, value in received.headers if name.lower() == "x-added"]
    assert ", ".join(added) == "one, two"
    assert received.header("X-Removed") is None
    assert received.body == b"body"


def test_a_preflight_is_answered_without_a_key_and_without_the_upstream(
    gateway: Gateway, upstream: Upstream
) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    preflight = gateway.http.options("/paged/a", headers=asked)
    assert preflight.status_code in (200, 204)
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET,PUT"
    assert preflight.headers["Access-Control-Allow-Headers"] == "apikey"
    assert preflight.headers["Access-Control-Max-Age"] == "60"
    assert upstream.arrived.empty()


def test_a_page_may_read_why_it_was_refused_and_others_may_read_nothing(
    gateway: Gateway, upstream: Upstream
) -> None:
    refused = gateway.http.put("/paged/a", headers={"Origin": ORIGIN})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)
    stranger = gateway.http.put("/paged/a", headers={"Origin": "https://evil.example", "apikey": KEY})
    assert "Access-Control-Allow-Origin" not in stranger.headers
    assert "Origin" in stranger.headers["Vary"]


def test_every_request_gets_an_id_that_client_upstream_and_log_share(
    gateway: Gateway, upstream: Upstream
) -> None:
    made = gateway.http.get("/named/a").headers["X-Request-Id"]
    assert str(uuid.UUID(made)) == made
    assert upstream.only().header("X-Request-Id") == made
    kept = gateway.http.get("/named/b", headers={"X-Request-Id": "client-1"})
    assert kept.headers["X-Request-Id"] == "client-1"
    assert upstream.only().header("X-Request-Id") == "client-1"
    lines = gateway.logged(2, lambda line: line["route"] == "named")
    assert [line["request_id"] for line in lines] == [made, "client-1"]


def test_metrics_count_by_status_route_consumer_and_node(gateway: Gateway, upstream: Upstream) -> None:
    assert statuses(gateway, "/counted/a", 3, {"apikey": KEY}) == [200] * 3
    assert statuses(gateway, "/counted/a", 1) == [401]
    gateway.logged(4, lambda line: line["route"] == "counted")
    metrics = gateway.metrics()
    place = {"route": "counted", "matched_uri": "/counted/*", "matched_host": "", "service": ""}
    taken = {**place, "code": "200", "consumer": "ada", "node": upstream.node}
    refused = {**place, "code": "401", "consumer": "", "node": ""}
    found = [(dict(labels), value) for labels, value in samples(metrics, "apisix_http_status")]
    assert sorted(found, key=str) == sorted([(taken, 3.0), (refused, 1.0)], key=str)
    kinds = {labels["type"] for labels, _ in samples(metrics, "apisix_http_latency_count")}
    assert kinds == {"request", "upstream", "apisix"}
    sent = [
        value
        for labels, value in samples(metrics, "apisix_bandwidth")
        if labels["type"] == "egress" and labels["consumer"] == "ada"
    ]
    assert sent == [3.0 * len('{"ok":true}')]


def test_metrics_may_name_routes_by_their_names_and_outlive_a_reload(
    serve: Serve, upstream: Upstream
) -> None:
    counted = route("counted", upstream.node, {"prometheus": {"prefer_name": True}}, host="counted.example")
    gateway = serve(with_routes(counted))
    asked = {"Host": "counted.example"}
    assert statuses(gateway, "/counted/a", 1, asked) == [200]
    gateway.rewrite(with_routes(counted, route("other", upstream.node, {})))
    assert statuses(gateway, "/counted/a", 1, asked) == [200]
    gateway.logged(2, lambda line: line["route"] == "counted")
    [(labels, value)] = samples(gateway.metrics(), "apisix_http_status")
    assert (labels["route"], labels["matched_host"], value) == ("The route counted", "counted.example", 2.0)


def test_nothing_but_the_metrics_is_at_their_address(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.http.get(f"{gateway.metrics_origin}/named/a").status_code == 404
    assert gateway.http.get("/apisix/prometheus/metrics").status_code == 404
    assert upstream.arrived.empty()


def test_a_plugin_may_be_switched_off(gateway: Gateway, upstream: Upstream) -> None:
    assert statuses(gateway, "/switched-off/a", 1) == [200]
    assert statuses(gateway, "/switched-on/a", 1) == [401]
