"""Sources: a configuration as plain data, together with where in its file each value stands.

A source comes from a file (`load`) or from data that has no file (`Source.of_data`). Nothing here knows what
a field means; `parse` does. Problems that leave the rest readable (a doubled key, a missing environment
value) are kept in `Source.problems`, so that they are told along with all others.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from toolway.config.composing import Composer
from toolway.config.errors import CODES
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolway.secret_managers import ManagedSecrets

MAXIMUM_BYTES = 50_000_000


class Place(NamedTuple):
    """Where a value stands, and its key where it has one; all from 1."""

    line: int
    column: int
    key_line: int
    key_column: int


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration before it is checked."""

    file: str | None
    """The file's name for messages."""
    folder: Path
    """What relative paths in it are relative to."""
    data: Any = field(repr=False)
    """None, bool, int, float, str, list and dict with text keys."""
    places: Mapping[str, Place] = field(default_factory=dict, repr=False)
    """By JSON pointer."""
    problems: tuple[Problem, ...] = ()
    hidden: frozenset[str] = frozenset()
    """Pointers whose values came from the environment and are not shown."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_confined: bool = False
    """Whether files outside `folder` are out of bounds, since others than the machine's owner write this."""
    managed: ManagedSecrets | None = field(default=None, repr=False)
    """What reads from secret managers; none: they are not read."""
    closed: frozenset[str] = frozenset()
    """Pointers of routes that need not say where requests go: they are there to refuse them."""

    @classmethod
    def of_data(cls, data: Any, *, folder: Path, environment: Mapping[str, str] | None = None) -> Source:
        """A source without a file: problems name only the pointer."""
        return cls(None, folder, data, environment=os.environ if environment is None else environment)

    def place(self, pointer: str) -> Place | None:
        """The place of `pointer`, or of the nearest value around it that the file has."""
        while pointer not in self.places and pointer:
            pointer = pointer.rpartition("/")[0]
        return self.places.get(pointer)

    def problem(
        self, code: str, message: str, pointer: str, *, hint: str | None = None, at_key: bool = False
    ) -> Problem:
        """A problem at `pointer`; `at_key` points at the key instead of the value."""
        if code not in CODES:
            raise ValueError(f"{code} is not in the table of codes")
        place = self.place(pointer)
        if place is None:
            return Problem(code, message, self.file, pointer=pointer, hint=hint)
        line, column = (place.key_line, place.key_column) if at_key else (place.line, place.column)
        return Problem(code, message, self.file, line, column, pointer, hint)


def pointer_to(*parts: object) -> str:
    """The JSON pointer (RFC 6901) of `parts`, escaped; none: the whole document."""
    pointer = ""
    for part in parts:
        name = str(part)
        if "~" in name or "/" in name:
            name = name.replace("~", "~0").replace("/", "~1")
        pointer += f"/{name}"
    return pointer


def load(path: Path, *, environment: Mapping[str, str] | None = None, content: bytes | None = None) -> Source:
    """Reads a YAML or JSON file of at most 50 MB.

    `content` is what the file holds, where that is known already. `environment` fills in `${NAME}`; the
    process's own by default. Raises ConfigurationError where the file cannot be read as YAML at all; every
    other mistake is kept in `Source.problems`.
    """
    environment = os.environ if environment is None else environment
    name = str(path)
    text = _text(read_file(path) if content is None else content, name)
    composer = Composer(name, environment)
    try:
        data = composer.compose(text)
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError([_syntax(name, text, error)]) from error
    except yaml.YAMLError as error:
        said = getattr(error, "reason", "it cannot be read")
        raise ConfigurationError([Problem("yaml-syntax", f"the file is not YAML: {said}", name)]) from error
    places = {pointer: Place(*numbers) for pointer, numbers in composer.places.items()}
    hidden = frozenset(composer.hidden)
    folder = path.parent
    return Source(name, folder, data, places, tuple(composer.problems), hidden, environment)


def read_file(path: Path) -> bytes:
    """The content of a configuration file. Raises ConfigurationError."""
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        message = f"the file cannot be read: {error.strerror or error}"
        raise ConfigurationError([Problem("file-unreadable", message, name)]) from error
    except ValueError as error:
        raise ConfigurationError(
            [Problem("file-unreadable", "the name is not one of a file", name)]
        ) from error
    if len(content) > MAXIMUM_BYTES:
        message = f"the file has more than {MAXIMUM_BYTES:,} bytes"
        raise ConfigurationError([Problem("file-too-large", message, name)])
    return content


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = "the file is not UTF-8 text"
        raise ConfigurationError([Problem("file-unreadable", message, name, line)]) from error


def _syntax(name: str, text: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    said = " ".join(part for part in (error.context, error.problem) if part)
    line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
    hint = None
    lines = text.splitlines()
    if line is not None and line <= len(lines) and "${" in lines[line - 1]:
        hint = 'put quotes around "${NAME}" inside [...] and {...}'
    return Problem("yaml-syntax", f"the file is not YAML: {said}", name, line, column, hint=hint)
