"""Consumers: callers with an identity, and the credentials that prove it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from toolway.config.models.base import Identifier, Plugins, Resource, Roles, matching, refuse
from toolway.config.models.credentials import CredentialSettings


@dataclass(frozen=True, slots=True)
class Proof:
    """A credential as parsed, wherever it stood."""

    id: str
    plugin: str
    config: CredentialSettings
    pointer: str
    expires_at: int | None = None
    """In seconds since 1970."""
    is_disabled: bool = False


def _moment(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.timestamp() < 1:
        raise refuse(
            "wrong-value", "expected a time with its offset from UTC", 'such as "2027-01-31T12:00:00Z"'
        )
    return value


class Credential(Resource):
    """A credential with an id of its own: exactly one authentication plugin."""

    id: Identifier
    plugins: Annotated[Plugins, Field(min_length=1, max_length=1)]
    status: Literal[0, 1] = 1
    """0: it proves nothing for the time being."""
    expires_at: Annotated[str, AfterValidator(_moment)] | None = None
    """RFC 3339, from when on it proves nothing."""

    def expiry(self) -> int | None:
        """When it expires, in seconds since 1970."""
        return None if self.expires_at is None else int(datetime.fromisoformat(self.expires_at).timestamp())


Username = Annotated[str, matching(r"[A-Za-z0-9_.-]{1,100}", "at most 100 letters, digits, - _ and .")]


class ConsumerAlone(Resource):
    """A caller as a resource of its own, beside which its credentials stand."""

    username: Username
    group_id: Identifier | None = None
    roles: Roles = Field(default_factory=list)
    """What it is to operations that ask for roles, beside what its group is."""
    plugins: Plugins = Field(default_factory=dict)
    """Those of authentication plugins are credentials, the others hold for its requests."""


class Consumer(ConsumerAlone):
    """A caller with its credentials, as a file has it."""

    __slots__ = ("_proofs",)

    credentials: list[Credential] = Field(default_factory=list)

    @property
    def proofs(self) -> tuple[Proof, ...]:
        """All credentials, those among the plugins first."""
        return getattr(self, "_proofs", ())

    def proved_by(self, proofs: tuple[Proof, ...]) -> None:
        """Sets the credentials, once, when the consumer is parsed."""
        object.__setattr__(self, "_proofs", proofs)
