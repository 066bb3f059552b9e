"""`toolway store`: the commands for a store itself, apart from the gateway that uses it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolway.cli.failure import Failure
from toolway.cli.output import print_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


@store.callback()
def about() -> None:
    """Care for the store of a gateway that is configured live."""


@store.command("rotate-key")
def rotate_key(data: DataFolder = DEFAULT_DATA, url: StoreUrl = None) -> None:
    """Replace the master key: seal all secrets with a new one, in one transaction."""
    # Only here, since reading these modules takes longer than most other commands.
    from toolway.store import Sealer, Store, StoreError

    if url is None and not (data / "store.db").exists():
        raise Failure(f"there is no store in {data}")
    try:
        with Store.open(url or data, sealer=Sealer.load(data, os.environ, _nothing)) as opened:
            count = opened.rotate_key()
            name = opened.name
    except StoreError as error:
        raise Failure(str(error)) from error
    print_text(f"{name}: {count} secret{'' if count == 1 else 's'} sealed with a new master key")


def _nothing(_kind: str, _value: Mapping[str, object]) -> Iterable[str]:
    """No secret places: nothing is written that would have some."""
    return ()
