"""Secrets at rest: sealed on the disk, opened for who has the master key, shown nowhere."""

from __future__ import annotations

import base64
import json
import logging
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from toolway.store import MASK, Change, MasterKeyError, Sealer, Store

from .stores import KEY, OTHER_KEY, everything, put, sealer, secret_places

if TYPE_CHECKING:
    from pathlib import Path

TOP = "top-secret-text"


def with_secret(text: Any = TOP) -> dict[str, Any]:
    return {"id": "1", "plugins": {"hmac-auth": {"key_id": "known", "secret": text}}}


def test_a_secret_is_sealed_on_the_disk_and_open_on_reading(tmp_path: Path) -> None:
    with Store.open(tmp_path, sealer=sealer()) as store:
        put(store, "consumers", "1", with_secret())
        put(store, "consumers", "1", with_secret("second-secret"))
        resource = store.get("consumers", "1")
        assert resource is not None
        assert resource.value == with_secret("second-secret")
        on_disk = everything(tmp_path)
    assert "known" in on_disk
    assert TOP not in on_disk
    assert "second-secret" not in on_disk
    assert "second-secret" not in everything(tmp_path)


def test_whoever_may_not_see_secrets_gets_stars(store: Store) -> None:
    put(store, "consumers", "1", with_secret())
    masked = store.get("consumers", "1", masked=True)
    assert masked is not None
    assert masked.value == with_secret(MASK)
    assert [resource.value for resource in store.list("consumers", masked=True)[1]] == [with_secret(MASK)]
    assert [resource.value for resource in store.scan("consumers", masked=True)] == [with_secret(MASK)]


@pytest.mark.parametrize("secret", ["", "***", ["a", {"b": None}], {"nested": True}, None, 5, "\ud800\0"])
def test_a_secret_may_be_any_json(store: Store, secret: object) -> None:
    put(store, "consumers", "1", with_secret(secret))
    resource = store.get("consumers", "1")
    assert resource is not None
    assert resource.value == with_secret(secret)


def test_history_and_differences_show_that_a_secret_changed_and_not_what_it_is(store: Store) -> None:
    put(store, "consumers", "1", with_secret())
    put(store, "consumers", "1", with_secret("another"))
    put(store, "consumers", "1", with_secret("another"))
    [difference] = store.diff(1, 2)
    assert difference.places == ("/plugins/hmac-auth/secret",)
    assert difference.before == difference.after == with_secret(MASK)
    assert store.diff(2, 3) == []
    assert store.revision_at(1).changes[0].value == with_secret(MASK)


def test_secrets_are_in_no_repr_and_no_log(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    change = Change("consumers", "1", with_secret())
    store.write([change], base=0, actor="test")
    shown = [change, store, store.get("consumers", "1"), store.restore(0), store.changes_since(0), sealer()]
    shown += [store.diff(0, 1), store.revision_at(1), sealer().keys, list(sealer().keys)]
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        store.write([Change("consumers", "\0", with_secret())], base=1, actor="test")
    told = repr([*shown, refused.value]) + caplog.text
    assert TOP not in told
    assert KEY not in told


def test_a_place_named_as_secret_that_is_not_there_is_nothing() -> None:
    places = ["/key", "/absent/x", "/list/7", "/list/0", "/text/x", "/key/below", "/a~1b/c~0d"]
    value = {"key": {"below": 1}, "list": ["first"], "text": "t", "a/b": {"c~d": TOP}}
    sealing = Sealer(sealer().keys, lambda _kind, _value: places)
    masked, sealed = sealing.seal("ssls", "1", value)
    assert masked == {"key": MASK, "list": [MASK], "text": "t", "a/b": {"c~d": MASK}}
    assert sorted(sealed) == ["/a~1b/c~0d", "/key", "/list/0"]
    assert sealing.open("ssls", "1", masked, sealed) == value


def test_a_whole_value_cannot_be_named_as_secret() -> None:
    sealing = Sealer(sealer().keys, lambda _kind, _value: [""])
    with pytest.raises(ValueError, match="a place within a value"):
        sealing.seal("ssls", "1", {"key": TOP})


def test_a_sealed_secret_opens_nowhere_else() -> None:
    sealing = sealer()
    masked, sealed = sealing.seal("ssls", "1", {"key": TOP})
    for kind, identifier, pointer in [("ssls", "2", "/key"), ("routes", "1", "/key"), ("ssls", "1", "/cert")]:
        moved = {pointer: sealed["/key"]}
        with pytest.raises(MasterKeyError, match="does not open"):
            sealing.open(kind, identifier, {"key": MASK, "cert": ""}, moved)
    again = sealing.seal("ssls", "1", {"key": TOP})[1]
    assert again["/key"] != sealed["/key"]
    assert masked == {"key": MASK}


def test_a_secret_changed_on_the_disk_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    with Store.open(tmp_path, sealer=sealer()) as store:
        put(store, "consumers", "1", with_secret())
        put(store, "consumers", "2", {"plain": True})
    with sqlite3.connect(tmp_path / "store.db") as connection:
        [[sealed]] = connection.execute("SELECT secrets FROM toolway_changes WHERE secrets IS NOT NULL")
        token = json.loads(sealed)["/plugins/hmac-auth/secret"]
        broken = token[:-6] + ("AAAAA=" if token[-6:] != "AAAAA=" else "BBBBB=")
        statement = "UPDATE toolway_changes SET secrets = ? WHERE secrets IS NOT NULL"
        connection.execute(statement, [json.dumps({"/plugins/hmac-auth/secret": broken})])
    connection.close()
    with Store.open(tmp_path, sealer=sealer()) as store:
        with pytest.raises(MasterKeyError, match="consumers/1 was changed in the database"):
            store.get("consumers", "1")
        assert store.get("consumers", "2") is not None


def test_a_wrong_master_key_is_refused_and_nothing_is_lost(place: str) -> None:
    with Store.open(place, sealer=sealer()) as store:
        put(store, "consumers", "1", with_secret())
    with pytest.raises(MasterKeyError, match=r"sealed with the master key \w{16}, and TOOLWAY_MAST"):
        Store.open(place, sealer=sealer(OTHER_KEY))
    with Store.open(place, sealer=sealer(OTHER_KEY, KEY)) as store:
        resource = store.get("consumers", "1")
        assert resource is not None
        assert resource.value == with_secret()


def test_a_missing_master_key_is_refused_and_none_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Store.open(folder, sealer=Sealer.load(folder, {}, secret_places)) as store:
        put(store, "consumers", "1", with_secret())
    file = folder / "master.key"
    kept = file.rename(tmp_path / "kept")
    with pytest.raises(MasterKeyError, match="none is given"):
        Store.open(folder, sealer=Sealer.load(folder, {}, secret_places))
    assert not file.exists()
    kept.rename(file)
    with Store.open(folder, sealer=Sealer.load(folder, {}, secret_places)) as store:
        assert store.get("consumers", "1") is not None


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    Store.open(folder, sealer=Sealer.load(folder, {}, secret_places)).close()
    file = folder / "master.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(file.read_text())) == 32
    assert sorted(path.name for path in folder.iterdir()) == ["master.key", "store.db", "store.lock"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "master.key"
    file.write_text(KEY)
    file.chmod(mode)
    with pytest.raises(MasterKeyError, match=rf"mode {mode:04o}, so others can read .* `chmod 600"):
        Sealer.load(tmp_path, {}, secret_places)
    file.chmod(0o600)
    assert Sealer.load(tmp_path, {}, secret_places).key_id == sealer().key_id


@pytest.mark.parametrize("given", ["short", "c2hvcnQ=", KEY[:-1], KEY + KEY, "ü" * 44, f"{KEY},nonsense"])
def test_a_malformed_key_is_refused_without_being_shown(tmp_path: Path, given: str) -> None:
    with pytest.raises(MasterKeyError, match="32 random bytes in base64") as refused:
        Sealer.load(tmp_path, {"TOOLWAY_MASTER_KEY": given}, secret_places)
    assert given not in str(refused.value)
    assert KEY not in str(refused.value)
    assert str(refused.value).startswith(("TOOLWAY_MASTER_KEY", "key 2 of TOOLWAY_MASTER_KEY"))


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "master.key").write_text("unusable")
    loaded = Sealer.load(tmp_path, {"TOOLWAY_MASTER_KEY": f" {KEY} , {OTHER_KEY}\n"}, secret_places)
    assert [key.id for key in loaded.keys] == [sealer().key_id, sealer(OTHER_KEY).key_id]


def test_an_empty_file_of_the_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "master.key").touch(mode=0o600)
    with pytest.raises(MasterKeyError, match="is empty"):
        Sealer.load(tmp_path, {}, secret_places)


def test_a_key_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    loaded = Sealer.load(tmp_path / "folder", {}, secret_places)
    with pytest.raises(MasterKeyError, match="cannot be kept"):
        loaded.ready(())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
