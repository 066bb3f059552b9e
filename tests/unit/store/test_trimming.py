"""The history is trimmed: what is kept can still be told, and what is not is refused in clear words."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from toolway.store import Change, Retention, Store, UnknownRevision

from .stores import delete, put, sealer

if TYPE_CHECKING:
    from pathlib import Path


def state(store: Store, number: int) -> dict[str, object]:
    """The routes as they were at a revision."""
    now = {resource.id: resource.value for resource in store.scan("routes")}
    then = {**now, **{change.id: change.value for change in store.restore(number)}}
    return {identifier: value for identifier, value in then.items() if value is not None}


def test_the_latest_revisions_are_kept_and_each_can_be_told_and_brought_back(place: str) -> None:
    states: dict[int, dict[str, object]] = {0: {}}
    with Store.open(place, sealer=sealer(), retention=Retention(revisions=4)) as store:
        for step in range(30):
            identifier = str(step % 5)
            number = (
                delete(store, "routes", identifier)
                if step % 7 == 6
                else put(store, "routes", identifier, {"step": step}, ("upstreams", identifier))
            )
            states[number] = {each.id: each.value for each in store.scan("routes")}
            first = max(1, number - 3)
            total, listed = store.revisions(page_size=100)
            assert (total, [revision.number for revision in listed]) == (
                number - first + 1,
                list(range(number, first - 1, -1)),
            )
            # Also what was before the first, so that its difference can be told.
            for known in range(first - 1, number + 1):
                assert state(store, known) == states[known]
                assert len(store.changes_since(known)) <= number - known
            assert store.diff(first - 1, first)[0].id == store.revision_at(first).changes[0].id
        assert {each.id: each.created_index > 0 for each in store.scan("routes")}.keys() == states[30].keys()
        assert store.referrers("upstreams", "0") == ([("routes", "0")] if "0" in states[30] else [])


def test_a_revision_that_is_not_kept_is_refused_with_those_that_are(place: str) -> None:
    with Store.open(place, sealer=sealer(), retention=Retention(revisions=2)) as store:
        for step in range(6):
            put(store, "routes", "1", {"step": step})
        told = "revision 3 is not kept any more; the history has 5 to 6"
        for ask in (
            store.changes_since,
            store.restore,
            store.revision_at,
            lambda number: store.diff(number, 6),
        ):
            with pytest.raises(UnknownRevision, match=told):
                ask(3)
        with pytest.raises(UnknownRevision, match="there is no revision 0"):
            store.restore(0)


def test_old_revisions_go_but_for_the_latest(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    with Store.open(place, sealer=sealer(), retention=Retention(seconds=60)) as store:
        for step in range(4):
            now += 25
            put(store, "routes", "1", {"step": step})
        assert [revision.number for revision in store.revisions()[1]] == [4, 3, 2]
        now += 3600
        put(store, "routes", "1", {})
        assert [revision.number for revision in store.revisions()[1]] == [5]


@pytest.mark.parametrize(("bound", "most"), [("_MOST_AT_ONCE", 3), ("_CHANGES_AT_ONCE", 2)])
def test_a_long_history_is_trimmed_a_part_with_each_write(
    place: str, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(f"toolway.store.trimming.{bound}", most)
    with Store.open(place, sealer=sealer()) as store:
        for step in range(10):
            put(store, "routes", str(step), {})
    with Store.open(place, sealer=sealer(), retention=Retention(revisions=1)) as store:
        totals = []
        for _ in range(5):
            put(store, "routes", "1", {})
            totals.append(store.revisions()[0])
        assert totals == [8, 6, 4, 2, 1]
        assert store.revision() == 15
        assert len(list(store.scan("routes"))) == 10


def test_a_write_that_fails_trims_nothing(place: str) -> None:
    with Store.open(place, sealer=sealer(), retention=Retention(revisions=1)) as store:
        put(store, "routes", "1", {"n": 1})
        with pytest.raises(ValueError, match="kinds and ids"):
            store.write([Change("routes", "", {})], base=1, actor="test")
        assert [revision.number for revision in store.revisions()[1]] == [1]


def test_a_secret_that_only_a_trimmed_revision_had_is_gone(tmp_path: Path) -> None:
    with Store.open(tmp_path, sealer=sealer(), retention=Retention(revisions=1)) as store:
        put(store, "ssls", "1", {"key": "first"})
        with sqlite3.connect(tmp_path / "store.db") as database:
            ((old,),) = database.execute("SELECT secrets FROM toolway_changes")
        for key in ("second", "third"):
            put(store, "ssls", "1", {"key": key})
        with sqlite3.connect(tmp_path / "store.db") as database:
            found = database.execute("SELECT secrets FROM toolway_changes").fetchall()
    # What was before the only revision that is kept, and what it made of it.
    assert len(found) == 2
    assert old not in {sealed for (sealed,) in found}
