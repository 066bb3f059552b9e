"""Conflicts: a write whose writer had seen another state than the one it meets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolway.store import Key


class Conflict(Exception):  # noqa: N818  # A state of the configuration, named as HTTP names it (409).
    """Resources that are not as the writer expects them. Nothing was changed."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(keys)
        """Kind and id of each; none where others write faster than this one can."""
        named = ", ".join("/".join(key) for key in self.keys)
        super().__init__(f"changed meanwhile: {named}" if named else "others write all the time; try again")
