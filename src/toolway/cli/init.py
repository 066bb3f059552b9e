"""`toolway init`: writes a first toolway.yaml with comments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolway.cli.failure import Misuse
from toolway.cli.output import DEFAULT_FILE, ConfigurationFile, print_text, write_whole
from toolway.openapi import read
from toolway.openapi.source import is_url
from toolway.scaffold import configuration_text


def init(
    spec: Annotated[
        str | None,
        typer.Argument(help="File or URL of an OpenAPI document to begin with.", show_default=False),
    ] = None,
    file: ConfigurationFile = DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a toolway.yaml with comments: an example, or around an OpenAPI document."""
    if file.exists() and not force:
        raise Misuse(f"{file} is there already; --force replaces it")
    if spec is None:
        text = configuration_text()
    else:
        document = read(spec)
        text = configuration_text(specification(spec, file), document)
    write_whole(file, text)
    print_text(f"wrote {file}; next: toolway check -c {file}")


def specification(spec: str, file: Path) -> str:
    """How `file` names `spec`: relative to its folder where it lies below that, else absolute."""
    if is_url(spec):
        return spec
    path, folder = Path(spec).resolve(), file.resolve().parent
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
