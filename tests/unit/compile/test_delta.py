"""Deltas of compiled documents: small, and the engine that takes them has every entry where it decides."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from toolway.compile import Running, json_text
from toolway.compile.delta import _contests_of_route
from toolway.config.secret import Secret

GATEWAY = {"listen": [], "workers": 1}


def route(name: str, uri: str = "/*", **fields: Any) -> dict[str, Any]:
    return {"id": name, "uris": [uri], "priority": 0, **fields}


def document(*routes: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"version": 1, "gateway": GATEWAY, "routes": list(routes), **sections}


def test_what_stays_is_left_out() -> None:
    old = document(
        route("a"), route("b"), consumers=[{"username": "jack"}], upstreams=[{"id": "u", "retries": 1}]
    )
    new = document(
        route("a"),
        route("b", websocket=True),
        consumers=[{"username": "jill"}],
        upstreams=[{"id": "u", "retries": 1}],
    )
    assert Running(old).delta(old) == {}
    assert Running(old).delta(new) == {
        "version": 1,
        "put": {"routes": [route("b", websocket=True)], "consumers": [{"username": "jill"}]},
        "remove": {"consumers": ["jack"]},
    }


def test_a_change_of_the_gateways_settings_alone_names_no_entry() -> None:
    new = {**document(route("a")), "gateway": {**GATEWAY, "workers": 2}}
    assert Running(document(route("a"))).delta(new) == {
        "version": 1,
        "gateway": {"listen": [], "workers": 2},
    }


def test_only_the_text_for_the_engine_has_secrets_in_the_clear() -> None:
    def of(key: str) -> dict[str, Any]:
        return document(ssls=[{"id": "s", "key": Secret(key)}])

    assert Running(of("a")).delta(of("a")) == {}
    delta = Running(of("a")).delta(of("b"))
    assert "[redacted]" in repr(delta)
    assert json.loads(json_text(delta))["put"] == {"ssls": [{"id": "s", "key": "b"}]}


def test_a_route_in_front_of_others_moves_those_alone_that_it_contests() -> None:
    old = document(route("a", "/a/:x"), route("b", "/b/:x"), route("c", "/a/{y}"), route("d", "/a/x"))
    new = document(route("first", "/a/*"), *old["routes"])
    delta = Running(old).delta(new)
    assert [entry["id"] for entry in delta["put"]["routes"]] == ["first", "a", "c"]
    assert delta["remove"] == {"routes": ["a", "c"]}


def test_other_spellings_and_other_orders_are_told_apart_as_the_engine_does() -> None:
    old = document(route("a", "/%61/*"), route("b", "/a/*", priority=1), route("c", "/a/*", order=1))
    delta = Running(old).delta(document(route("first", "/a/*"), *old["routes"]))
    assert [entry["id"] for entry in delta["put"]["routes"]] == ["first", "a"]


def test_global_rules_that_change_places_are_put_anew() -> None:
    rules = [{"id": name, "plugins": {}} for name in "abc"]
    old = document(global_rules=rules)
    delta = Running(old).delta(document(global_rules=[rules[1], rules[0], rules[2]]))
    assert delta["remove"] == {"global_rules": ["a", "c"]}
    assert [rule["id"] for rule in delta["put"]["global_rules"]] == ["a", "c"]


class Engine:
    """The order in which an engine has its routes."""

    def __init__(self, routes: list[dict[str, Any]]) -> None:
        self.routes = {entry["id"]: entry for entry in routes}

    def take(self, delta: dict[str, Any]) -> None:
        for name in delta.get("remove", {}).get("routes", ()):
            del self.routes[name]
        for entry in delta.get("put", {}).get("routes", ()):
            self.routes[entry["id"]] = entry


_ROUTES = st.lists(
    st.builds(
        route,
        st.sampled_from("abcdef"),
        st.sampled_from(["/x/:a", "/x/*", "/y/*", "/y/{b}", "/z"]),
        priority=st.integers(0, 1),
    ),
    max_size=6,
    unique_by=lambda entry: entry["id"],
)


@given(st.lists(_ROUTES, min_size=2, max_size=6))
def test_an_engine_that_takes_deltas_has_contested_routes_in_the_order_of_the_document(
    states: list[list[dict[str, Any]]],
) -> None:
    running, engine = Running(document(*states[0])), Engine(states[0])
    for routes in states[1:]:
        delta = running.delta(document(*routes))
        engine.take(delta)
        running.follow(document(*routes), delta)
        assert engine.routes == {entry["id"]: entry for entry in routes}
        order = list(engine.routes)
        for one, other in combinations(routes, 2):
            if set(_contests_of_route(one)) & set(_contests_of_route(other)):
                assert order.index(one["id"]) < order.index(other["id"])
