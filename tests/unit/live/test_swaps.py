"""How often the engine is given something, which only a stand-in for it can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.live.loading import load
from toolway.live.trying import SetAside

from .fakes import NODES, FakeEngine, entries, fake_engine, gateway, opened, put

if TYPE_CHECKING:
    from pathlib import Path

    from toolway.live import LiveGateway


def commits(live: LiveGateway) -> int:
    engine = live._engine
    assert isinstance(engine, FakeEngine)
    return engine.commits


def test_a_bulk_write_is_one_swap(tmp_path: Path) -> None:
    with opened(tmp_path) as store, fake_engine():
        live = gateway(store, tmp_path)
        live.start()
        many = [put("routes", f"r{number}", uri=f"/{number}", upstream_id="u") for number in range(300)]
        live.write([*many, put("upstreams", "u", nodes=NODES)], actor="test")
        assert (commits(live), len(entries(live)["routes"]), store.revision()) == (1, 300, 1)
        live.stop()


def test_an_upstream_that_changes_leaves_its_routes_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as store, fake_engine():
        live = gateway(store, tmp_path)
        live.start()
        changes = [
            put("upstreams", "u", nodes=NODES),
            put("routes", "plain", uri="/a", upstream_id="u"),
            put("routes", "hasty", uri="/b", upstream_id="u", timeout={"read": 1}),
        ]
        live.write(changes, actor="test")
        before = dict(entries(live)["routes"])
        live.write([put("upstreams", "u", nodes=NODES, retries=3)], actor="test")
        assert entries(live)["routes"]["plain"] is before["plain"]
        assert entries(live)["upstreams"]["u"]["retries"] == 3
        assert entries(live)["upstreams"]["route:hasty"]["retries"] == 3
        live.stop()


def test_loading_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with opened(tmp_path) as store, fake_engine():
        many = [put("upstreams", f"u{number}", nodes=NODES) for number in range(700)]
        store.write(many, base=0, actor="test")
        live = gateway(store, tmp_path)
        load(live._compiler, store, SetAside(), lambda *step: told.append(step))
    assert told == [("upstreams", 500, 700), ("upstreams", 700, 700)]
