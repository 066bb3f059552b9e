"""SQLite on a disk that is full, read-only, locked or damaged, and a folder that is in use."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from toolway.store import Store, StoreUnavailable

from .stores import put, sealer

ROOT = Path(__file__).parents[3]
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def test_a_disk_that_runs_full_and_one_that_is_read_only_are_told_and_borne(tmp_path: Path) -> None:
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a process cannot have mounts of its own here")
    command = [*NAMESPACE, sys.executable, "-m", "tests.unit.store.small_disk", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second, read_only = done.stdout.splitlines()
    assert first == second
    assert first == f"{tmp_path}/store.db cannot be used: the disk is full (database or disk is full)"
    assert read_only == (
        f"{tmp_path}/store.db can only be read: Read-only file system; start again once it can be written"
    )


def test_a_write_that_the_system_refuses_is_told_and_the_next_one_works(tmp_path: Path) -> None:
    with Store.open(tmp_path, sealer=sealer()) as store:
        put(store, "routes", "1", {"n": 1})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # No file may grow beyond what the log has: as where a quota is used up.
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "store.db-wal").stat().st_size, hard))
        try:
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match=r"store\.db cannot be used: the disk"):
                    put(store, "routes", "2", {"desc": "d" * 100_000})
            read = store.get("routes", "1")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert read is not None
        assert put(store, "routes", "2", {}) == 2


def test_a_file_that_was_moved_away_is_not_written_and_is_read_on(tmp_path: Path) -> None:
    file, away = tmp_path / "store.db", tmp_path / "away"
    with Store.open(tmp_path, sealer=sealer()) as store:
        put(store, "routes", "1", {"n": 1})
        file.rename(away)
        with pytest.raises(StoreUnavailable, match="is not there any more, or another one is in its place"):
            put(store, "routes", "1", {"n": 2})
        assert store.revision() == 1
        assert not file.exists()
        away.rename(file)
        assert put(store, "routes", "1", {"n": 2}) == 2


def test_a_store_that_is_only_read_is_read_beside_the_one_that_writes(place: str) -> None:
    with Store.open(place, sealer=sealer()) as store:
        put(store, "ssls", "1", {"key": "k"})
        with Store.open(place, sealer=sealer(), read_only=True) as reader:
            assert reader.read_only
            for number in range(3):
                put(store, "ssls", "1", {"key": "k", "n": number})
                found = reader.get("ssls", "1")
                assert found is not None
                assert found.value == {"key": "k", "n": number}
            with pytest.raises(StoreUnavailable, match=r"(can only be|is only) read"):
                put(reader, "routes", "1", {})
        assert put(store, "ssls", "1", {}) == 5


def test_a_store_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no store in"):
        Store.open(tmp_path / "nowhere", sealer=sealer(), read_only=True)
    assert not list(tmp_path.iterdir())
    (tmp_path / "store.db").touch()
    with pytest.raises(StoreUnavailable, match="has schema none, this Toolway needs"):
        Store.open(tmp_path, sealer=sealer(), read_only=True)


def test_a_folder_has_one_store_at_a_time(tmp_path: Path) -> None:
    with Store.open(tmp_path, sealer=sealer()):
        told = rf"in use by another Toolway \(process {os.getpid()}\): stop it first"
        with pytest.raises(StoreUnavailable, match=told):
            Store.open(tmp_path, sealer=sealer())
    Store.open(tmp_path, sealer=sealer()).close()


def test_a_store_is_taken_over_when_the_one_that_has_it_gives_it_up(tmp_path: Path) -> None:
    first = Store.open(tmp_path, sealer=sealer())
    put(first, "routes", "1", {"n": 1})
    with Store.open(tmp_path, sealer=sealer(), take_over=True) as second:
        assert second.revision() == 1
        with pytest.raises(
            StoreUnavailable, match=r"can only be read, until the other ends: .*in use by another"
        ):
            put(second, "routes", "2", {})
        assert put(first, "routes", "1", {"n": 2}) == 2
        assert second.wait_beyond(1, 30) == 2
        with pytest.raises(StoreUnavailable, match="in use by another Toolway"):
            Store.open(tmp_path, sealer=sealer())
        first.close()
        while second.read_only:
            second.wait_beyond(2, 0.05)
        assert put(second, "routes", "2", {}) == 3
        assert [resource.value for resource in second.scan("routes")] == [{"n": 2}, {}]
        with pytest.raises(StoreUnavailable, match="in use by another Toolway"):
            Store.open(tmp_path, sealer=sealer())
    with Store.open(tmp_path, sealer=sealer(), take_over=True) as third:
        assert put(third, "routes", "2", {}) == 4


def test_whoever_waits_to_take_over_may_end_before(tmp_path: Path) -> None:
    with Store.open(tmp_path, sealer=sealer()) as first:
        Store.open(tmp_path, sealer=sealer(), take_over=True).close()
        assert put(first, "routes", "1", {}) == 1


def test_a_program_that_keeps_the_file_locked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolway.store.sqlite._BUSY_SECONDS", 0.01)
    with Store.open(tmp_path, sealer=sealer()) as store:
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another program keeps the file locked"):
            put(store, "routes", "1", {})
        assert store.revision() == 0
        other.execute("ROLLBACK")
        other.close()
        assert put(store, "routes", "1", {}) == 1


@pytest.mark.parametrize("content", [b"this is no database " * 1000, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.db").write_bytes(content)
    with pytest.raises(
        StoreUnavailable, match=r"store\.db cannot be used: the file is (damaged|not a database)"
    ):
        Store.open(tmp_path, sealer=sealer())
    assert (tmp_path / "store.db").read_bytes() == content


def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"the data folder .*file cannot be used"):
        Store.open(tmp_path / "file", sealer=sealer())


def test_an_empty_folder_below_missing_ones_is_made_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with Store.open(folder, sealer=sealer()) as store:
        put(store, "routes", "1", {})
        modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert modes == {"b": 0o700} | dict.fromkeys(
        ("store.db", "store.db-shm", "store.db-wal", "store.lock"), 0o600
    )


def test_a_copy_of_a_closed_folder_is_a_store(tmp_path: Path) -> None:
    with Store.open(tmp_path / "one", sealer=sealer()) as store:
        put(store, "routes", "1", {"n": 1})
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with Store.open(tmp_path / "one", sealer=sealer()), Store.open(tmp_path / "two", sealer=sealer()) as copy:
        assert [resource.value for resource in copy.scan("routes")] == [{"n": 1}]


@pytest.mark.parametrize("place", ["mysql://user:hunter2@host/db", "sqlite:///x.db", "http://u:hunter2@h"])
def test_another_kind_of_database_is_refused(place: str) -> None:
    with pytest.raises(StoreUnavailable, match="expected a folder or postgresql://") as refused:
        Store.open(place, sealer=sealer())
    assert "hunter2" not in str(refused.value)
