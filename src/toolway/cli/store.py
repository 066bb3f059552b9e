"""`toolway store`: the commands for a store itself, apart from the gateway that uses it."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolway.cli.failure import Failure
from toolway.cli.output import Output, OutputFormat, print_json, print_problems, print_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    from toolway.store import Store

DataFolder = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="The data folder.", show_default=True)
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="TOOLWAY_STORE",
        help="A PostgreSQL that has the store instead of the data folder.",
        show_default=False,
    ),
]
DEFAULT_DATA = Path(".toolway")

store = typer.Typer(
    help="Care for the store of a gateway that is configured live.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Secrets(StrEnum):
    """What an export has in place of secrets."""

    sealed = "sealed"
    left_out = "left-out"


@store.callback()
def about() -> None:
    """Care for the store of a gateway that is configured live."""


@store.command("rotate-key")
def rotate_key(data: DataFolder = DEFAULT_DATA, url: StoreUrl = None) -> None:
    """Replace the master key: seal all secrets with a new one, in one transaction."""
    from toolway.store import StoreError

    if url is None and not (data / "store.db").exists():
        raise Failure(f"there is no store in {data}")
    try:
        with _opened(data, url, read_only=False) as opened:
            count = opened.rotate_key()
            name = opened.name
    except StoreError as error:
        raise Failure(str(error)) from error
    print_text(f"{name}: {count} secret{'' if count == 1 else 's'} sealed with a new master key")


@store.command("export")
def export(
    data: DataFolder = DEFAULT_DATA,
    url: StoreUrl = None,
    secrets: Annotated[
        Secrets, typer.Option("--secrets", help="What stands in place of secrets.", show_default=True)
    ] = Secrets.sealed,
    output: Output = OutputFormat.text,
) -> None:
    """Print all that the store has as a file for `toolway apply`; also while a gateway runs on it."""
    from toolway import _engine
    from toolway.admin.masking import shown
    from toolway.config.secret_places import SecretPlaces
    from toolway.declarative import exported
    from toolway.declarative.dumping import as_yaml
    from toolway.store import StoreError

    places = SecretPlaces(json.loads(_engine.plugin_schemas()))
    hidden = None if secrets is Secrets.sealed else partial(shown, places)
    try:
        with _opened(data, url, read_only=True) as opened:
            document = exported(opened, hidden)
    except StoreError as error:
        raise Failure(str(error)) from error
    if output is OutputFormat.json:
        print_json(document)
    else:
        print_text(as_yaml(document) if document else "{}\n")


@store.command("verify")
def verify(data: DataFolder = DEFAULT_DATA, url: StoreUrl = None, output: Output = OutputFormat.text) -> None:
    """Read everything in the store and tell what is wrong with it; status 1 where something is."""
    from toolway.declarative import verified
    from toolway.store import StoreError

    try:
        with _opened(data, url, read_only=True) as opened:
            found, name = verified(opened), opened.name
    except StoreError as error:
        raise Failure(str(error)) from error
    if output is OutputFormat.json:
        print_json({"problems": [problem.as_dict() for problem in found.problems]})
    else:
        print_problems(found.problems)
        count = len(found.problems)
        said = f"{count} problem{'' if count == 1 else 's'}" if count else "all is well"
        print_text(f"{name}: {found.resources} resources, {found.revisions} revisions: {said}")
    if found.problems:
        raise typer.Exit(1)


def _opened(data: Path, url: str | None, *, read_only: bool) -> AbstractContextManager[Store]:
    """The store of the folder or at the URL. Raises StoreError."""
    # Only here, since reading these modules takes longer than most other commands.
    from toolway.store import Sealer, Store

    return Store.open(url or data, sealer=Sealer.load(data, os.environ, _nothing), read_only=read_only)


def _nothing(_kind: str, _value: Mapping[str, object]) -> Iterable[str]:
    """No secret places: nothing is written that would have some."""
    return ()
