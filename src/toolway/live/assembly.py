"""Assemblies: resources of the store put together as a file would have them, so that they are parsed and
compiled in the same way.

Problems come with pointers into that whole; `told` gives them as `/KIND/ID` and the pointer into the value.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toolway.config import Source
from toolway.config.kinds import KINDS
from toolway.config.source import pointer_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from toolway.live.state import Value
    from toolway.problem import Problem
    from toolway.secret_managers import ManagedSecrets
    from toolway.store import Key

_MATCH = (
    "uri",
    "uris",
    "host",
    "hosts",
    "methods",
    "remote_addr",
    "remote_addrs",
    "vars",
    "priority",
    "status",
)
"""What a closed route still has."""


class Assembly:
    """Resources put together."""

    def __init__(self) -> None:
        self._data: dict[str, list[Value]] = {}
        self._told: dict[str, str] = {}
        self._pointers: dict[Key, str] = {}
        self._closed: set[str] = set()

    def add(self, kind: str, identifier: str, value: Mapping[str, Any]) -> str:
        """Adds a resource that stands by itself: its pointer in the whole."""
        entries = self._data.setdefault(kind, [])
        pointer = f"/{kind}/{len(entries)}"
        entries.append({**value, KINDS[kind].id_field: identifier})
        self._told[pointer] = pointer_to(kind, identifier)
        self._pointers[kind, identifier] = pointer
        return pointer

    def add_consumer(
        self, username: str, value: Mapping[str, Any], credentials: Iterable[tuple[str, Value]]
    ) -> str:
        """Adds a consumer with its credentials, which stand inside it."""
        pointer = self.add("consumers", username, value)
        inside: list[Value] = []
        for identifier, credential in credentials:
            self._told[f"{pointer}/credentials/{len(inside)}"] = pointer_to("credentials", identifier)
            inside.append({**credential, "id": identifier.partition("/")[2]})
        if inside:
            self._data["consumers"][-1]["credentials"] = inside
        return pointer

    def add_closed(self, identifier: str, value: Mapping[str, Any], hosts: Any) -> str:
        """Adds a route that takes the requests of `value` and refuses them; `hosts` are its service's."""
        kept = {name: value[name] for name in _MATCH if name in value}
        if hosts and "host" not in kept and "hosts" not in kept:
            kept["hosts"] = hosts
        pointer = self.add("routes", identifier, kept)
        self._closed.add(pointer)
        return pointer

    def pointer(self, key: Key) -> str | None:
        """The pointer of a resource in the whole; none where it is not there."""
        return self._pointers.get(key)

    def source(self, folder: Path, environment: Mapping[str, str], managed: ManagedSecrets) -> Source:
        """The whole, to be parsed."""
        source = Source.of_data(self._data, folder=folder, environment=environment)
        return replace(source, managed=managed, is_confined=True, closed=frozenset(self._closed))

    def told(self, problem: Problem) -> Problem:
        """The problem at its place in the resource that it is of."""
        return replace(problem, pointer=self.place(problem.pointer))

    def place(self, pointer: str) -> str:
        """A pointer into the whole as a pointer that begins with kind and id."""
        known = pointer
        while known and known not in self._told:
            known = known.rpartition("/")[0]
        return self._told[known] + pointer[len(known) :] if known else pointer
