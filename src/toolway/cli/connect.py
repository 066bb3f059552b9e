"""The option `--connect-to HOST:PORT:HOST2:PORT2`, as in curl: where connections to a node go instead."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from toolway.cli.failure import Misuse

ConnectTo = Annotated[
    list[str] | None,
    typer.Option(
        "--connect-to",
        metavar="HOST:PORT:HOST2:PORT2",
        help="Connect to HOST2:PORT2 where a node is HOST:PORT; repeatable. Names in requests and TLS stay.",
        show_default=False,
    ),
]
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)"
_CONNECT_TO = re.compile(rf"({_HOST}:\d{{1,5}}):({_HOST}:\d{{1,5}})")


def connections(written: list[str] | None) -> dict[str, str]:
    """`host:port` of nodes -> `host:port` to connect to. Raises Misuse."""
    found: dict[str, str] = {}
    for text in written or ():
        match = _CONNECT_TO.fullmatch(text)
        if match is None:
            raise Misuse(
                f'--connect-to takes HOST:PORT:HOST2:PORT2, as "api.example:443:127.0.0.1:8443", not "{text}"'
            )
        found[match[1]] = match[2]
    return found
