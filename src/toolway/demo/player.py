"""Plays ChatGPT against the running gateway, and says whether all went as it should.

Chapters are independent of each other: one that deviates is marked and the next is played nevertheless. What
is asked is in `web` (manifest and GPT Actions over HTTP) and `tooling` (MCP, both eras); how it looks is in
`screen`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import httpx
from mcp import MCPError

from toolway.demo.play import Deviation
from toolway.demo.published import DocumentError
from toolway.demo.tooling import ERAS, McpPlay
from toolway.demo.web import WebPlay

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolway.demo.play import Stage
    from toolway.demo.screen import Screen

# What an answer that nobody foresaw looks like from here: a missing field, no JSON, a connection that breaks.
_UNFORESEEN = (KeyError, IndexError, TypeError, ValueError, AttributeError, OSError)


def play(screen: Screen, stage: Stage) -> bool:
    """Plays all chapters against the gateway at `stage`; whether none deviated."""
    with httpx.Client(base_url=stage.origin, timeout=30, trust_env=False) as client:
        web = WebPlay(screen, client, stage)
        screen.chapter("ChatGPT meets the plugin: the manifest, the document, the calls")
        _chapter(screen, lambda: _over_http(web))
    for version in ERAS:
        screen.chapter(f"The official MCP client, protocol {version}")
        _chapter(screen, lambda version=version: anyio.run(McpPlay(screen, stage, version).perform))  # type: ignore[misc]
    return screen.failures == 0


def _over_http(web: WebPlay) -> None:
    document = web.discover()
    web.ask(document)
    web.order(document)
    web.exhaust(document)


def _chapter(screen: Screen, perform: Callable[[], None]) -> None:
    try:
        perform()
    except BaseExceptionGroup as group:
        # The MCP client's task groups wrap what went wrong inside; the first cause is the one to tell.
        screen.failed(_told(_first(group)))
    except (Deviation, DocumentError, httpx.HTTPError, MCPError, *_UNFORESEEN) as error:
        screen.failed(_told(error))


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        raise error
    return error


def _told(error: BaseException) -> str:
    if isinstance(error, (Deviation, DocumentError, MCPError)):
        return str(error)
    return f"{type(error).__name__}: {error}"
