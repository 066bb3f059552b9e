"""Where a HashiCorp Vault is, and how reading from it fails. What speaks to it is `vault`."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit


class VaultError(Exception):
    """A secret that cannot be read; the message names neither token nor value."""

    def __init__(self, message: str, *, is_away: bool = False) -> None:
        super().__init__(message)
        self.is_away = is_away
        """Vault did not answer, or answered that it cannot now; another path would fare no better."""


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Where a Vault is and what may be read there."""

    uri: str
    """Scheme, host and port."""
    prefix: str
    """Where the engine is mounted, and a path below it, as in `kv/apisix`."""
    token: str = field(repr=False)
    namespace: str | None = None

    @property
    def host(self) -> str:
        """For messages."""
        return urlsplit(self.uri).netloc.rpartition("@")[2]
