"""Operation ids: the document's own where it is usable, else made from it, or from method and path.

Ids are what routes, tools and clients' saved lists hang on, so they depend on the operation alone as far as
they can: a second operation of the same name gets its method and path added, not a number.
"""

from __future__ import annotations

import hashlib
import re
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_USABLE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_UNUSABLE_CHARACTERS = re.compile(r"[^A-Za-z0-9_-]+")
_WORD = re.compile(r"[A-Za-z0-9]+")
_LENGTH = 64
_DIGEST = 8


def generated(method: str, path: str) -> str:
    """An id from method and path: `GET /speaker/{id}/sessions` is `getSpeakerIdSessions`."""
    return method.lower() + "".join(word[0].upper() + word[1:] for word in _WORD.findall(path))


def usable(text: str) -> str:
    """`text` with other characters than `A-Za-z0-9_-` replaced and a letter first; empty where nothing is
    left.
    """
    cleaned = _UNUSABLE_CHARACTERS.sub("_", text).strip("_-") if not _USABLE.fullmatch(text) else text
    if cleaned and not cleaned[0].isalpha():
        cleaned = f"op_{cleaned}"
    return cleaned


def fitted(text: str) -> str:
    """`text` in at most 64 characters; what is cut off is kept apart by a digest of the whole."""
    if len(text) <= _LENGTH:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{text[: _LENGTH - _DIGEST - 1]}_{digest}"


def assign(wanted: Sequence[tuple[str | None, str, str]]) -> list[str]:
    """Unique ids for operations given as (the document's operationId, method, path), in their order.

    An operationId that is usable as it stands goes to the first operation that has it, before any id is made
    up.
    """
    ids: list[str | None] = [None] * len(wanted)
    taken: set[str] = set()
    for index, (source_id, _, _) in enumerate(wanted):
        if source_id is not None and source_id not in taken and _USABLE.fullmatch(source_id):
            ids[index] = source_id
            taken.add(source_id)
    for index, (source_id, method, path) in enumerate(wanted):
        if ids[index] is None:
            ids[index] = _free(usable(source_id or ""), generated(method, path), taken)
            taken.add(ids[index] or "")
    return [name for name in ids if name is not None]


def _free(stem: str, made: str, taken: set[str]) -> str:
    candidates = [stem, f"{stem}_{made}"] if stem else [made]
    for candidate in map(fitted, candidates):
        if candidate not in taken:
            return candidate
    return next(name for number in count(2) if (name := fitted(f"{candidates[-1]}_{number}")) not in taken)
