"""Keys of the Admin API: who may look and who may change, and the key that a first start makes.

Keys are held as digests and compared in constant time. A key that nobody gave is made from 256 random bits,
told once, and kept as its digest in the data folder; a fast hash is enough for that many.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE = "admin-key.json"
LEAST_LENGTH = 20
_LEAST_CHARACTERS = 8
_PUBLISHED = frozenset({"edd1c9f034335f136f87ad84b625c8f1", "4054f7cf07e344346cd3f287985e76a2"})
"""Keys that APISIX once shipped with, which everyone knows."""


class Role(StrEnum):
    """What a key is good for."""

    admin = "admin"
    viewer = "viewer"


class WeakKeyError(Exception):
    """A key that can be guessed would be reachable from other machines."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key, without the key."""

    name: str
    role: Role
    digest: bytes = field(repr=False)
    weakness: str | None = None
    """Why it could be guessed."""

    @classmethod
    def of(cls, name: str, role: Role, key: str) -> Key:
        """A key that was given in the clear."""
        return cls(name, role, _digest(key), weakness_of(key))


class Keys:
    """The keys that the Admin API knows."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)

    def find(self, presented: str) -> Key | None:
        """The key that was presented, in a time that does not tell how much of it was right."""
        digest = _digest(presented)
        found: Key | None = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def weakness(self) -> str | None:
        """Why one of the keys could be guessed, with its name."""
        for key in self._keys:
            if key.weakness is not None:
                return f'the key "{key.name}" {key.weakness}'
        return None


def weakness_of(key: str) -> str | None:
    """Why a key could be guessed; none for one that is good."""
    if key in _PUBLISHED:
        return "is one that APISIX was shipped with, which everyone knows"
    if len(key) < LEAST_LENGTH:
        return f"has fewer than {LEAST_LENGTH} characters"
    if len(set(key)) < _LEAST_CHARACTERS:
        return f"has fewer than {_LEAST_CHARACTERS} different characters"
    return None


def kept_key(folder: Path) -> tuple[Key, str | None]:
    """The key that `folder` keeps the digest of, made where there is none: then with the key itself.

    Raises OSError where the folder cannot be written, ValueError where its file was damaged.
    """
    path = folder / FILE
    try:
        return _read(path), None
    except FileNotFoundError:
        pass
    shown = secrets.token_urlsafe(32)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps({"role": Role.admin, "sha256": _digest(shown).hex()}) + "\n"
    new = folder / f".{FILE}.{os.getpid()}"
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        try:
            # A link fails where another process was faster; its key holds then.
            os.link(new, path)
        except FileExistsError:
            return _read(path), None
    finally:
        new.unlink(missing_ok=True)
    return Key("made", Role.admin, _digest(shown)), shown


def _read(path: Path) -> Key:
    kept = json.loads(path.read_text(encoding="utf-8"))
    try:
        return Key("made", Role(kept["role"]), bytes.fromhex(kept["sha256"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged; take it away for a new key to be made") from error


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
