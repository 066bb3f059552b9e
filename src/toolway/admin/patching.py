"""Patches: a configuration with some of it changed, as a new value. Pure functions.

A whole body is merged (RFC 7396): objects merge, null takes a field away, everything else replaces. With a
sub-path, the value there is replaced, or taken away by null.
"""

from __future__ import annotations

from typing import Any

from toolway.admin.answers import Refusal


def merged(value: Any, patch: Any) -> Any:
    """`value` with `patch` merged into it."""
    if not isinstance(patch, dict):
        return patch
    found = dict(value) if isinstance(value, dict) else {}
    for name, change in patch.items():
        if change is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), change)
    return found


def replaced(value: Any, path: list[str], change: Any) -> Any:
    """`value` with what stands at `path` replaced by `change`; objects on the way are made.

    Raises Refusal where the path leads through something that has no members.
    """
    return _replaced(value, path, 0, change)


def _replaced(value: Any, path: list[str], at: int, change: Any) -> Any:
    name, is_last = path[at], at == len(path) - 1
    if isinstance(value, list):
        index = _index(value, path, at)
        rest = change if is_last else _replaced(value[index], path, at + 1, change)
        kept = [] if is_last and change is None else [rest]
        return [*value[:index], *kept, *value[index + 1 :]]
    if not isinstance(value, dict):
        raise _wrong(path, at)
    found = dict(value)
    if not is_last:
        found[name] = _replaced(found.get(name, {}), path, at + 1, change)
    elif change is None:
        found.pop(name, None)
    else:
        found[name] = change
    return found


def _index(value: list[Any], path: list[str], at: int) -> int:
    name = path[at]
    if not (name.isascii() and name.isdigit()) or len(name) > 9 or int(name) >= len(value):
        raise _wrong(path, at + 1)
    return int(name)


def _wrong(path: list[str], upto: int) -> Refusal:
    return Refusal(400, f"invalid sub-path: /{'/'.join(path[:upto])}")
