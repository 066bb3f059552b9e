"""A process with a small disk of its own at FOLDER: fills it up under a store, and makes it read-only.

Runs in a mount namespace of its own. Prints what the store said, a line each; fails where it did wrong.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from toolway.store import Change, Store, StoreUnavailable

from .stores import delete, put, sealer


def fill(folder: Path) -> None:
    """Leaves no byte on the disk."""
    with (folder / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            return


def refused(store: Store) -> str:
    """What the store says of a write that it cannot do."""
    try:
        put(store, "routes", "2", {"desc": "d" * 100_000})
    except StoreUnavailable as error:
        return str(error)
    raise AssertionError("it was written")


def main(folder: Path) -> None:
    """Mounts the disk and does all of it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "toolway", str(folder)], check=True)
    with Store.open(folder, sealer=sealer()) as store:
        put(store, "routes", "1", {"n": 1})
        fill(folder)
        print(refused(store))
        print(refused(store))
        resource = store.get("routes", "1")
        assert resource is not None
        assert resource.value == {"n": 1}
        assert store.revision() == 1
        assert store.get("routes", "2") is None
        (folder / "filler").unlink()
        assert put(store, "routes", "2", {}) == 2
        assert delete(store, "routes", "1") == 3
        # What a gateway leaves that is killed: a log that was not brought into the file.
        killed = folder / "killed"
        killed.mkdir()
        for file in folder.glob("store.db*"):
            shutil.copy(file, killed)
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    with Store.open(folder, sealer=sealer()) as store:
        print(refused(store))
        assert [resource.id for resource in store.scan("routes")] == ["2"]
        assert store.diff(2, 3)[0].id == "1"
    with Store.open(killed, sealer=sealer()) as store:
        assert [resource.id for resource in store.scan("routes")] == ["2"]
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
    with Store.open(folder, sealer=sealer()) as store:
        store.write([Change("routes", "3", {})], base=3, actor="test")
        assert [resource.id for resource in store.scan("routes")] == ["2", "3"]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
