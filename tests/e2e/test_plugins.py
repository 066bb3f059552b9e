"""Plugins on the wire: limit-count, proxy-rewrite, cors, request-id and prometheus, on requests and on calls of
tools alike; whose settings win; and global rules, which hold where no route is.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from .rpc import Rpc, text_of
from .serving import LISTEN
from .things import CONSUMERS, DOCUMENT, KEY, OTHER_KEY, app, configuration

if TYPE_CHECKING:
    from .conftest import Serve
    from .serving import Gateway
    from .upstream import Upstream

LIMIT = {"count": 2, "time_window": 600, "rejected_code": 429, "key": "remote_addr"}
ORIGIN = "https://chatgpt.com"


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


def statuses(gateway: Gateway, path: str, count: int, **request: Any) -> list[int]:
    return [gateway.http.get(path, **request).status_code for _ in range(count)]


def test_a_limit_tells_what_is_left_and_then_when_to_come_back(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(with_routes(route("limited", upstream.node, {"limit-count": LIMIT})))
    for left in ("1", "0"):
        answer = gateway.http.get("/limited/a")
        assert answer.status_code == 200
        assert answer.headers["X-RateLimit-Limit"] == "2"
        assert answer.headers["X-RateLimit-Remaining"] == left
        assert 0 < int(answer.headers["X-RateLimit-Reset"]) <= 600
        assert "Retry-After" not in answer.headers
    refused = gateway.http.get("/limited/b")
    assert refused.status_code == 429
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    assert "error_msg" in refused.json()
    assert len([upstream.next() for _ in range(2)]) == 2
    assert upstream.arrived.empty()


def test_a_limit_is_kept_when_the_configuration_changes(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(with_routes(route("limited", upstream.node, {"limit-count": LIMIT})))
    assert statuses(gateway, "/limited/a", 3) == [200, 200, 429]
    other = route("other", upstream.node, {})
    gateway.rewrite(with_routes(other, route("limited", upstream.node, {"limit-count": LIMIT})))
    assert statuses(gateway, "/other/a", 1) == [200]
    assert statuses(gateway, "/limited/a", 1) == [429]


def test_a_limit_counts_requests_and_calls_of_the_tool_together(serve: Serve, upstream: Upstream) -> None:
    limited = {"limit-count": {**LIMIT, "rejected_msg": "Slow down."}}
    gateway = serve(configuration(upstream.node, {"getStock": {"plugins": limited}}))
    rpc = Rpc(gateway.http)
    assert gateway.http.get("/stock").status_code == 200
    assert rpc.call("getStock")["isError"] is False
    assert gateway.http.get("/stock").status_code == 429
    result = rpc.call("getStock")
    assert result["isError"] is True
    assert "Slow down." in text_of(result)
    assert re.search(r"after \d+ seconds", text_of(result))


def test_a_limit_may_count_each_consumer_apart(serve: Serve, upstream: Upstream) -> None:
    limited = {"key-auth": {}, "limit-count": {**LIMIT, "key": "consumer_name"}}
    gateway = serve(with_routes(route("limited", upstream.node, limited)))
    assert statuses(gateway, "/limited/a", 3, headers={"apikey": KEY}) == [200, 200, 429]
    assert statuses(gateway, "/limited/a", 3, headers={"apikey": OTHER_KEY}) == [200, 200, 429]
    # Who has no key is refused before anything is counted.
    assert statuses(gateway, "/limited/a", 1) == [401]


def test_routes_of_one_group_share_a_limit(serve: Serve, upstream: Upstream) -> None:
    limited = {"limit-count": {**LIMIT, "group": "both"}}
    gateway = serve(with_routes(*(route(name, upstream.node, limited) for name in ("one", "two"))))
    assert statuses(gateway, "/one/a", 1) + statuses(gateway, "/two/a", 2) == [200, 200, 429]


def test_a_consumer_s_own_plugin_comes_before_the_route_s(serve: Serve, upstream: Upstream) -> None:
    limited = {"key-auth": {}, "limit-count": {**LIMIT, "count": 1}}
    own = {**CONSUMERS[0], "plugins": {**CONSUMERS[0]["plugins"], "limit-count": {**LIMIT, "count": 3}}}
    gateway = serve(
        with_routes(route("limited", upstream.node, limited), consumers=[own, CONSUMERS[1]])
    )
    answer = gateway.http.get("/limited/a", headers={"apikey": KEY})
    assert answer.headers["X-RateLimit-Limit"] == "3"
    assert statuses(gateway, "/limited/a", 3, headers={"apikey": KEY}) == [200, 200, 429]
    assert statuses(gateway, "/limited/a", 2, headers={"apikey": OTHER_KEY}) == [200, 429]


def test_a_route_s_plugin_comes_before_those_of_its_plugin_config_and_service(
    serve: Serve, upstream: Upstream
) -> None:
    def says(who: str) -> dict[str, Any]:
        return {"proxy-rewrite": {"headers": {"set": {"X-Said-By": who}}}}

    service = {"id": "service", "plugins": says("service"), "upstream": {"nodes": {upstream.node: 1}}}
    shared = {"id": "shared", "plugins": says("plugin_config")}
    routes = [
        {"uri": "/a", "service_id": "service", "plugin_config_id": "shared", "plugins": says("route")},
        {"uri": "/b", "service_id": "service", "plugin_config_id": "shared"},
        {"uri": "/c", "service_id": "service"},
    ]
    gateway = serve(with_routes(*routes, services=[service], plugin_configs=[shared]))
    for path, who in (("/a", "route"), ("/b", "plugin_config"), ("/c", "service")):
        assert gateway.http.get(path).status_code == 200
        assert upstream.only().header("X-Said-By") == who


def test_a_request_is_rewritten_on_its_way(serve: Serve, upstream: Upstream) -> None:
    rewrite = {
        "regex_uri": ["^/shop/([a-z]+)/(.*)$", "/v2/$2/$1"],
        "method": "PUT",
        "host": "inner.example",
        "headers": {
            "set": {"X-Set": "$remote_addr"},
            "add": {"X-Added": "two"},
            "remove": ["X-Removed"],
        },
    }
    gateway = serve(with_routes(route("shop", upstream.node, {"proxy-rewrite": rewrite})))
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


def test_a_rewrite_holds_on_calls_of_a_tool(serve: Serve, upstream: Upstream) -> None:
    rewrite = {"proxy-rewrite": {"uri": "/inner/stock", "headers": {"set": {"X-Set": "yes"}}}}
    gateway = serve(configuration(upstream.node, {"getStock": {"plugins": rewrite}}))
    assert Rpc(gateway.http).call("getStock")["isError"] is False
    received = upstream.only()
    assert (received.target, received.header("X-Set")) == ("/inner/stock", "yes")


def test_a_preflight_is_answered_without_a_key_and_without_the_upstream(
    serve: Serve, upstream: Upstream
) -> None:
    cors = {"allow_origins": ORIGIN, "allow_methods": "GET,PUT", "allow_headers": "apikey", "max_age": 60}
    gateway = serve(with_routes(route("paged", upstream.node, {"cors": cors, "key-auth": {}})))
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    preflight = gateway.http.options("/paged/a", headers=asked)
    assert preflight.status_code in (200, 204)
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET,PUT"
    assert preflight.headers["Access-Control-Allow-Headers"] == "apikey"
    assert preflight.headers["Access-Control-Max-Age"] == "60"
    assert upstream.arrived.empty()
    # What the page may not read it could not understand: a refusal carries the headers too.
    refused = gateway.http.put("/paged/a", headers={"Origin": ORIGIN})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)
    stranger = gateway.http.put("/paged/a", headers={"Origin": "https://evil.example", "apikey": KEY})
    assert "Access-Control-Allow-Origin" not in stranger.headers
    assert "Origin" in stranger.headers["Vary"]


def test_an_operation_with_cors_answers_the_preflight_of_its_method(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(configuration(upstream.node, {"createThing": {"plugins": {"cors": {}}}}))
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    preflight = gateway.http.options("/things", headers=asked)
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert upstream.arrived.empty()


def test_every_request_gets_an_id_that_client_upstream_and_log_share(
    serve: Serve, upstream: Upstream
) -> None:
    gateway = serve(with_routes(route("named", upstream.node, {"request-id": {}})))
    made = gateway.http.get("/named/a").headers["X-Request-Id"]
    assert str(uuid.UUID(made)) == made
    assert upstream.only().header("X-Request-Id") == made
    kept = gateway.http.get("/named/b", headers={"X-Request-Id": "client-1"})
    assert kept.headers["X-Request-Id"] == "client-1"
    assert upstream.only().header("X-Request-Id") == "client-1"
    lines = gateway.logged(2, lambda line: line["route"] == "named")
    assert [line["request_id"] for line in lines] == [made, "client-1"]


def samples(metrics: str, name: str) -> dict[frozenset[tuple[str, str]], float]:
    """The samples of a metric by their labels."""
    found = {}
    for labels, value in re.findall(rf"^{name}\{{(.*)\}} (\S+)$", metrics, re.MULTILINE):
        found[frozenset(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels))] = float(value)
    return found


def test_metrics_count_by_status_route_consumer_and_node(serve: Serve, upstream: Upstream) -> None:
    plugins = {"prometheus": {}, "key-auth": {}}
    gateway = serve(with_routes(route("counted", upstream.node, plugins, host="counted.example")))
    asked = {"Host": "counted.example", "apikey": KEY}
    assert statuses(gateway, "/counted/a", 3, headers=asked) == [200] * 3
    assert statuses(gateway, "/counted/a", 1, headers={"Host": "counted.example"}) == [401]
    gateway.logged(4, lambda line: line["route"] == "counted")
    counted = samples(gateway.metrics(), "apisix_http_status")
    place = {
        "route": "counted",
        "matched_uri": "/counted/*",
        "matched_host": "counted.example",
        "service": "",
    }
    taken = {**place, "code": "200", "consumer": "ada", "node": upstream.node}
    refused = {**place, "code": "401", "consumer": "", "node": ""}
    assert counted == {frozenset(taken.items()): 3.0, frozenset(refused.items()): 1.0}
    latencies = samples(gateway.metrics(), "apisix_http_latency_count")
    kinds = {dict(labels)["type"] for labels in latencies if dict(labels)["consumer"] == "ada"}
    assert kinds == {"request", "upstream", "apisix"}
    egress = samples(gateway.metrics(), "apisix_bandwidth")
    sent = [
        value
        for labels, value in egress.items()
        if ("type", "egress") in labels and ("consumer", "ada") in labels
    ]
    assert sent == [3.0 * len('{"ok":true}')]


def test_metrics_may_name_routes_by_their_names_and_outlive_a_reload(
    serve: Serve, upstream: Upstream
) -> None:
    counted = route("counted", upstream.node, {"prometheus": {"prefer_name": True}})
    gateway = serve(with_routes(counted))
    assert statuses(gateway, "/counted/a", 1) == [200]
    gateway.rewrite(with_routes(counted, route("other", upstream.node, {})))
    assert statuses(gateway, "/counted/a", 1) == [200]
    gateway.logged(2, lambda line: line["route"] == "counted")
    found = samples(gateway.metrics(), "apisix_http_status")
    assert [(dict(labels)["route"], value) for labels, value in found.items()] == [("The route counted", 2.0)]


def test_nothing_but_the_metrics_is_at_their_address(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(with_routes(route("counted", upstream.node, {"prometheus": {}})))
    assert gateway.http.get(f"{gateway.metrics_origin}/counted/a").status_code == 404
    assert gateway.http.get("/apisix/prometheus/metrics").status_code == 404
    assert upstream.arrived.empty()


def test_global_rules_hold_on_everything_also_where_no_route_is(serve: Serve, upstream: Upstream) -> None:
    rule = {"request-id": {}, "prometheus": {}, "cors": {"allow_origins": ORIGIN}}
    api = {"id": "things", "spec": DOCUMENT, "upstream": {"nodes": {upstream.node: 1}}}
    gateway = serve(
        {
            "gateway": LISTEN,
            "apis": [api],
            "apps": [app("things", "things:*")],
            "global_rules": [{"id": "everywhere", "plugins": rule}],
        }
    )
    for path, status in (("/stock", 200), ("/openapi.yaml", 200), ("/nothing", 404), ("/mcp", 405)):
        answer = gateway.http.get(path, headers={"Origin": ORIGIN})
        assert answer.status_code == status, path
        assert uuid.UUID(answer.headers["X-Request-Id"])
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    gateway.logged(1, lambda line: line["path"] == "/mcp")
    codes = {dict(labels)["code"] for labels in samples(gateway.metrics(), "apisix_http_status")}
    assert codes == {"200", "404", "405"}


def test_a_global_rule_holds_on_both_exchanges_of_a_call(serve: Serve, upstream: Upstream) -> None:
    rule = {"id": "limit", "plugins": {"limit-count": {**LIMIT, "count": 4}}}
    gateway = serve({**configuration(upstream.node), "global_rules": [rule]})
    answer = gateway.http.get("/nothing")
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (404, "3")
    # That of the endpoint, and that of the operation.
    answer = Rpc(gateway.http).legacy("tools/call", {"name": "getStock", "arguments": {}})
    assert answer.json()["result"]["isError"] is False
    assert gateway.http.get("/nothing").headers["X-RateLimit-Remaining"] == "0"


@pytest.mark.parametrize("disable", [True, False])
def test_a_plugin_may_be_switched_off(serve: Serve, upstream: Upstream, disable: bool) -> None:
    plugins = {"key-auth": {"_meta": {"disable": disable}}}
    gateway = serve(with_routes(route("switched", upstream.node, plugins)))
    assert statuses(gateway, "/switched/a", 1) == [200 if disable else 401]
