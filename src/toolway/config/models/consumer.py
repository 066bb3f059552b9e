"""Consumers: callers with an identity, and the credentials that prove it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from toolway.config.models.base import Identifier, Model, Plugins, Resource, matching, refuse
from toolway.config.secret import Secret

_DIGEST = re.compile(r"[0-9a-f]{64}")


def _digest(value: str) -> str:
    if not _DIGEST.fullmatch(value):
        # As a wrong type, so that what stands there, perhaps the key, is not shown.
        raise refuse("wrong-type", "expected 64 hexadecimal digits in lower case")
    return value


class KeyAuthCredential(Model):
    """A key that a caller sends to routes with `key-auth`, or its digest where the key itself is not kept."""

    key: Secret | None = None
    key_sha256: Annotated[str, AfterValidator(_digest)] | None = None
    """SHA-256 of the key, for a configuration that shall not hold it."""
    key_hint: Annotated[str, Field(max_length=16)] | None = None
    """The end of the key, for people who have to tell keys apart. Without effect."""

    @model_validator(mode="after")
    def _one(self) -> KeyAuthCredential:
        if self.key is None and self.key_sha256 is None:
            raise refuse("missing-field", 'expected the field "key"')
        if self.key is not None and self.key_sha256 is not None:
            raise refuse("exclusive-fields", 'expected one of "key" and "key_sha256", found both')
        return self

    def digest(self) -> str:
        """SHA-256 of the key, in hexadecimal digits."""
        return self.key_sha256 or digest_of(self.key.reveal() if self.key else "")


def digest_of(key: str) -> str:
    """SHA-256 of a key, in hexadecimal digits: all that is compared and stored of it."""
    return hashlib.sha256(key.encode()).hexdigest()


CREDENTIALS = MappingProxyType({"key-auth": KeyAuthCredential})
"""The plugins whose settings at a consumer are credentials, with what those look like."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A credential as parsed, wherever it stood."""

    id: str
    plugin: str
    config: KeyAuthCredential
    pointer: str


class Credential(Resource):
    """A credential with an id of its own: exactly one authentication plugin."""

    id: Identifier
    plugins: Annotated[Plugins, Field(min_length=1, max_length=1)]


Username = Annotated[str, matching(r"[A-Za-z0-9_.-]{1,100}", "at most 100 letters, digits, - _ and .")]


class ConsumerAlone(Resource):
    """A caller as a resource of its own, beside which its credentials stand."""

    username: Username
    group_id: Identifier | None = None
    plugins: Plugins = Field(default_factory=dict)
    """Those of `CREDENTIALS` are credentials, the others hold for its requests."""


class Consumer(ConsumerAlone):
    """A caller with its credentials, as a file has it."""

    credentials: list[Credential] = Field(default_factory=list)

    _proofs: tuple[Proof, ...] = PrivateAttr(default=())

    @property
    def proofs(self) -> tuple[Proof, ...]:
        """All credentials, those among the plugins first."""
        return self._proofs

    def proved_by(self, proofs: tuple[Proof, ...]) -> None:
        """Sets the credentials, once, when the consumer is parsed."""
        self._proofs = proofs
