"""States of the store: as it is, and as it will be once some changes are written.

Reads what is asked for and keeps little of it, since a store may hold far more than fits into memory.
"""

from __future__ import annotations

import marshal
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from toolway.config.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from toolway.store import Change, Filters, Key, Resource

Value = dict[str, Any]
_REMEMBERED = 2048
"""Values kept at least, and half of those kept at most."""


class Records(Protocol):
    """What is read of a store."""

    def get(self, kind: str, id: str) -> Resource | None: ...  # noqa: A002
    def scan(self, kind: str) -> Iterator[Resource]: ...
    def referrers(self, kind: str, id: str) -> Sequence[Key]: ...  # noqa: A002
    def list(
        self, kind: str, *, page: int = 1, page_size: int | None = None, **filters: Unpack[Filters]
    ) -> tuple[int, Sequence[Resource]]: ...


class State:
    """The resources with `changes` made. Values that it gives are shared: nobody changes them."""

    def __init__(self, records: Records, changes: Iterable[Change] = ()) -> None:
        self._records = records
        self._changes: Mapping[Key, Value | None] = {
            (change.kind, change.id): change.value for change in changes
        }
        self._remembered: dict[Key, Value | None] = {}
        self._earlier: dict[Key, Value | None] = {}
        self._credentials: Mapping[str, list[tuple[str, bytes]]] | None = None

    def get(self, kind: str, identifier: str) -> Value | None:
        """The value of a resource; none where there is none."""
        key = kind, identifier
        if key in self._changes:
            return self._changes[key]
        if key in self._remembered:
            return self._remembered[key]
        if key in self._earlier:
            value = self._earlier[key]
        else:
            resource = self._records.get(kind, identifier)
            value = None if resource is None else resource.value
        self.remember(key, value)
        return value

    def remember(self, key: Key, value: Value | None) -> None:
        """Notes the value of a resource, which was read otherwise and will be asked for soon."""
        if len(self._remembered) >= _REMEMBERED:
            self._earlier, self._remembered = self._remembered, {}
        self._remembered[key] = value

    def count(self, kind: str) -> int:
        """How many resources of a kind the store has."""
        return self._records.list(kind, page=1, page_size=1)[0]

    def scan(self, kind: str) -> Generator[tuple[str, Value]]:
        """Ids and values of a kind, in the order in which they were made."""
        found = ((resource.id, resource.value) for resource in self._records.scan(kind))
        yield from self._changed(kind, found)

    def credentials(self, username: str) -> Iterator[tuple[str, Value]]:
        """Ids and values of a consumer's credentials, in the order in which they were made."""
        if self._credentials is not None:
            for identifier, written in self._credentials.get(username, ()):
                yield identifier, marshal.loads(written)  # noqa: S302  # Written by this very process.
            return
        _, resources = self._records.list("credentials", under=username)
        found = ((resource.id, resource.value) for resource in resources)
        for identifier, value in self._changed("credentials", found):
            if identifier.partition("/")[0] == username:
                yield identifier, value

    def gather_credentials(self) -> None:
        """Reads all credentials at once, for one who goes through all consumers, with no changes made."""
        found: dict[str, list[tuple[str, bytes]]] = {}
        for identifier, value in self.scan("credentials"):
            # Written out, since that takes a fifth of the memory.
            found.setdefault(identifier.partition("/")[0], []).append((identifier, marshal.dumps(value)))
        self._credentials = found

    def referrers(self, kind: str, identifier: str) -> list[Key]:
        """The resources that refer to this one, which need not be there."""
        found = [key for key in self._records.referrers(kind, identifier) if key not in self._changes]
        return found + self._changed_referrers.get((kind, identifier), [])

    @cached_property
    def _changed_referrers(self) -> Mapping[Key, list[Key]]:
        found: dict[Key, list[Key]] = {}
        for (kind, identifier), value in self._changes.items():
            if value is not None and kind in KINDS:
                for reference in KINDS[kind].references(identifier, value):
                    found.setdefault(reference, []).append((kind, identifier))
        return found

    def main_app(self) -> str | None:
        """The app that was made first; it is also at hosts which no app names."""
        with closing(self.scan("apps")) as apps:
            return next((identifier for identifier, _ in apps), None)

    def _changed(self, kind: str, found: Iterable[tuple[str, Value]]) -> Iterator[tuple[str, Value]]:
        left = {identifier: value for (of, identifier), value in self._changes.items() if of == kind}
        for identifier, stored in found:
            value = left.pop(identifier, stored)
            if value is not None:
                yield identifier, value
        for identifier, value in left.items():
            if value is not None:
                yield identifier, value
