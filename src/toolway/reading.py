"""What a configuration names, read: the file itself, OpenAPI documents, logos, at each load of the gateway.

It remembers every file that it read or looked for, so that the gateway knows when to read again. It compiles
and applies nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from toolway import openapi
from toolway.address_lists import AddressListError, AddressLists
from toolway.compile.publishing import image_type
from toolway.config import Configuration, load, parse
from toolway.config.address_sources import placed_sources
from toolway.config.source import read_file
from toolway.problem import ConfigurationError, Problem
from toolway.secret_managers import ManagedSecrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from toolway.config.models import Api, App
    from toolway.openapi.model import Document

_MAXIMUM_LOGO_BYTES = 2 << 20
_URL = re.compile(r"https?://", re.IGNORECASE)
_REFERENCE_TO_FILE = re.compile(rb"""\$ref["']?\s*:\s*["']?[^#"'\s]""")

Stamp = tuple[int, int, int] | None
"""What tells one version of a file from the next: time of change in ns, size, inode; none: no such file."""


def read_logo(path: Path) -> bytes:
    """The PNG, JPEG or SVG image in a file. Raises OSError, and ValueError for anything else."""
    with path.open("rb") as file:
        return _checked_logo(file.read(_MAXIMUM_LOGO_BYTES + 1))


def logo_of_url(url: str) -> bytes:
    """The image in a data URL (RFC 2397) in base64. Raises ValueError for anything else."""
    head, comma, content = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise ValueError("it is not a data URL in base64")
    try:
        return _checked_logo(base64.b64decode(content, validate=True))
    except binascii.Error as error:
        raise ValueError("it is not base64") from error


def _checked_logo(image: bytes) -> bytes:
    if len(image) > _MAXIMUM_LOGO_BYTES:
        raise ValueError(f"it has more than {_MAXIMUM_LOGO_BYTES:,} bytes")
    if image_type(image) is None:
        raise ValueError("it is not a PNG, JPEG or SVG image")
    return image


def address_lists_of(
    configuration: Configuration, read: Callable[[str], tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """The networks of each source that plugins name, as `read` gives them. Raises ConfigurationError."""
    found: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    for pointer, source in placed_sources(configuration):
        try:
            found[source] = found[source] if source in found else read(source)
        except AddressListError as error:
            message = f"the address list cannot be used: {error}"
            problems.append(configuration.source.problem("address-list-unreadable", message, pointer))
    if problems:
        raise ConfigurationError(problems)
    return found


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@dataclass(slots=True)
class Reader:
    """Reads what a configuration names. Documents are kept by content: a reload reads what changed."""

    plugin_schemas: Mapping[str, Any]
    """As the engine tells them: plugin name -> {"priority", "schema"}."""
    managed: ManagedSecrets = field(default_factory=ManagedSecrets)
    """What secret managers have told."""
    lists: AddressLists = field(default_factory=AddressLists)
    """What publishers of addresses have told."""
    _stamps: dict[Path, Stamp] = field(default_factory=dict)
    _documents: dict[str, Document] = field(default_factory=dict)

    def content(self, path: Path) -> bytes:
        """What the file `path` holds. Raises ConfigurationError."""
        self._note(path)
        return read_file(path)

    def configuration(self, path: Path, content: bytes) -> Configuration:
        """The configuration in the file `path`, which holds `content`. Raises ConfigurationError."""
        source = replace(load(path, content=content), managed=self.managed)
        configuration = parse(source, plugin_schemas=self.plugin_schemas)
        self.managed.keep_only([manager.settings for manager in configuration.secrets.values()])
        for file in configuration.files:
            self._note(file)
        return configuration

    def documents(self, configuration: Configuration) -> dict[str, Document]:
        """The document of each api by its id. Raises ConfigurationError with the problems of all of them."""
        found: dict[str, Document] = {}
        kept: dict[str, Document] = {}
        problems: list[Problem] = []
        for api in configuration.apis:
            key = self._key(api, configuration.source.folder)
            document = self._documents.get(key) if key else None
            try:
                document = document or openapi.read(api.spec, base=configuration.source.folder)
            except ConfigurationError as error:
                problems += [
                    configuration.source.problem(
                        "spec-unreadable", f"the document cannot be used: {problem}", f"{api.pointer}/spec"
                    )
                    for problem in error.problems
                ]
                continue
            found[api.id] = document
            if key:
                kept[key] = document
        if problems:
            raise ConfigurationError(problems)
        self._documents = kept
        return found

    def logos(self, configuration: Configuration) -> dict[str, bytes]:
        """The image of each app that has one, by its id. Raises ConfigurationError."""
        found: dict[str, bytes] = {}
        problems: list[Problem] = []
        for app in configuration.apps:
            if app.logo is None:
                continue
            try:
                found[app.id] = self._logo(app, configuration.source.folder)
            except (OSError, ValueError) as error:
                message = f"the logo cannot be used: {error}"
                problems.append(
                    configuration.source.problem("logo-unreadable", message, f"{app.pointer}/logo")
                )
        if problems:
            raise ConfigurationError(problems)
        return found

    def address_lists(self, configuration: Configuration) -> dict[str, tuple[str, ...]]:
        """The networks of each source that plugins name. Raises ConfigurationError."""
        folder = configuration.source.folder
        data = folder / configuration.gateway.data
        if data.is_dir():
            self.lists.keep_in(data / "address_lists")
        used: set[str] = set()

        def read(source: str) -> tuple[str, ...]:
            place = source
            if not openapi.is_url(source):
                path = folder / source
                self._note(path)
                place = str(path)
            used.add(place)
            return self.lists.read(place)

        found = address_lists_of(configuration, read)
        self.lists.keep_only(used)
        return found

    def forget(self) -> None:
        """Makes the next reload read every document anew, and has address lists looked at again."""
        self._documents.clear()
        self.lists.look_again()

    def has_changed(self) -> bool:
        """Whether a file is another than when it was read. A change is told once, so a wrong file is too."""
        changed = {path: stamp for path, old in self._stamps.items() if (stamp := _stamp(path)) != old}
        self._stamps.update(changed)
        return bool(changed)

    def _logo(self, app: App, folder: Path) -> bytes:
        if (app.logo or "").startswith("data:"):
            return logo_of_url(app.logo or "")
        path = folder / (app.logo or "")
        self._note(path)
        return read_logo(path)

    def _key(self, api: Api, folder: Path) -> str | None:
        """What a document is kept by; none for one that leads to other files, whose changes it would hide."""
        if isinstance(api.spec, dict):
            content = json.dumps(api.spec, sort_keys=True).encode()
        elif _URL.match(api.spec):
            return api.spec
        else:
            path = folder / api.spec
            self._note(path)
            try:
                content = path.read_bytes()
            except (OSError, ValueError):
                return None
        if _REFERENCE_TO_FILE.search(content):
            return None
        return f"{folder}:{hashlib.sha256(content).hexdigest()}"

    def _note(self, path: Path) -> None:
        self._stamps[path] = _stamp(path)
