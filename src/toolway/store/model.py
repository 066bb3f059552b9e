"""What goes into the store and comes out of it: resources, changes, revisions and differences.

Plain frozen data. Values are JSON objects as the Admin API answers them in `value`; none of their texts
appears in a `repr`, for some are secrets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

MASK = "***"
"""What stands in place of a secret that is not shown."""

SEALED = "$sealed://"
"""What a secret begins with that is shown as it is sealed; behind it stands what the master key opens."""

Value = dict[str, Any]
"""A JSON object."""

Key = tuple[str, str]
"""Kind and id of a resource; the id of a credential is `USERNAME/ID`."""


class Filters(TypedDict, total=False):
    """What lists are filtered by."""

    name: str
    """A part of the name."""
    label: str
    """The key of a label."""
    uri: str
    """A part of any uri."""
    under: str
    """The consumer of credentials."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as the store has it."""

    kind: str
    id: str
    value: Value = field(repr=False)
    created_index: int
    """The revision that made it."""
    modified_index: int
    """The revision that wrote it last."""


@dataclass(frozen=True, slots=True)
class Change:
    """One resource made, replaced or, where `value` is none, deleted."""

    kind: str
    id: str
    value: Value | None = field(repr=False)
    references: tuple[Key, ...] = ()
    """The resources that the value refers to; `Store.referrers` finds them the other way round."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What a write was."""

    number: int
    """From 1, without gaps; the history may begin later."""
    time: float
    """Seconds since 1970 by the clock of the gateway that wrote."""
    actor: str
    """Who wrote, in the words of the caller of `write`."""
    note: str
    size: int
    """How many resources it changed."""
    changes: tuple[Change, ...] = ()
    """In the order of the write, with `***` in place of secrets; empty in listings of revisions."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Which revisions the history keeps."""

    revisions: int = 1000
    """The latest of them, at least 1."""
    seconds: float | None = None
    """Those written no longer ago than this, and the latest in any case; none: of any age."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A resource that is not the same in two revisions; `***` stands in place of secrets."""

    kind: str
    id: str
    before: Value | None = field(repr=False)
    """None: it was not there."""
    after: Value | None = field(repr=False)
    places: tuple[str, ...]
    """JSON pointers (RFC 6901) to what differs, secrets among them; the empty one: the whole resource."""
