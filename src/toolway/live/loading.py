"""Loading: everything in the store, a page at a time, to one snapshot.

A page is compiled, written out as text and forgotten, so that memory is bounded by the text and not by the
models. Resources that cannot be had are set aside, as `trying` does it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from toolway.compile.compiling import VERSION
from toolway.config.secret import revealed_text
from toolway.live.compiling import SECTIONS, Compiler
from toolway.live.ownership import entry_id, made_of, owner
from toolway.live.state import Records, State
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolway.live.compiling import Part
    from toolway.live.ownership import Entry
    from toolway.live.trying import SetAside
    from toolway.store import Key

Progress = Callable[[str, int, int], None]
"""Called with a kind, how many of it are done, and how many there are."""

_PAGE = 500
_KINDS = ("ssls", "upstreams", "services", "routes", "consumers", "global_rules", "apis", "apps")
"""Those that have entries, in the order of the entries: what users wrote before what is generated."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The store as a snapshot."""

    gateway: Mapping[str, Any]
    entries: Mapping[str, list[str]]
    """By section, each as JSON."""
    made: Mapping[Key, frozenset[Entry]]

    def text(self) -> str:
        """The snapshot as the engine takes it."""
        sections = (f'"{section}":[{",".join(entries)}]' for section, entries in self.entries.items())
        return f'{{"version":{VERSION},"gateway":{revealed_text(self.gateway)},{",".join(sections)}}}'

    def problem(self, pointer: str, message: str) -> Problem:
        """What the engine says of an entry, as of the resource that has it."""
        _, section, index, *_ = f"{pointer}///".split("/", 3)
        if section in self.entries and index.isdigit():
            entry = json.loads(self.entries[section][int(index)])
            key = owner(section, entry_id(section, entry))
            if key is not None:
                return Problem("engine-refused", message, pointer="/" + "/".join(key))
        return Problem("engine-refused", message, pointer=pointer)


def load(compiler: Compiler, records: Records, aside: SetAside, progress: Progress | None = None) -> Loaded:
    """Compiles all resources of `records` but those that were set aside, and sets others aside.

    Raises ConfigurationError where a global rule cannot be had, or the gateway's own settings.
    """
    entries: dict[str, list[str]] = {section: [] for section in SECTIONS}
    made: dict[Key, frozenset[Entry]] = {}
    gateway: Mapping[str, Any] = {}
    state = State(records)
    state.gather_credentials()
    for kind, keys in _pages(state, progress):
        part = _part(compiler, state, keys, aside, with_gateway=kind == "ssls")
        gateway = part.gateway
        made |= made_of(part.entries) if kind in ("apis", "apps") else {}
        for section, each in part.entries.items():
            entries[section] += map(revealed_text, each)
    return Loaded(gateway, entries, made)


def is_needed(key: Key) -> bool:
    """Whether the gateway does not serve without the resource: a global rule may be what protects it."""
    return key[0] == "global_rules"


def _pages(state: State, progress: Progress | None) -> Iterator[tuple[str, list[Key]]]:
    """The keys of all resources, by kind and page; the first page of `ssls` comes even if there are none."""
    for kind in _KINDS:
        total = state.count(kind) if progress else 0
        done = 0
        found = state.scan(kind)
        while page := list(islice(found, _PAGE)):
            for identifier, value in page:
                state.remember((kind, identifier), value)
            yield kind, [(kind, identifier) for identifier, _ in page]
            done += len(page)
            if progress:
                progress(kind, done, total)
        if kind == "ssls" and done == 0:
            yield kind, []


def _part(compiler: Compiler, state: State, keys: list[Key], aside: SetAside, *, with_gateway: bool) -> Part:
    while True:
        try:
            return compiler.part(
                state, keys, left_out=aside.left_out, closed=aside.closed, with_gateway=with_gateway
            )
        except ConfigurationError as error:
            if not aside.take(error.problems, is_needed):
                raise
