"""Between resources and rows: JSON texts with the secrets taken out, and what lists are filtered by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from toolway.store.model import SEALED
from toolway.store.sealing import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolway.store.model import Change, Key, Value
    from toolway.store.sealing import Sealer

_ID_LENGTH = 512
_FACET_LENGTH = 512
"""A longer text is filtered by its beginning: PostgreSQL's indexes take entries of about 2,700 bytes."""


class Records:
    """Makes rows of changes and values of rows, sealing and opening what is secret."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def row(self, revision: int, position: int, change: Change) -> dict[str, Any]:
        """The row of a change. Raises ValueError for what JSON or the database cannot carry."""
        row: dict[str, Any] = {
            "revision": revision,
            "position": position,
            "kind": _name(change.kind),
            "id": _name(change.id),
            "value": None,
            "secrets": None,
            "refers": None,
        }
        if change.value is not None:
            masked, sealed = self._sealer.seal(change.kind, change.id, change.value)
            row["value"] = _json(masked)
            row["secrets"] = _json(sealed) if sealed else None
            row["refers"] = _json(change.references) if change.references else None
        return row

    def sealed(self, row: Any) -> Value:
        """The value of a row of changes that has one, with each secret as it is sealed, behind SEALED."""
        value: Value = json.loads(row.value)
        for pointer, token in json.loads(row.secrets or "{}").items():
            holder, name = place_of(value, pointer)
            if holder is not None:
                holder[name] = SEALED + token
        return value

    def value(self, row: Any, *, masked: bool = False) -> Value | None:
        """The value of a row of changes, on request with `***` in place of what is sealed."""
        if row.value is None:
            return None
        value: Value = json.loads(row.value)
        if row.secrets is None or masked:
            return value
        return self._sealer.open(row.kind, row.id, value, json.loads(row.secrets))


def references(row: Any) -> tuple[Key, ...]:
    """The references of a row of changes."""
    return tuple((kind, identifier) for kind, identifier in json.loads(row.refers)) if row.refers else ()


def facets(change: Change) -> Iterator[tuple[str, str]]:
    """Field and text of everything that lists are filtered by; a credential is `under` its consumer."""
    found: list[tuple[str, Any]] = []
    value: Mapping[str, Any] = change.value or {}
    found.append(("name", value.get("name")))
    labels = value.get("labels")
    found += [("label", label) for label in (labels if isinstance(labels, dict) else ())]
    uris = value.get("uris")
    found += [("uri", uri) for uri in (value.get("uri"), *(uris if isinstance(uris, list) else ()))]
    if "/" in change.id:
        found.append(("under", change.id.partition("/")[0]))
    yield from dict.fromkeys((field, facet(text)) for field, text in found if isinstance(text, str))


def facet(text: str) -> str:
    """A text as lists are filtered by it: its beginning."""
    return storable(text[:_FACET_LENGTH])


def storable(text: str) -> str:
    """A text with what PostgreSQL cannot store replaced: NUL, and half a surrogate pair."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode()


_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _json(value: Any) -> str:
    # Escapes keep it ASCII, so that a text with half a surrogate pair or a NUL is stored too.
    return _ENCODE(value)


def _name(text: str) -> str:
    if not 0 < len(text) <= _ID_LENGTH or not text.isprintable():
        raise ValueError(f"kinds and ids have 1 to {_ID_LENGTH} printable characters")
    return text
