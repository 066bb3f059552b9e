"""What all commands share of printing: consoles, problems, JSON, and the options that many of them have.

Answers go to standard output, everything said about them to standard error. Colours appear on terminals only.
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolway.problem import Problem


class OutputFormat(StrEnum):
    """For people or for programs."""

    text = "text"
    json = "json"


ConfigurationFile = Annotated[
    Path, typer.Option("-c", "--config", metavar="FILE", help="The configuration.", show_default=True)
]
DEFAULT_FILE = Path("toolway.yaml")

Output = Annotated[
    OutputFormat, typer.Option("--output", "-o", help="For people, or for programs.", show_default=True)
]


def answers() -> Console:
    """Standard output."""
    return Console(file=sys.stdout, emoji=False, markup=False, highlight=False, soft_wrap=True)


def errors() -> Console:
    """Standard error."""
    return Console(file=sys.stderr, emoji=False, markup=False, highlight=False, soft_wrap=True)


def visible(text: str) -> str:
    """`text` with control characters written out: what a document says must not steer a terminal."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def print_text(text: str) -> None:
    """Writes `text` to standard output as it is, with a newline at its end."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """Writes `value` to standard output: indented, in the order that it has."""
    print_text(json.dumps(value, indent=2, ensure_ascii=False))


def write_whole(path: Path, text: str) -> None:
    """Puts `text` into the file at once, so that a gateway that follows it never reads a half of it."""
    target = path.resolve()
    whole = target.with_name(f".{target.name}.new")
    whole.write_text(text, encoding="utf-8")
    if target.exists():
        whole.chmod(target.stat().st_mode)
    whole.replace(target)


def print_problems(problems: Sequence[Problem]) -> None:
    """Writes each problem as a line to standard error, `file:line:column` first, as compilers do."""
    console = errors()
    for problem in problems:
        style = "yellow" if problem.kind == "warning" else "red"
        line = Text(f"{problem.kind}: ", style)
        line.append(visible(str(problem)), "default")
        console.print(line)
