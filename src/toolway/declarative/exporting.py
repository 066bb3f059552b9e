"""Exports: all that a store has, as a configuration file, read from the store itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.declarative.dumping import sections_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from toolway.store import Store

Value = dict[str, Any]


def exported(
    store: Store, hidden: Callable[[str, Mapping[str, Any]], Value] | None = None
) -> dict[str, list[Value]]:
    """All sections that are not empty, with secrets as they are sealed, or what `hidden` makes of kinds and
    values.
    """

    def values(kind: str) -> Iterator[tuple[str, Value]]:
        if hidden is None:
            yield from store.scan_sealed(kind)
        else:
            for resource in store.scan(kind, masked=True):
                yield resource.id, hidden(kind, resource.value)

    credentials: dict[str, list[Value]] = {}
    for identifier, value in values("credentials"):
        credentials.setdefault(identifier.partition("/")[0], []).append(value)
    return sections_of(
        lambda kind: (value for _, value in values(kind)), lambda username: credentials.get(username, [])
    )
