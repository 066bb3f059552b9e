"""Names of tools and arguments: legal for every client, deterministic, and unique whatever the letter case.

The same operation has the same name in every format. A name depends on nothing but the app's selection, so
that it stays what it is when descriptions or schemas change.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolway.apps.model import AppView, SelectedOperation

MAX_NAME = 64
"""Characters of a tool's or an argument's name."""


def argument_name(name: str) -> str:
    """`name` in `[a-zA-Z0-9_.-]{1,64}`: `filter[name]` becomes `filter_name`; a legal name is not touched."""
    legal = re.sub(r"[^a-zA-Z0-9_.-]+", "_", name)
    if legal != name:
        legal = legal.strip("_")
    return shorten(legal or "argument", name)


def shorten(legal: str, original: str) -> str:
    """`legal` in at most 64 characters; a longer one ends with a digest of `original` instead of its tail."""
    if len(legal) <= MAX_NAME:
        return legal
    return f"{legal[: MAX_NAME - 9]}_{_digest(original)}"


def numbered(name: str, taken: set[str]) -> str:
    """`name`, or the first of `name_2`, `name_3` ... that is not in `taken` (casefolded names)."""
    candidate, number = name, 2
    while candidate.casefold() in taken:
        suffix = f"_{number}"
        candidate, number = name[: MAX_NAME - len(suffix)] + suffix, number + 1
    return candidate


def tool_name(text: str) -> str:
    """`text` as `[A-Za-z][A-Za-z0-9_-]{0,63}`, which operationId, MCP and function tools all allow."""
    legal = re.sub(r"[^A-Za-z0-9_-]+", "_", text)
    if legal != text:
        legal = legal.strip("_")
    if not re.match(r"[A-Za-z]", legal):
        legal = f"call_{legal.lstrip('_-')}".rstrip("_")
    return shorten(legal, text)


def tool_names(view: AppView) -> tuple[str, ...]:
    """A name for each of the app's operations, in their order.

    It is the configured name, or else the operation's id. Where several operations want one name, in whatever
    letter case, each gets its api's id in front, but for the one whose name is configured.
    """
    wanted = [tool_name(selected.tool.name or selected.operation.id) for selected in view.operations]
    counts = Counter(name.casefold() for name in wanted)
    configured = Counter(
        name.casefold() for name, selected in zip(wanted, view.operations, strict=True) if selected.tool.name
    )
    names: dict[int, str] = {}
    taken: set[str] = set()
    for index, (name, selected) in enumerate(zip(wanted, view.operations, strict=True)):
        folded = name.casefold()
        if counts[folded] == 1 or (selected.tool.name and configured[folded] == 1):
            names[index] = name
            taken.add(folded)
    for index, (name, selected) in enumerate(zip(wanted, view.operations, strict=True)):
        if index not in names:
            names[index] = numbered(tool_name(f"{selected.api_id}_{name}"), taken)
            taken.add(names[index].casefold())
    return tuple(names[index] for index in range(len(wanted)))


def former_names(
    operations: Sequence[SelectedOperation], names: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """The names that operations had before one was configured, where no other has them."""
    taken = Counter(name.casefold() for name in names)
    originals = [tool_name(selected.operation.id) for selected in operations]
    taken.update(
        original.casefold() for original, name in zip(originals, names, strict=True) if original != name
    )
    return tuple(
        (original,) if selected.tool.name and original != name and taken[original.casefold()] == 1 else ()
        for selected, original, name in zip(operations, originals, names, strict=True)
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
