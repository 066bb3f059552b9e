"""A mistake in what a user gave: what is wrong, where, what was expected. All are told at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `code` is stable and listed in the documentation."""

    code: str
    message: str
    """What is wrong and what was expected, in one sentence that names no secret."""
    file: str | None = None
    line: int | None = None
    """From 1."""
    column: int | None = None
    """From 1."""
    pointer: str = ""
    """JSON pointer (RFC 6901) into the file or document."""
    hint: str | None = None
    """How to mend it: a near name, an example."""
    kind: Literal["error", "warning"] = "error"
    """A warning is told and does not keep the configuration from being used."""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        place = place or self.pointer or "configuration"
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {self.message}{hint} [{self.code}]"

    def as_dict(self) -> dict[str, Any]:
        """For `--output json`: the fields that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class ConfigurationError(Exception):
    """What a user gave cannot be used; `problems` has at least one, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
