"""The master key is replaced: all is sealed anew at once, and after a failure the same call goes on."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from toolway import cli
from toolway.store import MasterKeyError, Sealer, Store
from toolway.store.master_key import MasterKeys

from .stores import KEY, OTHER_KEY, everything, put, sealer, secret_places

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 1500


def fill(store: Store) -> None:
    """Secrets in more changes than are sealed at a time, and some in the history."""
    from toolway.store import Change

    changes = [Change("consumers", str(n), {"plugins": {"p": {"secret": f"s{n}"}}}) for n in range(COUNT)]
    store.write(changes, base=0, actor="test")
    put(store, "consumers", "0", {"plugins": {"p": {"secret": "later", "password": "too"}}})
    put(store, "routes", "plain", {})


def check(store: Store) -> None:
    """Everything can be read, in the present and in the past."""
    found = [resource.value["plugins"]["p"]["secret"] for resource in store.scan("consumers")]
    assert found == ["later", *(f"s{n}" for n in range(1, COUNT))]
    [back] = [change for change in store.restore(1) if change.id == "0"]
    assert back.value == {"plugins": {"p": {"secret": "s0"}}}


def test_all_is_sealed_with_the_first_key_and_the_others_are_needed_no_more(place: str) -> None:
    with Store.open(place, sealer=sealer(KEY)) as store:
        fill(store)
    with Store.open(place, sealer=sealer(OTHER_KEY, KEY)) as store:
        assert store.rotate_key() == COUNT + 2
        check(store)
        assert store.rotate_key() == 0
        assert store.revision() == 3
    with Store.open(place, sealer=sealer(OTHER_KEY)) as store:
        check(store)
    with pytest.raises(MasterKeyError, match="sealed with the master key"):
        Store.open(place, sealer=sealer(KEY))


def test_a_write_with_a_second_key_is_noted_so_that_the_first_is_not_missed_later(place: str) -> None:
    with Store.open(place, sealer=sealer(KEY)) as store:
        put(store, "ssls", "1", {"key": "one"})
    with Store.open(place, sealer=sealer(OTHER_KEY, KEY)) as store:
        put(store, "ssls", "2", {"key": "two"})
    for keys in ((KEY,), (OTHER_KEY,)):
        with pytest.raises(MasterKeyError, match="sealed with the master key"):
            Store.open(place, sealer=sealer(*keys))
    with Store.open(place, sealer=sealer(KEY, OTHER_KEY)) as store:
        assert [resource.value["key"] for resource in store.scan("ssls")] == ["one", "two"]


def test_given_keys_are_rotated_only_where_there_are_two(place: str) -> None:
    with Store.open(place, sealer=sealer(KEY)) as store:
        fill(store)
        with pytest.raises(MasterKeyError, match="put a new key and a comma in front of the present one"):
            store.rotate_key()
        check(store)


def in_folder(folder: Path) -> Store:
    return Store.open(folder, sealer=Sealer.load(folder, {}, secret_places))


def test_the_key_in_the_file_is_replaced(tmp_path: Path) -> None:
    with in_folder(tmp_path) as store:
        fill(store)
        old = (tmp_path / "master.key").read_text()
        before = everything(tmp_path)
        assert store.rotate_key() == COUNT + 2
        check(store)
    new = (tmp_path / "master.key").read_text()
    assert new != old
    assert len(new.split()) == 1
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    assert everything(tmp_path) != before
    with in_folder(tmp_path) as store:
        check(store)


@pytest.mark.parametrize("moment", ["before the sealing", "in the middle of it", "after it"])
def test_a_rotation_that_failed_goes_on_when_it_is_run_again(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_folder(tmp_path) as store:
        fill(store)
        failing = monkeypatch.context()
        with failing as patch:
            if moment == "before the sealing":
                patch.setattr("toolway.store.rotating.seal_anew", lambda *_: 1 / 0)
            elif moment == "in the middle of it":
                sealed_anew, calls = Sealer.sealed_anew, iter(range(COUNT))
                patch.setattr(
                    Sealer, "sealed_anew", lambda *args: 1 / (1200 - next(calls)) and sealed_anew(*args)
                )
            else:
                patch.setattr(MasterKeys, "forget_old", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                store.rotate_key()
        check(store)
        during = (tmp_path / "master.key").read_text().split()
        assert len(during) == 2
    with in_folder(tmp_path) as store:
        check(store)
        assert store.rotate_key() == (0 if moment == "after it" else COUNT + 2)
        check(store)
    assert (tmp_path / "master.key").read_text().split() == during[:1]
    with in_folder(tmp_path) as store:
        check(store)


def test_the_command_rotates_the_key_of_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOOLWAY_MASTER_KEY", raising=False)
    with in_folder(tmp_path) as store:
        fill(store)
        assert cli.run(["store", "rotate-key", "--data", str(tmp_path)]) == 1
        assert "in use by another Toolway" in capsys.readouterr().err
    assert cli.run(["store", "rotate-key", "--data", str(tmp_path)]) == 0
    assert (
        capsys.readouterr().out == f"{tmp_path}/store.db: {COUNT + 2} secrets sealed with a new master key\n"
    )
    with in_folder(tmp_path) as store:
        check(store)


def test_the_command_rotates_the_key_of_a_database(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(place, sealer=sealer(KEY)) as store:
        fill(store)
    where = ["--store", place] if "://" in place else ["--data", place]
    monkeypatch.setenv("TOOLWAY_MASTER_KEY", KEY)
    assert cli.run(["store", "rotate-key", *where]) == 1
    assert "put a new key and a comma in front" in capsys.readouterr().err
    monkeypatch.setenv("TOOLWAY_MASTER_KEY", f"{OTHER_KEY},{KEY}")
    assert cli.run(["store", "rotate-key", *where]) == 0
    told = capsys.readouterr()
    assert "correct-horse" not in told.out + told.err
    with Store.open(place, sealer=sealer(OTHER_KEY)) as store:
        check(store)


def test_the_command_makes_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["store", "rotate-key", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"toolway: there is no store in {tmp_path}\n"
    assert not list(tmp_path.iterdir())


def test_a_sealed_secret_of_an_old_key_leaves_the_file(tmp_path: Path) -> None:
    with in_folder(tmp_path) as store:
        put(store, "ssls", "1", {"key": "k"})
        store.rotate_key()
    connection = sqlite3.connect(tmp_path / "store.db")
    [[keys]] = connection.execute("SELECT count(*) FROM toolway_sealing_keys").fetchall()
    connection.close()
    assert keys == 1
