"""The play is readable: numbered, trimmed, and plain where there is no terminal."""

from __future__ import annotations

import io

from rich.console import Console

from toolway.demo.screen import Screen, trimmed


def test_a_list_is_cut_after_two_items_with_a_note() -> None:
    assert "\n".join(trimmed({"ids": [1, 2, 3, 4]})) == (
        '{\n  "ids": [\n    1,\n    2,\n    "... 2 more"\n  ]\n}'
    )


def test_long_lines_and_long_answers_are_cut() -> None:
    lines = trimmed("\n".join(["x" * 200] * 40))
    assert len(lines) == 17
    assert lines[0] == "x" * 110 + "..."
    assert lines[-1] == "... 24 more lines"


def test_steps_are_numbered_and_printed_without_colours() -> None:
    stream = io.StringIO()
    screen = Screen(Console(file=stream))
    screen.step("Why?")
    screen.request("GET /[bold]why[/bold]")
    screen.answer("200 OK", {"answer": "so"})
    screen.failed("it is not so")
    assert stream.getvalue() == (
        "\n 1. Why?\n    > GET /[bold]why[/bold]\n    < 200 OK\n"
        '      {\n        "answer": "so"\n      }\n    NOT AS IT SHOULD BE: it is not so\n'
    )
    assert (screen.steps, screen.failures) == (1, 1)
