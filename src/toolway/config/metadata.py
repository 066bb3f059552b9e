"""Plugin metadata: what settings plugins have that hold wherever they run. Only `cors` has some."""

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
KNOWN = {CORS: frozenset({ORIGINS})}
"""The fields of metadata, by plugin."""

_ORIGIN = r"(null|https?://[^\s,/?#]+)"
_LIST = re.compile(rf"\*\*?|{_ORIGIN}(,{_ORIGIN})*")


def check_metadata(source: Source, name: str, settings: Mapping[str, Any], pointer: str) -> Iterator[Problem]:
    """All problems of the metadata `settings` of the plugin `name`, which there is."""
    if name not in KNOWN:
        if settings:
            message = f'the plugin "{name}" has no settings that hold wherever it runs'
            yield source.problem("not-supported-yet", message, pointer)
        return
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
