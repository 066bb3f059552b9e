"""`toolway call`: calls a tool as a model would, through its route, and prints what the model would get."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from toolway.cli.connect import ConnectTo, connections
from toolway.cli.failure import Misuse
from toolway.cli.output import (
    DEFAULT_FILE,
    ConfigurationFile,
    Output,
    OutputFormat,
    errors,
    print_json,
    print_text,
)
from toolway.gateway import Gateway


def call(
    app: Annotated[str, typer.Argument(help="The app's id.", show_default=False)],
    tool: Annotated[str, typer.Argument(help="The tool's name.", show_default=False)],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE...", help="Arguments; a value is JSON, or else text.", show_default=False
        ),
    ] = None,
    file: ConfigurationFile = DEFAULT_FILE,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "-H",
            "--header",
            metavar="NAME: VALUE",
            help="A header of the call, such as a key.",
            show_default=False,
        ),
    ] = None,
    connect_to: ConnectTo = None,
    output: Output = OutputFormat.text,
) -> None:
    """Call a tool and print what a model would get. The status is 1 where that is an error."""
    given = dict(_argument(text) for text in arguments or ())
    headers = [_header(text) for text in header or ()]
    gateway = Gateway(file, connect_to=connections(connect_to))
    # Standard output is for the answer alone.
    compiled = gateway.build(access_log=False)
    try:
        result = gateway.call(app, tool, given, headers)
    except KeyError as error:
        tools = {
            entry["id"]: [tool["name"] for tool in entry["tools"]] for entry in compiled.document["apps"]
        }
        raise Misuse(_unknown(app, tool, tools)) from error
    if output is OutputFormat.json:
        print_json(result)
    else:
        for block in result.get("content", []):
            _print_block(block)
    if result.get("isError"):
        if output is OutputFormat.text:
            errors().print("toolway: the call failed (isError)")
        raise typer.Exit(1)


def _argument(text: str) -> tuple[str, Any]:
    name, separator, written = text.partition("=")
    if not separator or not name:
        raise Misuse(f'an argument is KEY=VALUE, not "{text}"')
    try:
        return name, json.loads(written)
    except ValueError:
        return name, written


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator or not name.strip():
        raise Misuse("a header is NAME: VALUE")
    return name.strip(), value.strip()


def _unknown(app: str, tool: str, tools: dict[str, list[str]]) -> str:
    if app not in tools:
        return f'there is no app "{app}"; the configuration has {", ".join(tools) or "none"}'
    return f'the app "{app}" has no tool "{tool}"; it has {", ".join(tools[app]) or "none"}'


def _print_block(block: dict[str, Any]) -> None:
    if block.get("type") == "text":
        print_text(str(block.get("text", "")))
    else:
        print_json(block)
