"""Consumers: callers with an identity, and the credentials that prove it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, PrivateAttr

from toolway.config.models.base import Identifier, Labels, Model, Plugins, Resource, matching
from toolway.config.secret import Secret


class KeyAuthCredential(Model):
    """A key that a caller sends to routes with `key-auth`."""

    key: Secret


CREDENTIALS = MappingProxyType({"key-auth": KeyAuthCredential})
"""The plugins whose settings at a consumer are credentials, with what those look like."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A credential as parsed, wherever it stood."""

    id: str
    plugin: str
    config: KeyAuthCredential
    pointer: str


class Credential(Model):
    """A credential with an id of its own: exactly one authentication plugin."""

    id: Identifier
    name: str | None = None
    desc: str | None = None
    labels: Labels = Field(default_factory=dict)
    plugins: Annotated[Plugins, Field(min_length=1, max_length=1)]
    create_time: int | None = None
    update_time: int | None = None


Username = Annotated[str, matching(r"[A-Za-z0-9_.-]{1,100}", "at most 100 letters, digits, - _ and .")]


class Consumer(Resource):
    """A caller; of its plugins, those of `CREDENTIALS` are credentials, the others hold for its requests."""

    username: Username
    group_id: Identifier | None = None
    plugins: Plugins = Field(default_factory=dict)
    credentials: list[Credential] = Field(default_factory=list)

    _proofs: tuple[Proof, ...] = PrivateAttr(default=())

    @property
    def proofs(self) -> tuple[Proof, ...]:
        """All credentials, those among the plugins first."""
        return self._proofs

    def proved_by(self, proofs: tuple[Proof, ...]) -> None:
        """Sets the credentials, once, when the consumer is parsed."""
        self._proofs = proofs
