"""`toolway import`: tells what an OpenAPI document gives, and adds it to a configuration."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # Typer reads annotations at run time.
from typing import Annotated

import typer

from toolway.cli.failure import Misuse
from toolway.cli.init import specification
from toolway.cli.output import DEFAULT_FILE, Output, OutputFormat, errors, print_json, print_text, write_whole
from toolway.cli.report import print_report
from toolway.openapi import read, report
from toolway.scaffold import ScaffoldError, api_entry, identifier, with_api


def import_api(
    spec: Annotated[
        str, typer.Argument(metavar="FILE|URL", help="The OpenAPI document.", show_default=False)
    ],
    api_id: Annotated[
        str | None, typer.Option("--id", help="The api's id; made from the title.", show_default=False)
    ] = None,
    prefix: Annotated[str, typer.Option(help="Put before its paths at the gateway, such as /shop.")] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            "-c", "--config", metavar="FILE", help="Add the api to this configuration.", show_default=False
        ),
    ] = None,
    output: Output = OutputFormat.text,
) -> None:
    """Report on an OpenAPI document, and print its entry for `apis`, or with -c add it to that file."""
    document = read(spec)
    chosen = api_id or identifier(document.title)
    if output is OutputFormat.json:
        print_json(report(document, chosen))
    else:
        print_report(report(document, chosen))
    if file is None:
        if output is OutputFormat.text:
            print_text("\napis:\n" + api_entry(chosen, specification(spec, DEFAULT_FILE), document, prefix))
        return
    entry = api_entry(chosen, specification(spec, file), document, prefix)
    try:
        text = with_api(file.read_text(encoding="utf-8") if file.exists() else "", entry, chosen)
    except ScaffoldError as error:
        errors().print(entry)
        raise Misuse(f"{file}: {error}; its entry stands above") from error
    write_whole(file, text)
    errors().print(f'added the api "{chosen}" to {file}')
