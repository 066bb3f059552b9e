"""Secrets at rest: what is secret in a value is taken out of it, sealed, and put back on reading.

AES-256-GCM (NIST SP 800-38D) with a random nonce. Kind, id and place are authenticated with each secret, so
that none opens anywhere else. Which places are secret the caller says; `master_key` has the keys.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag

from toolway.store.errors import MasterKeyError
from toolway.store.master_key import FILE, VARIABLE, MasterKeys
from toolway.store.model import MASK

if TYPE_CHECKING:
    from pathlib import Path

    from toolway.store.master_key import MasterKey
    from toolway.store.model import Value

SecretPlaces = Callable[[str, Mapping[str, Any]], Iterable[str]]
"""From a kind and a value to the JSON pointers (RFC 6901) of what is secret in it."""

_NONCE_BYTES = 12


class Sealer:
    """Seals and opens the secrets of resources. Safe to use from several threads."""

    def __init__(self, keys: MasterKeys, secret_places: SecretPlaces) -> None:
        self._keys = keys
        self._secret_places = secret_places

    @classmethod
    def load(cls, folder: Path, environment: Mapping[str, str], secret_places: SecretPlaces) -> Sealer:
        """With the keys of TOOLWAY_MASTER_KEY or of the file in `folder`. Raises MasterKeyError.

        A file that is not there is made when a store without secrets is opened.
        """
        return cls(MasterKeys.load(folder, environment), secret_places)

    def __repr__(self) -> str:
        return f"Sealer({', '.join(key.id for key in self._keys)})"

    @property
    def keys(self) -> MasterKeys:
        """The master keys."""
        return self._keys

    @property
    def key_id(self) -> str:
        """Of the key that seals."""
        return self._first().id

    def ready(self, used: Collection[str]) -> None:
        """Makes sure that what the keys `used` sealed can be opened; makes the first key where none is.

        Raises MasterKeyError: then nothing was made or changed.
        """
        known = {key.id for key in self._keys}
        if not set(used) <= known:
            unknown = ", ".join(sorted(set(used) - known))
            given = f"{self._keys.origin} has {', '.join(sorted(known))}" if known else "none is given"
            raise MasterKeyError(
                f"the secrets in the store are sealed with the master key {unknown}, and {given}: give the "
                f"key that the store was made with, in {VARIABLE} or as the file {FILE} of its data folder"
            )
        if not known:
            self._keys.make()

    def seal(self, kind: str, identifier: str, value: Mapping[str, Any]) -> tuple[Value, dict[str, str]]:
        """A copy of `value` with `***` in place of its secrets, and these, sealed, by pointer."""
        sealed: dict[str, str] = {}
        pointers = _outermost(self._secret_places(kind, value))
        if not pointers:
            return dict(value), sealed
        masked: Value = copy.deepcopy(dict(value))
        for pointer in pointers:
            holder, name = place_of(masked, pointer)
            if holder is None:
                continue
            sealed[pointer] = self._sealed(kind, identifier, pointer, json.dumps(holder[name]))
            holder[name] = MASK
        return masked, sealed

    def open(self, kind: str, identifier: str, masked: Value, sealed: Mapping[str, str]) -> Value:
        """Puts the secrets back into `masked`, which is changed and returned. Raises MasterKeyError."""
        for pointer, token in sealed.items():
            holder, name = place_of(masked, pointer)
            if holder is not None:
                holder[name] = self.opened(kind, identifier, pointer, token)
        return masked

    def sealed_anew(self, kind: str, identifier: str, sealed: Mapping[str, str]) -> dict[str, str]:
        """The same secrets, sealed with the first key; those that already are stay as they are.

        Raises MasterKeyError.
        """
        return {
            pointer: token
            if token.partition(".")[0] == self.key_id
            else self._sealed(kind, identifier, pointer, self._opened(kind, identifier, pointer, token))
            for pointer, token in sealed.items()
        }

    def _sealed(self, kind: str, identifier: str, pointer: str, text: str) -> str:
        key = self._first()
        nonce = os.urandom(_NONCE_BYTES)
        content = nonce + key.cipher.encrypt(nonce, text.encode(), _context(kind, identifier, pointer))
        return f"{key.id}.{base64.b64encode(content).decode()}"

    def opened(self, kind: str, identifier: str, pointer: str, token: str) -> Any:
        """The secret that was sealed for the place `pointer` of a resource. Raises MasterKeyError."""
        return json.loads(self._opened(kind, identifier, pointer, token))

    def _opened(self, kind: str, identifier: str, pointer: str, token: str) -> str:
        key_id, _, text = token.partition(".")
        for key in self._keys:
            if key.id != key_id:
                continue
            try:
                content = base64.b64decode(text, validate=True)
                context = _context(kind, identifier, pointer)
                return key.cipher.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], context).decode()
            except (InvalidTag, binascii.Error, ValueError) as error:
                said = f"the secret {pointer} of {kind}/{identifier} was changed in the database from outside"
                raise MasterKeyError(f"{said} and does not open") from error
        raise MasterKeyError(
            f"the secret {pointer} of {kind}/{identifier} is sealed with the master key {key_id}, which "
            f"{self._keys.origin} does not have: start again with that key beside the present one"
        )

    def _first(self) -> MasterKey:
        for key in self._keys:
            return key
        raise MasterKeyError(f"there is no master key: set {VARIABLE}")


def _context(kind: str, identifier: str, pointer: str) -> bytes:
    return json.dumps([kind, identifier, pointer]).encode()


def _outermost(pointers: Iterable[str]) -> list[str]:
    """The pointers in order, without those below another one. Raises ValueError for that of the whole."""
    found: list[str] = []
    for pointer in sorted(set(pointers)):
        if not pointer.startswith("/"):
            raise ValueError("a secret is a place within a value")
        if not any(pointer.startswith(f"{above}/") for above in found):
            found.append(pointer)
    return found


def place_of(value: Any, pointer: str) -> tuple[Any, Any]:
    """What holds the place that `pointer` names, and its name in there; none where there is no such place."""
    holder: Any = None
    name: Any = ""
    for part in pointer.split("/")[1:]:
        holder = value
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(holder, list) and name.isdecimal() and int(name) < len(holder):
            name = int(name)
        elif not isinstance(holder, dict) or name not in holder:
            return None, None
        value = holder[name]
    return holder, name
