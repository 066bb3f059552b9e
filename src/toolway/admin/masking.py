"""Secrets in values: shown as `***`, and put back where a write says `***`, so that what was read can be
written.

References (`$env://NAME`) are no secrets and are shown. An API key is stored as a digest and a password as a
hash; they are shown, and written, as `key: "***"` and `password: "***"`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from toolway.config.models import CREDENTIALS
from toolway.problem import Problem
from toolway.store import MASK, SEALED, MasterKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from toolway.store import SecretPlaces


def shown(places: SecretPlaces, kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a stored value as people and programs may see it."""
    found = copy.deepcopy(dict(value))
    for pointer in places(kind, value):
        holder, name = holder_of(found, pointer)
        if holder is not None:
            holder[name] = MASK
    for _, settings, plain, kept in _kept(found):
        for name in kept:
            settings.pop(name, None)
        settings[plain] = MASK
    return found


def restored(
    places: SecretPlaces,
    kind: str,
    value: Mapping[str, Any],
    stored: Mapping[str, Any] | None,
    opened: Callable[[str, str], Any],
) -> tuple[dict[str, Any], list[Problem]]:
    """A copy of a value to be written, with what is stored in place of each `***`, and what was sealed in
    place of each sealed secret; `opened` opens it, by pointer and text. And what is wrong with these, with
    pointers into the value: it must not be written then.
    """
    found = copy.deepcopy(dict(value))
    wrong: list[Problem] = []
    kept = {f"{at}/{plain}": (settings, names) for at, settings, plain, names in _kept(stored or {})}
    for pointer in places(kind, value):
        holder, name = holder_of(found, pointer)
        if holder is None:
            continue
        if holder[name].startswith(SEALED):
            try:
                holder[name] = opened(pointer, holder[name])
            except MasterKeyError as error:
                wrong.append(Problem("secret-missing", str(error), pointer=pointer))
        if holder[name] != MASK:
            continue
        if pointer in kept:
            settings, names = kept[pointer]
            del holder[name]
            holder.update({part: settings[part] for part in names if part in settings})
            continue
        old, old_name = holder_of(stored or {}, pointer)
        if old is None:
            said = "*** stands for what is stored, which is nothing"
            wrong.append(Problem("nothing-stored", said, pointer=pointer))
        else:
            holder[name] = old[old_name]
    return found, wrong


def shown_at(pointer: str) -> str:
    """The place at which what is stored at `pointer` is shown."""
    above, _, name = pointer.rpartition("/")
    model = CREDENTIALS.get(above.removeprefix("/plugins/"))
    kept_as = model.kept_as.items() if model is not None else ()
    plain = next((plain for plain, kept in kept_as if name in kept), None)
    return pointer if plain is None else f"{above}/{plain}"


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


def _kept(value: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str, tuple[str, ...]]]:
    """What a value has in place of secrets that are not stored: the pointer to a plugin's settings, these,
    the secret's field, and the fields that are there instead, of which the first always is.
    """
    plugins = value.get("plugins")
    for name, settings in (plugins if isinstance(plugins, dict) else {}).items():
        if name not in CREDENTIALS or not isinstance(settings, dict):
            continue
        for plain, kept in CREDENTIALS[name].kept_as.items():
            if kept[0] in settings:
                yield f"/plugins/{name}", settings, plain, kept
