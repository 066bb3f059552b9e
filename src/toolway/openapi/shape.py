"""Reading loosely typed parts of a document: a value of the kind that is needed, or a reason why not.

The document's structure (mappings, lists, names) must be right and is refused with `UnusableError`; its prose
(titles, descriptions, flags) is taken as well as it can be.
"""

from __future__ import annotations

from typing import Any

from toolway.openapi.place import UnusableError


def mapping(value: Any, what: str, at: str) -> dict[str, Any]:
    """`value` as a mapping; nothing is an empty one. Raises UnusableError."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnusableError(f"{what} must be a mapping", at)
    return value


def sequence(value: Any, what: str, at: str) -> list[Any]:
    """`value` as a list; nothing is an empty one. Raises UnusableError."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnusableError(f"{what} must be a list", at)
    return value


def name(value: Any, what: str, at: str) -> str:
    """`value` as text that is not empty; numbers are names too. Raises UnusableError."""
    text = prose(value).strip()
    if not text:
        raise UnusableError(f"{what} must be a text", at)
    return text


def prose(value: Any) -> str:
    """`value` as text; a number as it is written, anything else as nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return ""


def words(value: Any) -> tuple[str, ...]:
    """The texts in a list, such as tags or media types; what is no text is left out."""
    return tuple(text for text in map(prose, value) if text) if isinstance(value, list) else ()


def flag(value: Any, default: bool = False) -> bool:
    """`value` where it is true or false, else `default`."""
    return value if isinstance(value, bool) else default
