"""API keys of consumers by way of the Admin API: made, listed, replaced with an overlap, revoked.

A key is made here and nowhere kept: the gateway gets it once and stores its digest.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from toolway.config.made_key import made_key
from toolway.declarative.client import AdminError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.declarative.client import AdminClient

PLUGIN = "key-auth"


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was made just now; nobody can show it again."""

    key: str
    consumer: str
    id: str
    expires_at: str | None


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What is known of a key."""

    consumer: str
    id: str
    hint: str | None
    """Its end."""
    created_at: int | None
    """In seconds since 1970, as `last_used_at`."""
    expires_at: str | None
    is_disabled: bool
    last_used_at: int | None


def create(client: AdminClient, consumer: str, identifier: str | None, expires_at: str | None) -> MadeKey:
    """Makes a key for a consumer. Raises AdminError, and ConfigurationError for what is refused."""
    made = MadeKey(made_key(), consumer, identifier or _new_id(), expires_at)
    value = {"plugins": {PLUGIN: {"key": made.key}}, **({"expires_at": expires_at} if expires_at else {})}
    client.make(_path(consumer, made.id), value)
    return made


def for_file(identifier: str | None, expires_at: str | None) -> tuple[str, dict[str, Any]]:
    """A key, and the entry for the credentials of a consumer in a file, which has its digest alone."""
    key = made_key()
    settings = {"key_sha256": hashlib.sha256(key.encode()).hexdigest(), "key_hint": key[-4:]}
    entry: dict[str, Any] = {"id": identifier or _new_id()}
    if expires_at is not None:
        entry["expires_at"] = expires_at
    return key, {**entry, "plugins": {PLUGIN: settings}}


def listed(client: AdminClient, consumer: str | None) -> Iterator[KnownKey]:
    """The keys of a consumer, or of all. Raises AdminError."""
    names = [consumer] if consumer else [each["username"] for each in client.all("/consumers")]
    for name in names:
        for entry in client.entries(f"/consumers/{quote(name, safe='')}/credentials"):
            value = entry["value"]
            if PLUGIN in value.get("plugins", {}):
                yield KnownKey(
                    consumer=name,
                    id=str(value["id"]),
                    hint=entry.get("key_hint"),
                    created_at=value.get("create_time"),
                    expires_at=value.get("expires_at"),
                    is_disabled=value.get("status") == 0,
                    last_used_at=entry.get("last_used_at"),
                )


def rotate(
    client: AdminClient, consumer: str, identifier: str, overlap: timedelta, expires_at: str | None
) -> MadeKey:
    """Makes a key beside another, which expires when the overlap has passed, or sooner if it would anyway.

    Raises AdminError where there is no such key.
    """
    path = _path(consumer, identifier)
    old = client.one(path)
    if PLUGIN not in old.get("plugins", {}):
        raise AdminError(f'the credential "{identifier}" of "{consumer}" is no API key')
    made = create(client, consumer, None, expires_at)
    end = datetime.now(UTC) + overlap
    before = old.get("expires_at")
    if before is None or datetime.fromisoformat(before) > end:
        client.merge(path, {"expires_at": moment(end)})
    return made


def revoke(client: AdminClient, consumer: str, identifier: str, *, keep: bool) -> None:
    """Deletes a key, or disables it where it is to be kept. Raises AdminError where there is none."""
    path = _path(consumer, identifier)
    if PLUGIN not in client.one(path).get("plugins", {}):
        raise AdminError(f'the credential "{identifier}" of "{consumer}" is no API key')
    if keep:
        client.merge(path, {"status": 0})
    else:
        client.delete(path)


def moment(when: datetime) -> str:
    """A time as credentials have it, RFC 3339 in UTC."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _path(consumer: str, identifier: str) -> str:
    return f"/consumers/{quote(consumer, safe='')}/credentials/{quote(identifier, safe='')}"


def _new_id() -> str:
    return f"key-{secrets.token_hex(4)}"
