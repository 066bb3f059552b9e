"""Trying: a change compiled and built by the engine, with nothing changed yet.

Where a resource cannot be had that does not stand for itself (another gateway wrote it, or what it refers to
was deleted by force), it is set aside: a route then refuses every request, and of anything else there is
nothing. So what is wrong never opens what it was there to close.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolway import _engine
from toolway.compile.compiling import VERSION
from toolway.config.secret import revealed_text
from toolway.live.ownership import entry_id, made_of, may_have
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from toolway.live.compiling import Compiler, Part
    from toolway.live.ownership import Entry
    from toolway.live.state import State
    from toolway.store import Key


@dataclass(slots=True)
class SetAside:
    """Resources that cannot be had, and why."""

    left_out: set[Key] = field(default_factory=set)
    closed: set[Key] = field(default_factory=set)
    """Routes that refuse every request."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def keys(self) -> set[Key]:
        """All of them."""
        return self.left_out | self.closed

    def take(self, problems: Iterable[Problem], is_needed: Callable[[Key], bool]) -> bool:
        """Sets those aside that `problems` are of. Whether there is something to try again without them."""
        owners = {resource_of(problem.pointer) for problem in problems}
        if None in owners or any(key is not None and is_needed(key) for key in owners):
            return False
        is_new = False
        for key in owners:
            if key is None or key in self.left_out:
                continue
            is_new = True
            if key[0] == "routes" and key not in self.closed:
                self.closed.add(key)
            else:
                self.closed.discard(key)
                self.left_out.add(key)
        self.problems += problems
        return is_new


@dataclass(frozen=True, slots=True)
class Tried:
    """A change that can be made."""

    prepared: _engine.Prepared
    keys: Collection[Key]
    """The resources that were compiled anew or taken out."""
    made: Mapping[Key, frozenset[Entry]]
    """The entries of each api and app that was compiled."""
    aside: SetAside


def resource_of(pointer: str) -> Key | None:
    """Kind and id of the resource that a problem is of; none where it is of no resource."""
    parts = pointer.split("/", 3)
    if len(parts) < 3 or parts[1] == "gateway":
        return None
    return parts[1], parts[2].replace("~1", "/").replace("~0", "~")


def attempt(
    engine: _engine.Engine,
    compiler: Compiler,
    state: State,
    keys: Collection[Key],
    made: Mapping[Key, frozenset[Entry]],
    is_needed: Callable[[Key], bool],
) -> Tried:
    """Has the engine build what the resources that `keys` name are in `state`; those not there are taken out.

    Raises ConfigurationError where a resource cannot be had that is needed.
    """
    aside = SetAside()
    while True:
        try:
            part = compiler.part(state, keys, left_out=aside.left_out, closed=aside.closed)
            prepared = _prepared(engine, part, delta_of(keys, part, made))
        except ConfigurationError as error:
            if not aside.take(error.problems, is_needed):
                raise
        else:
            return Tried(prepared, keys, made_of(part.entries), aside)


def delta_of(keys: Iterable[Key], part: Part, made: Mapping[Key, frozenset[Entry]]) -> dict[str, Any]:
    """The delta that puts the entries of `part` in the place of all that the resources had until now."""
    put = {section: entries for section, entries in part.entries.items() if entries}
    there = {(section, entry_id(section, entry)) for section, entries in put.items() for entry in entries}
    remove: dict[str, list[str]] = {}
    for key in keys:
        for section, identifier in may_have(key, made):
            if (section, identifier) not in there:
                remove.setdefault(section, []).append(identifier)
    return {"version": VERSION, "put": put, "remove": remove}


def _prepared(engine: _engine.Engine, part: Part, delta: Mapping[str, Any]) -> _engine.Prepared:
    try:
        return engine.prepare(revealed_text(delta))
    except _engine.EngineError as error:
        raise ConfigurationError(
            [
                Problem("engine-refused", message, pointer=part.place(pointer.removeprefix("/put")))
                for pointer, message in error.problems
            ]
        ) from error
