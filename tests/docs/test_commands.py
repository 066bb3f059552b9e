"""Every command of the command line and every option of it stands in docs/cli.md, and nothing else does."""

from __future__ import annotations

import re

import pytest
import typer.main

from toolway.cli import application

from .pages import DOCS, README, headings, rows, section

PAGE = DOCS / "cli.md"
GROUP = typer.main.get_command(application)
COMMANDS = {
    " ".join(filter(None, (name, below))): found
    for name, command in GROUP.commands.items()  # type: ignore[attr-defined]
    for below, found in getattr(command, "commands", {"": command}).items()
}
"""By their names, those of a group with the group's in front."""


def options(parameters: object) -> set[str]:
    """The options among a command's parameters, long and short."""
    found: set[str] = set()
    for parameter in parameters:  # type: ignore[attr-defined]
        if parameter.param_type_name == "option":
            found.update(parameter.opts)
    return found - {"--help"}


def listed(title: str) -> set[str]:
    return {key for row in rows(section(PAGE, title)) for key in row.keys}


def test_every_command_has_a_section() -> None:
    told = {title.removeprefix("toolway ") for title in headings(PAGE) if title.startswith("toolway ")}
    assert told == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_described(command: str) -> None:
    assert listed(f"toolway {command}") == options(COMMANDS[command].params)


def test_options_without_a_command_are_described() -> None:
    assert listed("Command line") == options(GROUP.params) | {"--help"}


@pytest.mark.parametrize("page", [README, *sorted(DOCS.glob("*.md"))], ids=lambda page: page.name)
def test_pages_name_only_commands_that_exist(page: object) -> None:
    text = page.read_text()  # type: ignore[attr-defined]
    named = set(re.findall(r"(?:`|^|\n)toolway ([a-z]+)\b", text))
    assert named <= {command.partition(" ")[0] for command in COMMANDS}
