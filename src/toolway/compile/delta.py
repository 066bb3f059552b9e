"""What changes from the snapshot that an engine runs to the next, as the delta that the engine takes.

Works on compiled documents alone. What is alike in both is left out, so a small change of a large
configuration is a small delta; the order of entries counts only where it decides something.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from toolway.config.secret import reveal

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    Entry = Mapping[str, Any]
    Contests = Callable[[Entry], Iterable[Hashable]]

_IDS = {
    "upstreams": "id",
    "consumers": "username",
    "apps": "id",
    "routes": "id",
    "global_rules": "id",
    "ssls": "id",
}
_PATTERN_BEGINS = re.compile(r"(?<=/):|\{|\*")


def json_text(document: Mapping[str, Any]) -> str:
    """A document as the JSON text that the engine takes, with secrets in the clear."""
    return json.dumps(reveal(document), separators=(",", ":"), ensure_ascii=False)


class Running:
    """A snapshot as an engine runs it, which may have entries in another order than the document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """`document` was given to the engine as a whole."""
        self._document = document
        self._next = itertools.count()
        self._turns = {
            section: {entry[_IDS[section]]: next(self._next) for entry in document.get(section, ())}
            for section in _CONTESTS
        }

    def delta(self, new: Mapping[str, Any]) -> dict[str, Any]:
        """The delta to the snapshot `new`, with secrets as they are there; empty where nothing changes.

        An entry that has to come behind others than before stands in `put` and in `remove`: it comes anew,
        as the last of its kind.
        """
        put: dict[str, list[Entry]] = {}
        remove: dict[str, list[str]] = {}
        for section, field in _IDS.items():
            before = {entry[field]: entry for entry in self._document.get(section, ())}
            after = {entry[field]: entry for entry in new.get(section, ())}
            moved = self._moved(section, after)
            coming = [entry for name, entry in after.items() if name in moved or before.get(name) != entry]
            going = [name for name in before if name not in after or name in moved]
            put |= {section: coming} if coming else {}
            remove |= {section: going} if going else {}
        gateway = new["gateway"] if new["gateway"] != self._document.get("gateway") else None
        changes = {
            name: part for name, part in (("gateway", gateway), ("put", put), ("remove", remove)) if part
        }
        return {"version": new["version"], **changes} if changes else {}

    def follow(self, new: Mapping[str, Any], delta: Mapping[str, Any]) -> None:
        """Notes that the engine took `delta`, which led to `new`."""
        self._document = new
        for section, turns in self._turns.items():
            for name in delta.get("remove", {}).get(section, ()):
                del turns[name]
            for entry in delta.get("put", {}).get(section, ()):
                turns.setdefault(entry[_IDS[section]], next(self._next))

    def _moved(self, section: str, after: Mapping[str, Entry]) -> set[str]:
        """Entries that the engine has before one that they must come behind, or that come behind a new one.

        Entries that have no contest in common may stand in either order.
        """
        turns = self._turns.get(section, {})
        order = [turns.get(name, float("inf")) for name in after]
        if all(one <= other for one, other in itertools.pairwise(order)):
            return set()
        last: dict[Hashable, float] = {}
        moved: set[str] = set()
        for (name, entry), turn in zip(after.items(), order, strict=True):
            contests = list(_CONTESTS[section](entry))
            if any(last.get(contest, -1) > turn for contest in contests):
                moved.add(name)
                turn = float("inf")
            last.update(dict.fromkeys(contests, turn))
        return moved


def _contests_of_route(route: Entry) -> Iterable[Hashable]:
    """Where order decides: among routes of one priority, patterns that begin with the same text."""
    for uri in route["uris"]:
        begins = _PATTERN_BEGINS.search(uri)
        literal = uri[: begins.start()] if begins else uri
        # Two spellings of one text are one contest.
        yield route["priority"], route.get("order", 0), begins is None, unquote(literal)


def _contests_of_rule(_rule: Entry) -> Iterable[Hashable]:
    """All rules run, one after the other."""
    yield None


_CONTESTS: dict[str, Contests] = {"routes": _contests_of_route, "global_rules": _contests_of_rule}
