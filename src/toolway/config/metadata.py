"""Plugin metadata: what settings plugins have that hold wherever they run.

Of `cors` they are lists, which its settings name. Of `limit-count` they are settings that hold where its own
do not say otherwise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from toolway.config.source import pointer_to
from toolway.config.telling import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolway.config.source import Source
    from toolway.problem import Problem

CORS = "cors"
ORIGINS = "allow_origins"
LIMIT = "limit-count"
KNOWN = {CORS: frozenset({ORIGINS}), LIMIT: frozenset({"limit_header", "remaining_header", "reset_header"})}
"""The fields of metadata, by plugin."""
UNNAMED = (LIMIT,)
"""Plugins whose metadata holds although no settings name it."""

_ORIGIN = r"(null|https?://[^\s,/?#]+)"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_LIST = re.compile(rf"\*\*?|{_ORIGIN}(,{_ORIGIN})*")


def check_metadata(source: Source, name: str, settings: Mapping[str, Any], pointer: str) -> Iterator[Problem]:
    """All problems of the metadata `settings` of the plugin `name`, which there is."""
    if name not in KNOWN:
        if settings:
            message = f'the plugin "{name}" has no settings that hold wherever it runs'
            yield source.problem("not-supported-yet", message, pointer)
        return
    yield from (_origins if name == CORS else _headers)(source, settings, pointer)


def _headers(source: Source, settings: Mapping[str, Any], pointer: str) -> Iterator[Problem]:
    for name in sorted(KNOWN[LIMIT] & settings.keys()):
        value, at = settings[name], pointer + pointer_to(name)
        if not isinstance(value, str):
            yield source.problem("wrong-type", f"expected a text, found {kind_of(value)}", at)
        elif not _HEADER.fullmatch(value):
            hint = 'such as "RateLimit-Limit"'
            yield source.problem("wrong-value", "expected the name of a header", at, hint=hint)


def _origins(source: Source, settings: Mapping[str, Any], pointer: str) -> Iterator[Problem]:
    at = pointer + pointer_to(ORIGINS)
    lists = settings.get(ORIGINS, {})
    if not isinstance(lists, dict):
        yield source.problem("wrong-type", f"expected a mapping of texts, found {kind_of(lists)}", at)
        return
    for key, value in lists.items():
        if not isinstance(value, str):
            message = f"expected a text, found {kind_of(value)}"
            yield source.problem("wrong-type", message, at + pointer_to(key))
        elif not _LIST.fullmatch(value):
            message = "expected origins with commas between, * or **"
            hint = 'such as "https://example.com,http://localhost:8080"'
            yield source.problem("wrong-value", message, at + pointer_to(key), hint=hint)
