"""Where a value stands in a document, and the error that says so.

A place is a string: the file's name relative to the root document's folder (or a URL, or nothing for the root
document itself), `#`, and a JSON pointer (RFC 6901): `#/paths/~1users/get`,
`schemas/user.yaml#/properties/name`. Strings keep the walk through tens of thousands of schemas cheap.
"""

from __future__ import annotations

from dataclasses import dataclass

from toolway.openapi.model import Notice

ROOT = "#"
"""The place of the root document."""


class UnusableError(Exception):
    """Part of a document cannot be used; whoever needs that part is set aside with `reason` and `at` (a
    place).
    """

    def __init__(self, reason: str, at: str) -> None:
        super().__init__(f"{at}: {reason}")
        self.reason = reason
        self.at = at


@dataclass(frozen=True, slots=True)
class Notices:
    """Collects notices in the order of their first mention, each once: shared parts are read many times."""

    seen: dict[Notice, None]

    def add(self, message: str, at: str) -> None:
        """Notes `message` for the place `at`."""
        self.seen.setdefault(Notice(message, shown(at)))


def below(at: str, token: str | int) -> str:
    """The place of the member or item `token` of the value at `at`."""
    if isinstance(token, int):
        return f"{at}/{token}"
    if "~" in token or "/" in token:
        token = token.replace("~", "~0").replace("/", "~1")
    return f"{at}/{token}"


def source_of(at: str) -> str:
    """The name of the file or URL that `at` is in; empty for the root document."""
    return at.partition("#")[0]


def shown(at: str) -> str:
    """`at` for reports: a bare JSON pointer in the root document, `file#pointer` in another."""
    return at.removeprefix("#")
