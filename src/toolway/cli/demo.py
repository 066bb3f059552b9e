"""`toolway demo`: two APIs, the gateway in front of them, and a player in the part of ChatGPT."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from toolway.cli.failure import Failure
from toolway.cli.output import answers


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the play: status 0 if all went well.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The gateway's port; 9080 or the next free one.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="The public address that documents name: a tunnel's."),
    ] = None,
) -> None:
    """Run the demo: a conference and a shop behind the gateway, played through as ChatGPT would."""
    if find_spec("mcp") is None:
        raise Failure("the demo plays an MCP client, which is not installed: install toolway[demo]")
    # Imported here because of the MCP client, which no other command needs.
    from toolway.demo.run import run

    raise typer.Exit(run(answers(), once=once, port=port, base_url=base_url))
