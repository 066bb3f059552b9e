"""`toolway call`: calls a tool as a model would, through its route, and prints what the model would get; or
lists the tools that a caller is shown.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from toolway.cli.connect import ConnectTo, connections
from toolway.cli.failure import Failure, Misuse
from toolway.cli.output import (
    DEFAULT_FILE,
    ConfigurationFile,
    Output,
    OutputFormat,
    errors,
    print_json,
    print_text,
    visible,
)
from toolway.compile import Compiled, headers_of_caller
from toolway.gateway import Gateway


def call(
    app: Annotated[str, typer.Argument(help="The app's id.", show_default=False)],
    tool: Annotated[str | None, typer.Argument(help="The tool's name.", show_default=False)] = None,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE...",
            help="Arguments; a value is JSON, or else text. Or all of them as a JSON object.",
            show_default=False,
        ),
    ] = None,
    file: ConfigurationFile = DEFAULT_FILE,
    as_key: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="KEY", help="Call as the caller with this key or token.", show_default=False
        ),
    ] = None,
    list_tools: Annotated[
        bool, typer.Option("--list", help="List the tools that the caller is shown instead of calling one.")
    ] = False,
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
    if list_tools == (tool is not None):
        raise Misuse("name the tool to call, or ask for a list of the tools with --list")
    given = {name: value for text in arguments or () for name, value in _arguments(text)}
    headers = [_header(text) for text in header or ()]
    gateway = Gateway(file, connect_to=connections(connect_to))
    # Standard output is for the answer alone.
    compiled = gateway.build(access_log=False)
    if as_key is not None:
        headers += headers_of_caller(compiled.document, app, as_key)
    try:
        if tool is None:
            _print_tools(gateway.tools(app, headers), output)
        else:
            _print_result(gateway.call(app, tool, given, headers), output)
    except KeyError as error:
        raise Misuse(_unknown(app, tool, compiled)) from error
    except PermissionError as error:
        raise Failure(f"the caller is refused: {error}") from error


def _print_tools(tools: list[dict[str, Any]], output: OutputFormat) -> None:
    if output is OutputFormat.json:
        print_json(tools)
        return
    width = max((len(each["name"]) for each in tools), default=0)
    for each in tools:
        print_text(f"{each['name']:<{width}}  {visible(each.get('title', ''))}".rstrip())


def _print_result(result: dict[str, Any], output: OutputFormat) -> None:
    if output is OutputFormat.json:
        print_json(result)
    else:
        for block in result.get("content", []):
            _print_block(block)
    if result.get("isError"):
        if output is OutputFormat.text:
            errors().print("toolway: the call failed (isError)")
        raise typer.Exit(1)


def _arguments(text: str) -> list[tuple[str, Any]]:
    """One argument, or those of a JSON object."""
    if text.startswith("{"):
        try:
            whole = json.loads(text)
        except ValueError as error:
            raise Misuse(f"the arguments are no JSON object: {error}") from error
        return list(whole.items())
    name, separator, written = text.partition("=")
    if not separator or not name:
        raise Misuse(f'an argument is KEY=VALUE, not "{text}"')
    try:
        return [(name, json.loads(written))]
    except ValueError:
        return [(name, written)]


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator or not name.strip():
        raise Misuse("a header is NAME: VALUE")
    return name.strip(), value.strip()


def _unknown(app: str, tool: str | None, compiled: Compiled) -> str:
    tools = {entry["id"]: [each["name"] for each in entry["tools"]] for entry in compiled.document["apps"]}
    if app not in tools:
        return f'there is no app "{app}"; the configuration has {", ".join(tools) or "none"}'
    return f'the app "{app}" has no tool "{tool}"; it has {", ".join(tools[app]) or "none"}'


def _print_block(block: dict[str, Any]) -> None:
    if block.get("type") == "text":
        print_text(str(block.get("text", "")))
    else:
        print_json(block)
