"""How the demo looks: numbered steps, each a question, its requests, trimmed answers and a verdict.

Colours appear on a terminal only; elsewhere the same lines come plain. Nothing here knows what a step is
about.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 110
MOST_LINES = 16
MOST_ITEMS = 2


class Screen:
    """Prints the steps of a play to `console` and counts them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.steps = 0
        self.failures = 0
        self.finished = False
        """Whether the play has come to its end."""

    def say(self, text: str = "", style: str = "") -> None:
        """A line of its own."""
        self._console.print(Text(text, style), soft_wrap=True)

    def chapter(self, title: str) -> None:
        """Opens a part of the play."""
        self.say()
        self.say(f"== {title}", "bold")

    def step(self, question: str) -> None:
        """Opens the next step with what the user, or the assistant, wants to know."""
        self.steps += 1
        self.say()
        self.say(f"{self.steps:>2}. {question}", "bold cyan")

    def request(self, line: str, *details: str) -> None:
        """What is sent: the request line, and headers or a body that matter."""
        for text in (line, *details):
            self.say(f"    > {text}", "blue")

    def answer(self, status: str, value: Any = None, *, good: bool = True) -> None:
        """What came back: the status with headers that matter, and the answer as trimmed JSON or text."""
        self.say(f"    < {status}", "green" if good else "yellow")
        for line in trimmed(value) if value is not None else ():
            self.say(f"      {line}", "dim")

    def passed(self, verdict: str) -> None:
        """The step went as it should."""
        self.say(f"    ok: {verdict}", "green")

    def failed(self, deviation: str) -> None:
        """The step did not go as it should; the play has failed with it."""
        self.failures += 1
        self.say(f"    NOT AS IT SHOULD BE: {deviation}", "bold red")


def trimmed(value: Any) -> list[str]:
    """`value` as indented JSON, made short: lists after two items, long lines and long answers are cut."""
    text = value if isinstance(value, str) else json.dumps(_shortened(value), indent=2, ensure_ascii=False)
    lines = [line if len(line) <= WIDTH else f"{line[:WIDTH]}..." for line in text.splitlines()]
    if len(lines) > MOST_LINES:
        return [*lines[:MOST_LINES], f"... {len(lines) - MOST_LINES} more lines"]
    return lines


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        kept = [_shortened(item) for item in value[:MOST_ITEMS]]
        return kept if len(kept) == len(value) else [*kept, f"... {len(value) - len(kept)} more"]
    return value
