"""Verifying a store: a sound one has no problems, and whatever was changed from outside is told."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from toolway import cli
from toolway.store import Retention, Store

from .stores import KEY, delete, put, sealer

if TYPE_CHECKING:
    from pathlib import Path


def fill(store: Store) -> None:
    put(store, "upstreams", "u", {"nodes": {"127.0.0.1:1": 1}})
    put(store, "routes", "1", {"id": "1", "name": "one", "uri": "/", "upstream_id": "u"}, ("upstreams", "u"))
    put(store, "ssls", "s", {"id": "s", "key": "secret", "cert": "c", "sni": "a.test"})
    put(store, "routes", "2", {"id": "2", "uri": "/2", "labels": {"a": "b"}})
    delete(store, "routes", "2")


@pytest.mark.parametrize("kept", [1, 2, 1000])
def test_a_sound_store_has_no_problems(place: str, kept: int) -> None:
    with Store.open(place, sealer=sealer(), retention=Retention(revisions=kept)) as store:
        assert list(store.verify()) == []
        fill(store)
        assert list(store.verify()) == []


DAMAGES = [
    ("UPDATE toolway_changes SET value = '{' WHERE id = '1'", {("store-record", "/routes/1")}),
    ("UPDATE toolway_changes SET value = '[]' WHERE id = 's'", {("store-record", "/ssls/s")}),
    (
        "UPDATE toolway_changes SET secrets = replace(secrets, '/key', '/cert') WHERE id = 's'",
        {("store-record", "/ssls/s"), ("store-secret", "/ssls/s")},
    ),
    (
        "UPDATE toolway_changes SET secrets = replace(secrets, '.', '.AAAA') WHERE id = 's'",
        {("store-secret", "/ssls/s")},
    ),
    ("DELETE FROM toolway_revisions WHERE number = 3", {("store-history", "/revisions/3")}),
    ("UPDATE toolway_revisions SET size = 7 WHERE number = 2", {("store-history", "/revisions/2")}),
    (
        "DELETE FROM toolway_changes WHERE id = 'u'",
        {("store-history", "/revisions/1"), ("store-index", "/upstreams/u")},
    ),
    (
        "DELETE FROM toolway_resources WHERE id = 'u'",
        {("store-index", "/upstreams/u"), ("store-reference", "/routes/1")},
    ),
    ("UPDATE toolway_resources SET modified_index = 2 WHERE id = 'u'", {("store-index", "/upstreams/u")}),
    ("DELETE FROM toolway_facets WHERE id = '1'", {("store-index", "/routes/1")}),
    (
        "UPDATE toolway_links SET to_id = 'v'",
        {("store-index", "/routes/1"), ("store-reference", "/routes/1")},
    ),
]


@pytest.mark.parametrize(("damage", "told"), DAMAGES)
def test_what_was_changed_from_outside_is_told(
    tmp_path: Path, damage: str, told: set[tuple[str, str]]
) -> None:
    with Store.open(tmp_path, sealer=sealer()) as store:
        fill(store)
    with sqlite3.connect(tmp_path / "store.db") as database:
        assert database.execute(damage).rowcount
    with Store.open(tmp_path, sealer=sealer(), read_only=True) as store:
        assert {(problem.code, problem.pointer) for problem in store.verify()} == told


def test_the_command_tells_everything_and_ends_with_1(
    place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLWAY_MASTER_KEY", KEY)
    where = ["--store", place] if "://" in place else ["--data", place]
    upstream = {"id": "u", "nodes": {"127.0.0.1:1": 1}, "type": "roundrobin"}
    with Store.open(place, sealer=sealer()) as store:
        put(store, "upstreams", "u", upstream)
        # Beside the gateway that has it.
        assert cli.run(["store", "verify", *where]) == 0
        assert capsys.readouterr().out.endswith(": 1 resources, 1 revisions: all is well\n")
        put(store, "upstreams", "u", {**upstream, "type": "whim"})
        put(store, "routes", "1", {"id": "1", "uri": "/", "upstream_id": "v"}, ("upstreams", "v"))
        digest = {"key-auth": {"key_sha256": "not one"}}
        put(store, "consumers", "jack", {"username": "jack", "plugins": digest})
    assert cli.run(["store", "verify", *where]) == 1
    told = capsys.readouterr()
    assert "3 resources, 4 revisions: 3 problems" in told.out
    assert "/upstreams/u/type: " in told.err
    assert "/routes/1: it refers to upstreams/v, which is not there [store-reference]" in told.err
    assert "/consumers/jack/plugins/key-auth/key_sha256: " in told.err
    assert cli.run(["store", "verify", "-o", "json", *where]) == 1
    assert len(json.loads(capsys.readouterr().out)["problems"]) == 3


def test_the_command_needs_a_store_and_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOOLWAY_MASTER_KEY", raising=False)
    for command in ("verify", "export"):
        assert cli.run(["store", command, "--data", str(tmp_path)]) == 1
        assert capsys.readouterr().err == f"toolway: there is no store in {tmp_path}\n"
    with Store.open(tmp_path, sealer=sealer()) as store:
        fill(store)
    assert cli.run(["store", "verify", "--data", str(tmp_path)]) == 1
    assert "sealed with the master key" in capsys.readouterr().err
