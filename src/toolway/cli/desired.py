"""What `toolway plan` and `apply` share: a file is read and sent, and what the Admin API answers is told."""

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

    from toolway.declarative.client import AdminClient

DIFFERENT = 3
"""The exit status of a plan that has changes."""
_COLOURS = {"make": "green", "change": "yellow", "delete": "red"}


def command(
    doing: str, send: Callable[[AdminClient, dict[str, Any], str], dict[str, Any]], *, is_done: bool
) -> Callable[..., None]:
    """The command that does with a file what `send` does with its resources and their owner.

    `doing` says it while it lasts. `is_done`: the changes were made, and are no reason for another status.
    """

    def run(
        file: DesiredFile = Path("toolway.yaml"),
        admin: AdminUrl = DEFAULT_URL,
        key_file: KeyFile = None,
        ca: Authorities = None,
        cert: Certificate = None,
        cert_key: CertificateKey = None,
        owner: Owner = DEFAULT_OWNER,
        output: Output = OutputFormat.text,
    ) -> None:
        document = _read(file)
        with admin_client(admin, key_file, ca, cert, cert_key) as client:
            found = _sent(document, doing, lambda: send(client, document.resources, owner))
        _tell(found, output, is_done=is_done)
        if found["changes"] and not is_done:
            raise typer.Exit(DIFFERENT)

    return run


def _read(file: Path) -> Document:
    """The file; says where a part of it is not for a running gateway."""
    document = read_document(file)
    if document.has_gateway:
        errors().print(f"{file}: `gateway` is not sent: it holds for the process that is started with it")
    return document


def _sent(document: Document, doing: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the Admin API answers; what it refuses is told at the places in the file."""
    try:
        with working(f"{doing} {document.count:,} resources"):
            return call()
    except ConfigurationError as error:
        raise ConfigurationError(document.at_places(list(error.problems))) from error


def _tell(found: Mapping[str, Any], output: OutputFormat, *, is_done: bool) -> None:
    """Prints a plan, for people or for programs."""
    if output is OutputFormat.json:
        print_json(found)
        return
    console = answers()
    for action, line in lines_of(found):
        console.print(visible(line), style=_COLOURS.get(action))
    console.print(summary_of(found, is_done=is_done))
