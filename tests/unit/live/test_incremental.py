"""What changes bring about, one after the other, is what loading everything brings about."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from toolway.live.loading import load
from toolway.live.trying import SetAside
from toolway.problem import ConfigurationError
from toolway.store import Change

from .fakes import NODES, SPEC, Entries, entries, fake_engine, gateway, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.live import LiveGateway
    from toolway.store import Store

PLUGINS = st.sampled_from(
    [
        {},
        {"limit-count": {"count": 1, "time_window": 60}},
        {"limit-count": {"count": 2, "time_window": 60}},
        {"key-auth": {}, "request-id": {}},
        {"limit-count": {"count": 2, "time_window": 60, "_meta": {"disable": True}}},
    ]
)
ROLES = st.sampled_from([[], ["reader"], ["reader", "writer"]])
OPERATIONS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}), ROLES.map(lambda roles: {"*": {"roles": roles}})
)
LIMITS = st.sampled_from([{}, {"limit-count": {"count": 3, "time_window": 60}}])
INLINE: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"nodes": NODES}, {"nodes": {"127.0.0.2:80": 1}, "retries": 2}]
)
TARGET = st.one_of(
    st.fixed_dictionaries({"upstream": INLINE}),
    st.fixed_dictionaries({"upstream_id": st.sampled_from(["u1", "u2"])}),
)


def spec(operations: list[str]) -> dict[str, Any]:
    document = copy.deepcopy(SPEC)
    methods = {"listThings": "get", "addThing": "post"}
    kept = {methods[name]: document["paths"]["/things"][methods[name]] for name in operations}
    return {**document, "paths": {"/things": kept}}


SPECS = st.sampled_from([spec(names) for names in (["listThings"], ["listThings", "addThing"], ["addThing"])])
ROUTE = st.fixed_dictionaries(
    {"uri": st.sampled_from(["/a", "/b/*"]), "plugins": PLUGINS},
    optional={
        "service_id": st.sampled_from(["s1", "s2"]),
        "plugin_config_id": st.just("p1"),
        "timeout": st.sampled_from([{"read": 1}, {"read": 2}]),
        "status": st.sampled_from([0, 1]),
        "priority": st.integers(0, 1),
    },
).flatmap(lambda route: st.one_of(st.just(route), TARGET.map(lambda target: {**route, **target})))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "upstreams": INLINE,
    "services": st.fixed_dictionaries({"plugins": PLUGINS}, optional={"hosts": st.just(["a.test"])}).flatmap(
        lambda service: st.one_of(st.just(service), TARGET.map(lambda target: {**service, **target}))
    ),
    "plugin_configs": st.fixed_dictionaries({"plugins": PLUGINS}),
    "consumer_groups": st.fixed_dictionaries({"plugins": LIMITS, "roles": ROLES}),
    "consumers": st.fixed_dictionaries(
        {"plugins": LIMITS}, optional={"group_id": st.just("g1"), "roles": ROLES}
    ),
    "credentials": st.sampled_from(["one", "two"]).map(lambda key: {"plugins": {"key-auth": {"key": key}}}),
    "routes": ROUTE,
    "global_rules": st.fixed_dictionaries({"plugins": PLUGINS}),
    "apis": st.tuples(SPECS, TARGET, PLUGINS, OPERATIONS).map(
        lambda parts: {"spec": parts[0], **parts[1], "plugins": parts[2], "operations": parts[3]}
    ),
    "apps": st.sampled_from([["a1:*"], ["*:list*"], ["a2:*", "a1:*", "!a1:add*"]]).map(
        lambda operations: {"operations": operations, "contact_email": "a@b.test", "roles": {"*:*": ["app"]}}
    ),
}
IDS = {
    "upstreams": ["u1", "u2"],
    "services": ["s1", "s2"],
    "plugin_configs": ["p1"],
    "consumer_groups": ["g1"],
    "consumers": ["c1", "c2"],
    "credentials": ["c1/k1", "c2/k1"],
    "routes": ["r1", "r2", "r3"],
    "global_rules": ["x1", "x2"],
    "apis": ["a1", "a2"],
    "apps": ["app1", "app2"],
}
CHANGE = st.sampled_from([(kind, name) for kind, names in IDS.items() for name in names]).flatmap(
    lambda key: st.one_of(VALUES[key[0]], VALUES[key[0]], st.none()).map(
        lambda value: Change(key[0], key[1], value)
    )
)
WRITES = st.lists(st.tuples(st.lists(CHANGE, min_size=1, max_size=4), st.booleans()), max_size=14)


def loaded(live: LiveGateway, store: Store) -> Entries:
    """What a gateway that starts now has."""
    whole = json.loads(load(live._compiler, store, SetAside()).text())
    return {
        section: {entry["username" if section == "consumers" else "id"]: entry for entry in each}
        for section, each in whole.items()
        if isinstance(each, list)
    }


def written(routes: dict[str, Any]) -> list[str]:
    """The routes that a user wrote, in their order."""
    return [name for name in routes if ":" not in name]


def empty(store: Store) -> None:
    there = [Change(kind, found.id, None) for kind in IDS for found in store.scan(kind)]
    store.write(there, base=store.revision(), actor="test")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with opened(tmp_path_factory.mktemp("store")) as store:
        yield store


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(writes=WRITES)
def test_a_sequence_of_writes_gives_what_loading_everything_gives(
    store: Store, writes: list[tuple[list[Change], bool]]
) -> None:
    empty(store)
    with fake_engine():
        live = gateway(store, Path())
        live._load(None)
    for changes, force in writes:
        before, revision = entries(live), store.revision()
        refused: ConfigurationError | None = None
        try:
            live.write(changes, actor="test", force=force)
        except ConfigurationError as error:
            refused = error
        if refused is not None:
            assert all(problem.pointer for problem in refused.problems)
            assert (entries(live), store.revision()) == (before, revision)
            continue
        whole = loaded(live, store)
        assert entries(live) == whole
        assert written(entries(live)["routes"]) == written(whole["routes"])
