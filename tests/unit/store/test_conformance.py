"""What a store promises, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from toolway.store import Change, StaleBase, Store, UnknownRevision

from .stores import delete, put, sealer

if TYPE_CHECKING:
    from collections.abc import Sequence


def ids(resources: Sequence[Any]) -> list[str]:
    return [resource.id for resource in resources]


def test_a_new_store_is_at_revision_0_and_has_nothing(store: Store) -> None:
    assert store.revision() == 0
    assert store.get("routes", "1") is None
    assert store.list("routes") == (0, [])
    assert list(store.scan("routes")) == []
    assert store.revisions() == (0, [])
    assert store.changes_since(0) == []


def test_a_resource_is_read_as_it_was_written(store: Store) -> None:
    value: dict[str, Any] = {
        "id": "1",
        "z": [1, 2.5, True, None, {"deep": ["a", {}]}],
        "a": 'né\n"𝄞"',
        "null": None,
        "large": 2**60,
        "empty": {},
    }
    assert put(store, "routes", "1", value) == 1
    resource = store.get("routes", "1")
    assert resource is not None
    assert resource.value == value
    assert list(resource.value) == list(value)
    assert (resource.kind, resource.id) == ("routes", "1")
    assert (resource.created_index, resource.modified_index) == (1, 1)


def test_texts_that_a_database_cannot_store_as_such_are_kept(store: Store) -> None:
    value = {"name": "nul \0 in it", "uri": "half \ud800 a pair", "labels": {"\0": "\udfff"}}
    put(store, "routes", "1", value)
    resource = store.get("routes", "1")
    assert resource is not None
    assert resource.value == value
    assert ids(store.list("routes", name="nul \0")[1]) == ["1"]


def test_the_indexes_of_modification_of_many_are_told_at_once(store: Store) -> None:
    many = [Change("routes", str(number), {}) for number in range(2100)]
    store.write([*many, Change("services", "1", {})], base=0, actor="test")
    put(store, "routes", "2099", {"n": 1})
    keys = [(change.kind, change.id) for change in many]
    told = store.modified([*keys, ("services", "1"), ("services", "2"), ("upstreams", "1")])
    assert told == {**dict.fromkeys(keys, 1), ("services", "1"): 1, ("routes", "2099"): 2}
    assert store.modified([]) == {}


def test_the_index_of_creation_stays_and_that_of_modification_moves(store: Store) -> None:
    put(store, "routes", "1", {"n": 1})
    put(store, "routes", "2", {})
    put(store, "routes", "1", {"n": 2})
    resource = store.get("routes", "1")
    assert resource is not None
    assert (resource.created_index, resource.modified_index, resource.value) == (1, 3, {"n": 2})


def test_a_resource_that_is_made_again_is_a_new_one(store: Store) -> None:
    put(store, "routes", "1", {})
    put(store, "routes", "2", {})
    delete(store, "routes", "1")
    assert store.get("routes", "1") is None
    put(store, "routes", "1", {})
    resource = store.get("routes", "1")
    assert resource is not None
    assert (resource.created_index, resource.modified_index) == (4, 4)
    assert ids(store.list("routes")[1]) == ["2", "1"]


def test_one_id_may_be_of_several_kinds(store: Store) -> None:
    put(store, "routes", "1", {"of": "route"})
    put(store, "services", "1", {"of": "service"})
    delete(store, "routes", "1")
    resource = store.get("services", "1")
    assert resource is not None
    assert resource.value == {"of": "service"}


def test_a_write_for_another_revision_is_refused_and_changes_nothing(store: Store) -> None:
    put(store, "routes", "1", {"n": 1})
    for base in (0, 2, 99, -1):
        with pytest.raises(StaleBase) as refused:
            store.write([Change("routes", "1", {"n": 2})], base=base, actor="test")
        assert (refused.value.base, refused.value.revision) == (base, 1)
    resource = store.get("routes", "1")
    assert resource is not None
    assert resource.value == {"n": 1}
    assert store.revision() == 1


def test_of_writers_at_one_time_each_gets_a_revision_of_its_own(store: Store) -> None:
    writers, each = 8, 10
    start = threading.Barrier(writers)
    stale = []

    def run(writer: int) -> list[int]:
        start.wait()
        written: list[int] = []
        while len(written) < each:
            try:
                change = Change("routes", f"{writer}-{len(written)}", {"writer": writer})
                written.append(store.write([change], base=store.revision(), actor=f"writer {writer}"))
            except StaleBase as error:
                stale.append(error)
        return written

    with ThreadPoolExecutor(writers) as pool:
        numbers = [number for written in pool.map(run, range(writers)) for number in written]
    assert sorted(numbers) == list(range(1, writers * each + 1))
    assert stale
    assert len(list(store.scan("routes"))) == writers * each
    for number in numbers:
        assert store.revision_at(number).size == 1


def test_of_several_changes_of_one_resource_the_last_counts(store: Store) -> None:
    changes = [Change("routes", "1", {"n": 1}), Change("routes", "2", {}), Change("routes", "1", None)]
    store.write([*changes, Change("routes", "1", {"n": 2})], base=0, actor="test")
    resource = store.get("routes", "1")
    assert resource is not None
    assert resource.value == {"n": 2}
    store.write([Change("routes", "2", {}), Change("routes", "2", None)], base=1, actor="test")
    assert store.get("routes", "2") is None
    assert store.revision_at(1).size == 2


def test_a_write_without_changes_is_a_revision(store: Store) -> None:
    assert store.write([], base=0, actor="test", note="nothing") == 1
    assert store.revision_at(1).changes == ()


def test_deleting_what_is_not_there_changes_nothing(store: Store) -> None:
    delete(store, "routes", "1")
    assert store.list("routes") == (0, [])
    assert store.diff(0, 1) == []


@pytest.mark.parametrize(
    "change",
    [
        Change("routes", "", {}),
        Change("routes", "a\0b", {}),
        Change("routes", "x" * 513, {}),
        Change("", "1", {}),
        Change("routes", "1", {"number": math.nan}),
        Change("routes", "\ud800", {}),
    ],
)
def test_what_cannot_be_stored_is_refused_whole(store: Store, change: Change) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        store.write([Change("routes", "good", {}), change], base=0, actor="test")
    assert store.revision() == 0
    assert store.get("routes", "good") is None


def test_lists_are_in_order_of_creation_and_in_pages(store: Store) -> None:
    names = [str(number) for number in range(25)]
    store.write([Change("routes", name, {"n": name}) for name in reversed(names)], base=0, actor="test")
    put(store, "routes", "7", {"changed": True})
    put(store, "routes", "last", {})
    expected = [*reversed(names), "last"]
    assert (store.list("routes")[0], ids(store.list("routes")[1])) == (26, expected)
    pages = [store.list("routes", page=page, page_size=10) for page in (1, 2, 3, 4)]
    assert [total for total, _ in pages] == [26] * 4
    assert [ids(page) for _, page in pages] == [expected[:10], expected[10:20], expected[20:], []]


def test_lists_are_filtered_by_name_label_and_uri(store: Store) -> None:
    put(store, "routes", "1", {"name": "Blue 100%", "labels": {"env": "prod"}, "uri": "/hello"})
    put(store, "routes", "2", {"name": "blue_1", "labels": {"env2": "env"}, "uris": ["/world", "/hello/*"]})
    put(store, "routes", "3", {"labels": {"env": "test", "team": "a"}, "uris": ["/x"], "uri": 5})
    put(store, "services", "1", {"name": "Blue", "labels": {"env": "prod"}})
    assert ids(store.list("routes", name="lue")[1]) == ["1", "2"]
    assert ids(store.list("routes", name="blue")[1]) == ["2"]
    assert ids(store.list("routes", name="0%")[1]) == ["1"]
    assert ids(store.list("routes", name="e_1")[1]) == ["2"]
    assert ids(store.list("routes", name="")[1]) == ["1", "2"]
    assert ids(store.list("routes", label="env")[1]) == ["1", "3"]
    assert ids(store.list("routes", label="prod")[1]) == []
    assert ids(store.list("routes", uri="hello")[1]) == ["1", "2"]
    assert ids(store.list("routes", uri="world", name="blue", label="env2")[1]) == ["2"]
    assert ids(store.list("routes", uri="world", label="env")[1]) == []
    total, found = store.list("routes", label="env", page=2, page_size=1)
    assert (total, ids(found)) == (2, ["3"])


def test_filters_follow_changes_and_deletions(store: Store) -> None:
    put(store, "routes", "1", {"name": "old", "labels": {"a": ""}})
    put(store, "routes", "1", {"name": "new"})
    assert store.list("routes", name="old") == (0, [])
    assert store.list("routes", label="a") == (0, [])
    assert ids(store.list("routes", name="new")[1]) == ["1"]
    delete(store, "routes", "1")
    assert store.list("routes", name="new") == (0, [])


def test_a_text_too_long_for_an_index_is_kept_whole_and_found_by_its_beginning(store: Store) -> None:
    value = {"uri": "/" + "ü" * 20_000, "name": "n" * 20_000}
    put(store, "routes", "1", value)
    assert ids(store.list("routes", uri="/üüü")[1]) == ["1"]
    resource = store.get("routes", "1")
    assert resource is not None
    assert resource.value == value


def test_credentials_are_listed_under_their_consumer(store: Store) -> None:
    for identifier in ("jack/1", "jack/2", "jackie/1", "jill/1"):
        put(store, "credentials", identifier, {})
    assert ids(store.list("credentials", under="jack")[1]) == ["jack/1", "jack/2"]
    assert store.list("credentials", under="jac") == (0, [])


def test_a_scan_streams_all_in_order_and_bears_writes_meanwhile(store: Store) -> None:
    names = [f"c{number}" for number in range(2500)]
    store.write([Change("consumers", name, {"username": name}) for name in names], base=0, actor="test")
    seen = []
    for resource in store.scan("consumers"):
        if resource.id == "c10":
            delete(store, "consumers", "c2400")
            put(store, "consumers", "c0", {"changed": True})
        seen.append(resource.id)
    assert seen == [name for name in names if name != "c2400"]


def test_referrers_are_found_until_they_refer_no_more(store: Store) -> None:
    put(store, "routes", "b", {}, ("services", "s"), ("upstreams", "u"), ("upstreams", "u"))
    put(store, "routes", "a", {}, ("upstreams", "u"))
    put(store, "services", "s", {}, ("upstreams", "u"))
    assert store.referrers("upstreams", "u") == [("routes", "a"), ("routes", "b"), ("services", "s")]
    assert store.referrers("services", "u") == []
    put(store, "routes", "b", {}, ("services", "s"))
    delete(store, "routes", "a")
    assert store.referrers("upstreams", "u") == [("services", "s")]
    assert store.referrers("services", "s") == [("routes", "b")]


def test_changes_since_a_revision_are_the_net_effect(store: Store) -> None:
    put(store, "routes", "kept", {"n": 1})
    put(store, "routes", "gone", {})
    base = store.revision()
    put(store, "routes", "kept", {"n": 2}, ("upstreams", "u"))
    put(store, "routes", "brief", {})
    put(store, "upstreams", "u", {})
    delete(store, "routes", "brief")
    delete(store, "routes", "gone")
    put(store, "routes", "kept", {"n": 3}, ("upstreams", "v"))
    changes = store.changes_since(base)
    assert [(change.kind, change.id, change.value, change.references) for change in changes] == [
        ("upstreams", "u", {}, ()),
        ("routes", "brief", None, ()),
        ("routes", "gone", None, ()),
        ("routes", "kept", {"n": 3}, (("upstreams", "v"),)),
    ]
    assert store.changes_since(store.revision()) == []


def test_a_revision_beyond_the_latest_is_told_as_unknown(store: Store) -> None:
    put(store, "routes", "1", {})
    for ask in (store.changes_since, store.restore, store.revision_at, lambda number: store.diff(0, number)):
        with pytest.raises(UnknownRevision, match=r"no revision 2; the latest is 1"):
            ask(2)
    with pytest.raises(UnknownRevision):
        store.revision_at(0)


def test_each_write_is_told_by_the_history(store: Store) -> None:
    store.write([Change("routes", "1", {"n": 1}), Change("routes", "2", {})], base=0, actor="ann", note="two")
    store.write([Change("routes", "2", None)], base=1, actor="bob \0", note="\ud800")
    total, (second, first) = store.revisions()
    assert total == 2
    assert (first.number, first.actor, first.note, first.size, first.changes) == (1, "ann", "two", 2, ())
    assert (second.number, second.actor, second.note, second.size) == (2, "bob ?", "?", 1)
    assert 0 <= second.time - first.time < 600
    whole = store.revision_at(1)
    assert [(change.id, change.value) for change in whole.changes] == [("1", {"n": 1}), ("2", {})]
    assert store.revision_at(2).changes[0].value is None
    assert store.revisions(page=2, page_size=1) == (2, [first])


def test_a_difference_tells_what_was_made_changed_and_deleted(store: Store) -> None:
    put(store, "routes", "changed", {"a": 1, "b": {"c": [1], "d~/": 1}, "e": True})
    put(store, "routes", "deleted", {"x": 1})
    put(store, "routes", "same", {"x": 1})
    first = store.revision()
    put(store, "routes", "changed", {"a": 1, "b": {"c": [2]}, "e": 1, "f": None})
    delete(store, "routes", "deleted")
    put(store, "routes", "made", {"y": 1})
    put(store, "routes", "same", {"x": 2})
    put(store, "routes", "same", {"x": 1})
    found = {difference.id: difference for difference in store.diff(first, store.revision())}
    assert set(found) == {"changed", "deleted", "made"}
    assert found["changed"].places == ("/b/c", "/b/d~0~1", "/e", "/f")
    assert (found["deleted"].before, found["deleted"].after) == ({"x": 1}, None)
    assert (found["made"].before, found["made"].after, found["made"].places) == (None, {"y": 1}, ("",))
    back = {difference.id: difference for difference in store.diff(store.revision(), first)}
    assert (back["made"].before, back["made"].after) == ({"y": 1}, None)


def test_an_earlier_state_is_brought_back_by_a_new_revision(store: Store) -> None:
    put(store, "routes", "changed", {"n": 1, "plugins": {"p": {"secret": "first"}}}, ("upstreams", "u"))
    put(store, "routes", "deleted", {"n": 1})
    wanted = store.revision()
    put(store, "routes", "changed", {"n": 2, "plugins": {"p": {"secret": "second"}}})
    delete(store, "routes", "deleted")
    put(store, "routes", "made", {})
    put(store, "routes", "brief", {})
    delete(store, "routes", "brief")
    changes = store.restore(wanted)
    assert {(change.id, change.value is None) for change in changes} == {
        ("changed", False),
        ("deleted", False),
        ("made", True),
    }
    store.write(changes, base=store.revision(), actor="test", note="rollback")
    assert store.diff(wanted, store.revision()) == []
    resource = store.get("routes", "changed")
    assert resource is not None
    assert resource.value == {"n": 1, "plugins": {"p": {"secret": "first"}}}
    assert store.referrers("upstreams", "u") == [("routes", "changed")]
    assert [change.value for change in store.restore(0)] == [None, None]


def test_all_is_there_after_the_store_was_closed_and_opened(place: str) -> None:
    with Store.open(place, sealer=sealer()) as store:
        put(store, "routes", "1", {"plugins": {"p": {"password": "top"}}}, ("upstreams", "u"))
    with Store.open(place, sealer=sealer()) as store:
        resource = store.get("routes", "1")
        assert resource is not None
        assert resource.value == {"plugins": {"p": {"password": "top"}}}
        assert store.referrers("upstreams", "u") == [("routes", "1")]
        assert store.wait_beyond(0, timeout=0) == 1


def test_waiting_ends_with_the_next_write(store: Store) -> None:
    put(store, "routes", "1", {})
    assert store.wait_beyond(0, timeout=60) == 1
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(store.wait_beyond, 1, 60) for _ in range(2)]
        put(store, "routes", "2", {})
        assert [wait.result() for wait in waiting] == [2, 2]


def test_waiting_without_a_write_ends_with_the_revision_that_was_given(store: Store) -> None:
    assert store.wait_beyond(0, timeout=0.05) == 0


def test_closing_ends_all_waiting(store: Store) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.wait_beyond, 0, 100)
        store.close()
        assert waiting.result() == 0


def test_many_threads_read_while_one_writes(store: Store) -> None:
    store.write([Change("routes", str(n), {"n": 0}) for n in range(20)], base=0, actor="test")
    done = threading.Event()

    def read() -> int:
        reads = 0
        while not done.is_set():
            _, found = store.list("routes")
            # A write changes all of them, so a reader never sees some of it.
            assert len({resource.value["n"] for resource in found}) == 1
            reads += 1
        return reads

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read) for _ in range(8)]
        for n in range(1, 21):
            changes = [Change("routes", str(i), {"n": n}) for i in range(20)]
            store.write(changes, base=store.revision(), actor="test")
        done.set()
        assert all(reader.result() > 0 for reader in readers)
