"""Secrets in values: shown as `***`, and put back where a write says `***`, so that what was read can be
written.

References (`$env://NAME`) are no secrets and are shown. An API key is stored as a digest; it is shown, and
written, as `key: "***"`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from toolway.admin.answers import Refusal
from toolway.store import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolway.store import SecretPlaces

DIGEST = "key_sha256"
HINT = "key_hint"


def shown(places: SecretPlaces, kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a stored value as people and programs may see it."""
    found = copy.deepcopy(dict(value))
    for pointer in places(kind, value):
        holder, name = holder_of(found, pointer)
        if holder is not None:
            holder[name] = MASK
    for _, settings in _digests(found):
        settings.pop(DIGEST)
        settings.pop(HINT, None)
        settings["key"] = MASK
    return found


def restored(
    places: SecretPlaces, kind: str, value: Mapping[str, Any], stored: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A copy of a value to be written, with what is stored in place of each `***`.

    Raises Refusal where nothing is stored there.
    """
    found = copy.deepcopy(dict(value))
    digests = dict(_digests(stored or {}))
    for pointer in places(kind, value):
        holder, name = holder_of(found, pointer)
        if holder is None or holder[name] != MASK:
            continue
        above = pointer.rpartition("/")[0]
        if name == "key" and above in digests:
            del holder["key"]
            holder.update({part: digests[above][part] for part in (DIGEST, HINT) if part in digests[above]})
            continue
        old, old_name = holder_of(stored or {}, pointer)
        if old is None:
            raise Refusal(
                400, f"invalid configuration: {pointer}: *** stands for what is stored, which is nothing"
            )
        holder[name] = old[old_name]
    return found


def holder_of(value: Any, pointer: str) -> tuple[Any, Any]:
    """What directly holds the value at a JSON pointer, and its name or index there; none where it is not."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in parts[:-1]:
        value, name = _member(value, part)
        if value is None:
            return None, None
        value = value[name]
    return _member(value, parts[-1]) if parts else (None, None)


def _member(value: Any, part: str) -> tuple[Any, Any]:
    if isinstance(value, dict) and part in value:
        return value, part
    if isinstance(value, list) and part.isdigit() and int(part) < len(value):
        return value, int(part)
    return None, None


def _digests(value: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where a value has digests of API keys: pointer and settings of each plugin that has one."""
    plugins = value.get("plugins")
    for name, settings in (plugins if isinstance(plugins, dict) else {}).items():
        if isinstance(settings, dict) and DIGEST in settings:
            yield f"/plugins/{name}", settings
