"""Progress of what may take long, on standard error: moving on terminals, now and then a line elsewhere."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from toolway.cli.output import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

_SILENT_SECONDS = 5.0
"""What is done sooner says nothing where nobody looks on."""


@contextmanager
def working(doing: str) -> Iterator[None]:
    """Says within the block that something is done, and for how long by now."""
    console = errors()
    if console.is_terminal:
        with console.status(doing):
            yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_say, args=(console, doing, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def counting() -> Iterator[Callable[[str, int, int], None]]:
    """Gives what is told a name, how many are done, and of how many."""
    console = errors()
    begun = time.monotonic()
    said = begun

    def count(name: str, done: int, total: int) -> None:
        nonlocal said
        if not console.is_terminal and time.monotonic() - said > _SILENT_SECONDS:
            said = time.monotonic()
            console.print(f"{name}: {done:,} of {total:,}")

    if not console.is_terminal:
        yield count
        return
    with console.status("reading") as status:
        yield lambda name, done, total: status.update(f"reading {name}: {done:,} of {total:,}")


def _say(console: Console, doing: str, done: threading.Event) -> None:
    begun = time.monotonic()
    while not done.wait(_SILENT_SECONDS):
        console.print(f"{doing}: {time.monotonic() - begun:.0f} s")
