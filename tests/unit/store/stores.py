"""What tests of the store share: a sealer, which places are secret, and short ways to write."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolway.store import Change, Sealer, Store
from toolway.store.master_key import MasterKey, MasterKeys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(32, 64))).decode()


def secret_places(kind: str, value: Mapping[str, Any]) -> Iterator[str]:
    """The key of an ssl, and `secret` and `password` of any plugin."""
    if kind == "ssls":
        yield "/key"
    for name, settings in value.get("plugins", {}).items():
        yield from (f"/plugins/{name}/{field}" for field in ("secret", "password") if field in settings)


def sealer(*keys: str) -> Sealer:
    """With the keys given in base64, or with one that is the same for all tests."""
    return Sealer(MasterKeys([MasterKey.of(key, "a test") for key in keys or (KEY,)]), secret_places)


def put(store: Store, kind: str, identifier: str, value: dict[str, Any], *references: tuple[str, str]) -> int:
    """Writes one resource."""
    change = Change(kind, identifier, value, references)
    return store.write([change], base=store.revision(), actor="test")


def delete(store: Store, kind: str, identifier: str) -> int:
    """Deletes one resource."""
    return store.write([Change(kind, identifier, None)], base=store.revision(), actor="test")


def everything(place: str | Path) -> str:
    """All that an SQLite folder has on the disk, as text."""
    return "".join(file.read_bytes().decode("latin-1") for file in Path(place).glob("store.db*"))
