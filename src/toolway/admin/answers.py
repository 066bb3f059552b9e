"""Answers: what an operation gives back, and refusals, in the shapes of APISIX's Admin API.

Every error is `{"error_msg": "..."}`; one that has to do with fields of a configuration also has `problems`,
each with its code and JSON pointer. No answer tells how the program is made.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from toolway.problem import Problem

_TOLD_MOST = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON data (or finished text with its media type) and further headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"

    def response(self) -> Response:
        """The answer as it is sent. Nothing of it may be kept by caches."""
        content = self.body if isinstance(self.body, str) and self.media_type != "application/json" else None
        if content is None:
            content = json.dumps(self.body, ensure_ascii=False, separators=(",", ":")) + "\n"
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", **self.headers}
        return Response(content, self.status, headers, self.media_type)


class Refusal(Exception):  # noqa: N818  # Most are the client's mistakes, which are no errors of the program.
    """What was asked is not done, and nothing has changed."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        problems: Iterable[Problem] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.problems = tuple(problems)
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    def answer(self) -> Answer:
        """The refusal as an answer."""
        body: dict[str, Any] = {"error_msg": self.message, **self.more}
        if self.problems:
            body["problems"] = [told(problem) for problem in self.problems]
        return Answer(self.status, body, self.headers)


def not_found() -> Refusal:
    """There is no such resource; `message` is the field that APISIX has here."""
    return Refusal(404, "Key not found", more={"message": "Key not found"})


def invalid(problems: Iterable[Problem]) -> Refusal:
    """A configuration that cannot be used, with every reason."""
    problems = tuple(problems)
    said = [f"{problem.pointer or '/'}: {problem.message}" for problem in problems[:_TOLD_MOST]]
    if len(problems) > _TOLD_MOST:
        said.append(f"and {len(problems) - _TOLD_MOST} more")
    return Refusal(400, f"invalid configuration: {'; '.join(said)}", problems=problems)


def told(problem: Problem) -> dict[str, Any]:
    """A problem as JSON data: code, message, pointer, and a hint where there is one."""
    found = {"code": problem.code, "message": problem.message, "pointer": problem.pointer}
    return {**found, "hint": problem.hint} if problem.hint else found
