"""The options of commands that speak to a running gateway's Admin API, and the client that they make."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolway.cli.failure import Failure, Misuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.declarative.client import AdminClient

DEFAULT_URL = "http://127.0.0.1:9180"
VARIABLE = "TOOLWAY_ADMIN_KEY"

AdminUrl = Annotated[str, typer.Option("--admin", metavar="URL", help="Where the Admin API is.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="FILE", help=f"Has the key; without it, {VARIABLE} is.", show_default=False
    ),
]
Authorities = Annotated[
    Path | None,
    typer.Option("--ca", metavar="FILE", help="Authorities to believe, PEM.", show_default=False),
]
Certificate = Annotated[
    Path | None,
    typer.Option("--cert", metavar="FILE", help="A certificate to show, PEM.", show_default=False),
]
CertificateKey = Annotated[
    Path | None,
    typer.Option("--cert-key", metavar="FILE", help="The key of --cert, PEM.", show_default=False),
]
Owner = Annotated[
    str,
    typer.Option("--owner", help="Whose resources these are: only what the same owner applied is deleted."),
]
DesiredFile = Annotated[
    Path, typer.Option("-f", "--file", metavar="FILE", help="What there should be, YAML or JSON.")
]
DEFAULT_OWNER = "toolway"


@contextmanager
def admin_client(
    url: str, key_file: Path | None, ca: Path | None, cert: Path | None, cert_key: Path | None
) -> Iterator[AdminClient]:
    """The client within the block, where its errors become failures of the command."""
    # Only here, since an HTTP client takes memory that a gateway can do without.
    from toolway.declarative.client import AdminClient, AdminError

    try:
        with AdminClient(url, _key(key_file), ca=ca, cert=cert, cert_key=cert_key) as client:
            yield client
    except AdminError as error:
        raise Failure(str(error)) from error


def _key(file: Path | None) -> str:
    if file is None:
        key = os.environ.get(VARIABLE, "")
        if not key:
            raise Misuse(f"set {VARIABLE} to the key of the Admin API, or name a file with --key-file")
    else:
        try:
            key = file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise Misuse(f"{file} cannot be read: {error}") from error
    if not key.isascii() or not key.isprintable() or not key:
        raise Misuse("the key has signs that cannot be in a header")
    return key
