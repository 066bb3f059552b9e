"""`toolway plan`: what `toolway apply` would change, field by field."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from toolway.cli.admin_options import (
    DEFAULT_OWNER,
    DEFAULT_URL,
    AdminUrl,
    Authorities,
    Certificate,
    CertificateKey,
    DesiredFile,
    KeyFile,
    Owner,
    admin_client,
)
from toolway.cli.output import Output, OutputFormat, answers, errors, print_json, visible
from toolway.cli.working import working
from toolway.declarative import Document, read_document
from toolway.declarative.telling import lines_of, summary_of
from toolway.problem import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIFFERENT = 3
"""The exit status of a plan that has changes."""
_COLOURS = {"make": "green", "change": "yellow", "delete": "red"}


def plan(
    file: DesiredFile = Path("toolway.yaml"),
    admin: AdminUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    ca: Authorities = None,
    cert: Certificate = None,
    cert_key: CertificateKey = None,
    owner: Owner = DEFAULT_OWNER,
    output: Output = OutputFormat.text,
) -> None:
    """Show what `apply` would make, change and delete; status 3 where there is something."""
    document = read(file)
    with admin_client(admin, key_file, ca, cert, cert_key) as client:
        found = sent(document, "comparing", lambda: client.plan(document.resources, owner))
    tell(found, output, is_done=False)
    if found["changes"]:
        raise typer.Exit(DIFFERENT)


def read(file: Path) -> Document:
    """The file; says where a part of it is not for a running gateway."""
    document = read_document(file)
    if document.has_gateway:
        errors().print(f"{file}: `gateway` is not sent: it holds for the process that is started with it")
    return document


def sent(document: Document, doing: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the Admin API answers; what it refuses is told at the places in the file."""
    try:
        with working(f"{doing} {document.count:,} resources"):
            return call()
    except ConfigurationError as error:
        raise ConfigurationError(document.at_places(list(error.problems))) from error


def tell(found: Mapping[str, Any], output: OutputFormat, *, is_done: bool) -> None:
    """Prints a plan, for people or for programs."""
    if output is OutputFormat.json:
        print_json(found)
        return
    console = answers()
    for action, line in lines_of(found):
        console.print(visible(line), style=_COLOURS.get(action))
    console.print(summary_of(found, is_done=is_done))
