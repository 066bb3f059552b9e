"""Master keys: from the environment, or from a file that is made at first start and only its owner can read.

There may be several: the first seals, each opens what it sealed. So a key is replaced without a moment in
which something cannot be read. What is sealed with them, `sealing` knows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from toolway.store.errors import MasterKeyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

VARIABLE = "TOOLWAY_MASTER_KEY"
FILE = "master.key"
_BYTES = 32
_HOW = "32 random bytes in base64, as `openssl rand -base64 32` prints them"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One key for AES-256-GCM; never shown."""

    id: str
    """Tells which key sealed something; a digest, so that it gives nothing away."""
    cipher: AESGCM = field(repr=False)
    text: str = field(repr=False)

    @classmethod
    def of(cls, text: str, where: str) -> MasterKey:
        """The key that `text` has in base64. Raises MasterKeyError, naming `where` and never the text."""
        try:
            content = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            content = b""
        if len(content) != _BYTES:
            raise MasterKeyError(f"{where} is not a master key: expected {_HOW}")
        digest = hashlib.sha256(b"toolway master key:" + content).hexdigest()
        return cls(digest[:16], AESGCM(content), base64.b64encode(content).decode())

    @classmethod
    def new(cls) -> MasterKey:
        """A key that nobody had before."""
        return cls.of(base64.b64encode(secrets.token_bytes(_BYTES)).decode(), "a new key")


class MasterKeys:
    """The keys of one gateway: given, or in a file, of which `make` makes the first."""

    def __init__(self, keys: Sequence[MasterKey], *, file: Path | None = None) -> None:
        """`file` is where they are kept; none where they were given."""
        self._keys = tuple(keys)
        self._file = file

    @classmethod
    def load(cls, folder: Path, environment: Mapping[str, str]) -> MasterKeys:
        """The keys of TOOLWAY_MASTER_KEY, else those of the file in `folder`, else none yet.

        Raises MasterKeyError.
        """
        if given := environment.get(VARIABLE, "").strip():
            return cls(_several(given.split(","), VARIABLE))
        file = folder / FILE
        return cls(_several(_lines(file), f"the file {file}"), file=file)

    def __iter__(self) -> Iterator[MasterKey]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def origin(self) -> str:
        """Where they come from, for messages."""
        return f"the file {self._file}" if self._file else VARIABLE

    @property
    def in_file(self) -> bool:
        """Whether Toolway keeps them itself, in a file."""
        return self._file is not None

    def make(self) -> None:
        """Puts a new key in front of the others, in the file first. Raises MasterKeyError."""
        self._keep((MasterKey.new(), *self._keys))

    def forget_old(self) -> None:
        """Keeps the first key only, in the file too. Raises MasterKeyError."""
        self._keep(self._keys[:1])

    def _keep(self, keys: tuple[MasterKey, ...]) -> None:
        if self._file is None:
            raise MasterKeyError(
                f"the master key comes from {VARIABLE}, which Toolway does not change: put a new key and a "
                f"comma in front of the present one; expected {_HOW}"
            )
        text = "".join(f"{key.text}\n" for key in keys)
        new = self._file.with_name(f".{self._file.name}.new")
        try:
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._file)
            _sync_folder(self._file.parent)
        except OSError as error:
            raise MasterKeyError(
                f"the master key cannot be kept in {self._file}: {error.strerror or error}"
            ) from error
        self._keys = keys


def _several(texts: Sequence[str], where: str) -> list[MasterKey]:
    several = len(texts) > 1
    return [
        MasterKey.of(text, f"key {number} of {where}" if several else where)
        for number, text in enumerate(texts, 1)
    ]


def _lines(file: Path) -> list[str]:
    """The keys in the file, none where there is no file. Refuses one that others can read."""
    try:
        with file.open() as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            if mode & 0o077:
                raise MasterKeyError(
                    f"the file {file} has mode {mode:04o}, so others can read the master key: "
                    f"if none of them did, `chmod 600 {file}`"
                )
            lines = opened.read(1 << 16).split()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise MasterKeyError(f"the file {file} with the master key cannot be read: {reason}") from error
    if not lines:
        raise MasterKeyError(f"the file {file} is empty, and had the master key: restore it")
    return lines


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
