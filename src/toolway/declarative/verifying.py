"""Verifying a store: whether all of it can be read, fits together, and is what its kind takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolway.config.alone import mistakes_of
from toolway.config.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolway.problem import Problem
    from toolway.store import Store


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found."""

    resources: int
    revisions: int
    problems: Sequence[Problem]


def verified(store: Store) -> Verified:
    """Reads everything. Raises StoreError where the database cannot be read at all."""
    problems = list(store.verify())
    is_readable = all(problem.code != "store-record" for problem in problems)
    count = 0
    # A list would end at what cannot be read; what resources mean is looked at once that is mended.
    for kind in KINDS.values() if is_readable else ():
        for resource in store.scan(kind.name, masked=True):
            count += 1
            problems += mistakes_of(kind, resource.id, resource.value)
    total, _ = store.revisions()
    return Verified(count, total, problems)
