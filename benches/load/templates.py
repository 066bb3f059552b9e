"""Fills the files in `peers/`: `@NAME@` is a value, lines between `@repeat COUNT@` and `@end@` are repeated.

Within repeated lines `@NUMBER@` counts from 0. So a configuration with 100,000 consumers is one short file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PEERS = Path(__file__).parent / "peers"

_REPEATED = re.compile(r"^[ \t]*@repeat (\d+)@\n(.*?)^[ \t]*@end@\n", re.MULTILINE | re.DOTALL)
_VALUE = re.compile(r"@([A-Z][A-Z0-9_]*)@")


def filled(text: str, values: Mapping[str, object]) -> str:
    """`text` with its values. Raises KeyError for a name that has none."""

    def repeated(match: re.Match[str]) -> str:
        pieces = match[2].split("@NUMBER@")
        return "".join(str(number).join(pieces) for number in range(int(match[1])))

    return _VALUE.sub(lambda match: str(values[match[1]]), _REPEATED.sub(repeated, text))


def templates(peer: str, configuration: str) -> list[Path]:
    """The files of one configuration of a peer, `CONFIGURATION.*`; none where the peer cannot do it."""
    return sorted(path for path in (PEERS / peer).iterdir() if path.name.split(".", 1)[0] == configuration)


def write(peer: str, configuration: str, folder: Path, values: Mapping[str, object]) -> None:
    """Fills the files of one configuration into `folder`."""
    for template in templates(peer, configuration):
        write_file(template, folder, values)()


def write_file(template: Path, folder: Path, values: Mapping[str, object]) -> Callable[[], Path]:
    """Fills one file; what is returned puts it in place whole."""
    unfinished = folder.parent / f".{folder.name}-{template.name}"
    unfinished.write_text(filled(template.read_text(), values))
    return lambda: unfinished.replace(folder / template.name)


def changing(peer: str, configuration: str) -> list[Path]:
    """Those of the files that hold a value which changes while the peer runs."""
    return [path for path in templates(peer, configuration) if "@CHANGE@" in path.read_text()]
