"""The keys of `paths`: templates, and the odd forms that documents give them.

OpenAPI has a path template only; documents also put queries and fragments there to tell operations apart.
What can be sent is kept, with a notice; what cannot is `UnusableError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from toolway.openapi.place import Notices, UnusableError

_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[^{}/?#*+&=,;:!\s]+")
_UNSENDABLE = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A path as it is sent, with the names in braces."""

    path: str
    names: tuple[str, ...]
    fixed_query: str = ""
    queries: dict[str, str] = field(default_factory=dict)
    """Query parameters that the path spells as `wire={name}`: wire name to name in braces."""


def read_path(text: str, at: str, notices: Notices) -> PathTemplate:
    """What a key of `paths` means. Raises UnusableError for one that names no path of this API."""
    if _UNSENDABLE.search(text):
        raise UnusableError("the path has a blank, a control character or a backslash in it", at)
    if "://" in text.partition("{")[0]:
        raise UnusableError("a whole URL stands where a path should", at)
    path, hash_sign, _ = text.partition("#")
    if hash_sign:
        notices.add("the path has a fragment, which is never sent: left out", at)
    path, question_mark, query = path.partition("?")
    if not path.startswith("/"):
        notices.add("the path does not start with a slash: one is added", at)
        path = f"/{path}"
    if any(segment in (".", "..") for segment in path.split("/")):
        raise UnusableError("the path has a `.` or `..` segment", at)
    names = _names(path, at)
    if not question_mark:
        return PathTemplate(path, names)
    notices.add("the path has a query: its fixed part is sent with every request", at)
    fixed, queries = _read_query(query, at)
    return PathTemplate(path, names, fixed, queries)


def _names(path: str, at: str) -> tuple[str, ...]:
    names = tuple(_TEMPLATE.findall(path))
    if len(set(names)) < len(names):
        raise UnusableError("the path names a parameter twice", at)
    if "{" in _TEMPLATE.sub("", path) or "}" in _TEMPLATE.sub("", path):
        raise UnusableError("the braces of the path do not match", at)
    wrong = next((name for name in names if not _NAME.fullmatch(name)), None)
    if wrong is not None:
        raise UnusableError(f"the path has the template `{{{wrong}}}`, which OpenAPI does not know", at)
    return names


def _read_query(query: str, at: str) -> tuple[str, dict[str, str]]:
    """Splits `a=1&b={b}` into what is fixed and what is a parameter."""
    fixed: list[str] = []
    queries: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        wire, _, value = part.partition("=")
        template = _TEMPLATE.fullmatch(value)
        if template is not None and _NAME.fullmatch(template[1]) and "{" not in wire:
            decoded = parse_qsl(f"{wire}=x")
            queries[decoded[0][0] if decoded else wire] = template[1]
        elif "{" in part or "}" in part:
            raise UnusableError("the query in the path has a template that is not a whole value", at)
        else:
            fixed.append(part)
    return "&".join(fixed), queries
