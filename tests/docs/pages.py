"""The documentation as the tests here read it: pages by section, tables by row, code blocks by language.

Knows Markdown only as far as these pages use it, and nothing of what they say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"

_HEADING = re.compile(r"^(#{1,6}) +(.+?) *$")
_FENCE = re.compile(r"^```(\w*)$")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block."""

    page: str
    line: int
    """Of its first line of code, from 1."""
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its cells as they are written."""

    cells: tuple[str, ...]

    @property
    def key(self) -> str:
        """The first text in code of the first cell; empty where there is none."""
        found = _CODE.search(self.cells[0])
        return found[1] if found else ""

    @property
    def keys(self) -> list[str]:
        """Every text in code of the first cell."""
        return _CODE.findall(self.cells[0])


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page."""
    found: list[Block] = []
    language: str | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if fence and language is None:
            language, lines = fence[1], []
        elif line == "```" and language is not None:
            found.append(Block(page.name, number - len(lines), language, "\n".join(lines) + "\n"))
            language = None
        elif language is not None:
            lines.append(line)
    assert language is None, f"{page.name}: a code block is not closed"
    return found


def prose(page: Path) -> list[str]:
    """The lines of a page, those of code blocks as empty lines."""
    inside = False
    lines: list[str] = []
    for line in page.read_text().splitlines():
        is_fence = bool(_FENCE.match(line))
        lines.append("" if inside or is_fence else line)
        inside ^= is_fence
    return lines


def headings(page: Path) -> list[str]:
    """The titles of a page's sections, in order."""
    return [match[2] for line in prose(page) if (match := _HEADING.match(line))]


def anchors(page: Path) -> set[str]:
    """What a link may name after `#`, as forges make it of headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings(page)}


def section(page: Path, title: str) -> list[str]:
    """The lines of a section without those of the sections below it."""
    lines: list[str] = []
    inside = found = False
    for line in prose(page):
        heading = _HEADING.match(line)
        if heading:
            inside = heading[2] == title
            found |= inside
        elif inside:
            lines.append(line)
    assert found, f"{page.name} has no section {title!r}"
    return lines


def rows(lines: list[str]) -> list[Row]:
    """The rows of all tables in `lines`, without heads."""
    found: list[Row] = []
    in_table = False
    for line in lines:
        if not line.startswith("|"):
            in_table = False
        elif re.fullmatch(r"\|(-+\|)+", line):
            in_table = True
        elif in_table:
            found.append(Row(tuple(cell.strip() for cell in line.strip("|").split("|"))))
    return found


def table(page: Path, title: str) -> dict[str, Row]:
    """The rows of a section's tables by their keys; no key may stand twice."""
    found: dict[str, Row] = {}
    for row in rows(section(page, title)):
        assert row.key not in found, f"{page.name}: {row.key} stands twice in {title!r}"
        found[row.key] = row
    return found
