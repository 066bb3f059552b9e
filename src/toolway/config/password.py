"""Passwords as argon2id hashes: what is stored and compiled of a password that callers present.

A hash that is stored has a random salt. One that is compiled from a file has a salt that is derived from the
username, so that an unchanged file gives an unchanged snapshot; hashes are remembered, since each takes tens
of milliseconds. The parameters are OWASP's first choice for argon2id.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from argon2.low_level import Type, hash_secret

if TYPE_CHECKING:
    from toolway.config.secret import Secret

_PASSES = 2
_KIBIBYTES = 19 * 1024
_LANES = 1
_HASH_BYTES = 32
_SALT_BYTES = 16
_ARGON2 = re.compile(r"\$argon2(id|i|d)\$v=19\$[a-z]=[0-9]+(,[a-z]+=[^,$]+)*(\$[A-Za-z0-9+/]+){2}")
_BCRYPT = re.compile(r"\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}")


def is_hash(text: str) -> bool:
    """Whether `text` looks like a hash that the engine verifies; the engine looks at its cost too."""
    return bool(_ARGON2.fullmatch(text) or _BCRYPT.fullmatch(text))


def random_salt() -> bytes:
    """For a hash that is stored."""
    return os.urandom(_SALT_BYTES)


def derived_salt(username: str) -> bytes:
    """Always the same for one username, and tells nothing of the password."""
    return hashlib.sha256(b"toolway basic-auth\0" + username.encode()).digest()[:_SALT_BYTES]


@lru_cache(maxsize=1 << 16)
def hash_of(password: Secret, salt: bytes) -> str:
    """The PHC string of argon2id of `password`."""
    text = password.reveal().encode("utf-8", "surrogatepass")
    return hash_secret(text, salt, _PASSES, _KIBIBYTES, _LANES, _HASH_BYTES, Type.ID).decode()
