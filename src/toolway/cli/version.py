"""`toolway --version`, which is the one option that needs no command."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from toolway.cli.output import print_text


def toolway_version() -> str:
    """The installed version; `0+source` where the package runs from a source tree without being installed."""
    try:
        return version("toolway")
    except PackageNotFoundError:
        return "0+source"


def _show(wanted: bool) -> None:
    if wanted:
        print_text(f"toolway {toolway_version()}")
        raise typer.Exit


def print_version(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """An API gateway for AI tools: from OpenAPI documents to tools that LLM clients can call."""
