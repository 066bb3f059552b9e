"""What compiling gives: the snapshot, warnings, the apps' views, and the way back from the snapshot to the
file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolway.config.secret import redact, reveal, revealed_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from toolway.apps.model import AppView
    from toolway.config import Source
    from toolway.problem import Problem


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled configuration."""

    source: Source = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    """The snapshot with secrets as `Secret` values."""
    warnings: tuple[Problem, ...]
    """What works otherwise than its writer may think; nothing here keeps the snapshot from being served."""
    apps: tuple[AppView, ...]
    """The apps, in the order of the file, as their main copies show them."""
    places: Mapping[str, str] = field(repr=False)
    """Pointers into the snapshot -> pointers into the source, for what each part was made from."""

    @property
    def snapshot(self) -> dict[str, Any]:
        """The snapshot as the engine reads it, with secrets in the clear."""
        revealed: dict[str, Any] = reveal(self.document)
        return revealed

    @property
    def printable(self) -> dict[str, Any]:
        """The snapshot for people, with `[redacted]` for secrets that came by `$env://` and `$file://`."""
        redacted: dict[str, Any] = redact(self.document)
        return redacted

    def text(self) -> str:
        """The snapshot as the JSON text that `Engine` takes."""
        return revealed_text(self.document)

    def problems_of(self, refused: Iterable[tuple[str, str]]) -> list[Problem]:
        """What the engine said, as (snapshot pointer, message), told at the places in the source."""
        return [self._problem(pointer, message) for pointer, message in refused]

    def _problem(self, pointer: str, message: str) -> Problem:
        known = pointer
        while known not in self.places and known:
            known = known.rpartition("/")[0]
        origin = self.places.get(known, "") + pointer[len(known) :]
        # The rest of the pointer is the same in both where a field kept its name.
        while origin and origin not in self.source.places and self.source.places:
            origin = origin.rpartition("/")[0]
        return self.source.problem("engine-refused", message, origin)
