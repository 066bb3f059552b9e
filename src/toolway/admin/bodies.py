"""Bodies: JSON text to data, bounded and without anything that two readers could take differently.

Only what JSON itself has is taken (RFC 8259): no doubled keys, no NaN, no numbers or texts that the store or
the engine could not carry.
"""

from __future__ import annotations

import json
import math
from typing import Any

from toolway.admin.answers import Refusal

MAXIMUM_DEPTH = 64
_MAXIMUM_DIGITS = 300


def decode(content: bytes) -> Any:
    """The data of a body. Raises Refusal."""
    try:
        text = content.decode("utf-8")
        data = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_float,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise refused("it is not UTF-8 text") from error
    except RecursionError as error:
        raise refused(f"it is nested deeper than {MAXIMUM_DEPTH}") from error
    except json.JSONDecodeError as error:
        raise refused(f"it is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from error
    except ValueError as error:
        raise refused(str(error)) from error
    _check(data, has_escapes="\\u" in text)
    return data


def refused(reason: str) -> Refusal:
    """That the body cannot be read, and why."""
    return Refusal(400, f"invalid request body: {reason}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"an object has the key {twice[:100]!r} twice")
    return found


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _integer(text: str) -> int:
    if len(text) > _MAXIMUM_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _check(data: Any, *, has_escapes: bool) -> None:
    """Bounds the depth; where the text has escapes, refuses those that stand for no character."""
    level: list[Any] = [data]
    for _ in range(MAXIMUM_DEPTH + 1):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
                if has_escapes:
                    below += value
            elif isinstance(value, list):
                below += value
            elif has_escapes and isinstance(value, str) and not _is_storable(value):
                raise refused("a text has U+0000 or half of a surrogate pair")
        if not below:
            return
        level = below
    raise refused(f"it is nested deeper than {MAXIMUM_DEPTH}")


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
