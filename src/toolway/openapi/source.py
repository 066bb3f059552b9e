"""The files or URLs that make up one document: opened once each, within the root's folder or origin.

`read` opens the root; `resolve` asks for the others by the reference that names them. A local document
reaches other files below its own folder and no URL; a fetched one reaches its own origin; an inline one
reaches files below `base`, where one is given. Nothing here looks inside the data.
"""

from __future__ import annotations

import datetime
import gzip
import io
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

from toolway.openapi.address import origin_of, redacted
from toolway.openapi.place import UnusableError, source_of
from toolway.openapi.text import locate, parse
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolway.openapi.fetch import Fetched
    from toolway.openapi.limits import Limits

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 16


def _fetcher() -> Callable[..., Fetched]:
    """Only here, since an HTTP client takes 12 MB, and most gateways fetch nothing."""
    from toolway.openapi.fetch import fetch

    return fetch


@dataclass(frozen=True, slots=True)
class Kept:
    """A fetched document as data, to be read again without the network."""

    url: str
    """Where its root was in the end, after redirects."""
    parts: Mapping[str, Any] = field(repr=False)
    """What was read of it, by name; the root's is empty."""


def is_url(spec: str) -> bool:
    """Whether a specification names a URL rather than a path."""
    return spec[:8].lower().startswith(("http://", "https://"))


class Sources:
    """The parts of one document by name: empty for the root, a quoted relative path, or a URL."""

    def __init__(
        self, spec: str | Path | dict[str, Any] | Kept, base: Path | None, limits: Limits, allow_private: bool
    ) -> None:
        self.limits = limits
        self.url: str | None = None
        self.file: str | None = None
        self._allow_private = allow_private
        self._folder: Path | None = None
        self._root_name = ""
        self._content = b""
        self._bytes = 0
        self._failed: dict[str, str] = {}
        self._is_kept = isinstance(spec, Kept)
        if isinstance(spec, Kept):
            self.url, self.file = spec.url, redacted(spec.url)
            self.data: dict[str, Any] = dict(spec.parts)
        else:
            self.data = {"": self._open_root(spec, base)}

    def open(self, reference: str, at: str) -> str:
        """The name of the part that `reference` (without fragment) names from the place `at`; raises
        UnusableError.
        """
        name = self._name(reference, at)
        if name in self._failed:
            raise UnusableError(self._failed[name], at)
        if name not in self.data:
            try:
                if len(self.data) >= self.limits.files:
                    self._refuse("openapi-too-large", f"the document has more than {self.limits.files} files")
                self.data[name] = self._read_part(name)
            except ConfigurationError as error:
                problem = error.problems[0]
                place = f" at line {problem.line}" if problem.line is not None else ""
                self._failed[name] = f"`{redacted_name(reference)}` cannot be read: {problem.message}{place}"
                raise UnusableError(self._failed[name], at) from error
        return name

    def problem(self, code: str, message: str, tokens: list[str], hint: str | None = None) -> Problem:
        """A problem with the root document at the JSON pointer `tokens`, with line and column where it is a
        text.
        """
        place = locate(self._content, tokens) if self._content else None
        line, column = place if place is not None else (None, None)
        pointer = "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)
        return Problem(code, message, self.file, line, column, pointer, hint)

    def _open_root(self, spec: str | Path | dict[str, Any], base: Path | None) -> Any:
        if isinstance(spec, dict):
            self._folder = base.resolve() if base is not None else None
            return parse(self._spell(spec), None, self.limits)
        if isinstance(spec, str) and is_url(spec):
            fetched = _fetcher()(spec, self.limits, trusted=True, allow_private=self._allow_private)
            self.url, self.file = fetched.url, redacted(spec)
            self._allow_private = self._allow_private or fetched.private
            self._content = self._unpacked(fetched.content, self.file)
        else:
            path = (base / spec) if base is not None else Path(spec)
            self.file = str(path)
            content = self._file_content(path, self.file)
            resolved = path.resolve()
            self._folder, self._root_name = resolved.parent, quote(resolved.name)
            self._content = self._unpacked(content, self.file)
        return parse(self._content, self.file, self.limits)

    def _spell(self, spec: dict[str, Any]) -> bytes:
        """An inline mapping as text, so that one way in checks keys, sizes and numbers for all."""
        try:
            text = json.dumps(spec, allow_nan=False, default=_plain)
        except (TypeError, ValueError) as error:
            self._refuse("openapi-syntax", f"the inline document is not JSON data: {error}")
        except RecursionError:
            self._refuse("openapi-too-deep", f"values are nested more than {self.limits.depth} deep")
        return self._counted(text.encode(), None)

    def _name(self, reference: str, at: str) -> str:
        try:
            return self._named(reference, at)
        except (OSError, ValueError, RuntimeError) as error:
            raise UnusableError(f"`{redacted_name(reference)}` is not a usable reference", at) from error

    def _named(self, reference: str, at: str) -> str:
        here = source_of(at)
        if self.url is not None:
            target = urldefrag(urljoin(here or self.url, reference)).url
            if not is_url(target) or origin_of(target) != origin_of(self.url):
                raise UnusableError("a fetched document may refer to its own origin only", at)
            return "" if target == self.url else target
        if urlsplit(reference).scheme or reference.startswith("//"):
            raise UnusableError("a document that was not fetched may not refer to a URL", at)
        if self._folder is None:
            raise UnusableError("an inline document has no folder to find other files in", at)
        path = (self._folder / unquote(here)).parent if here else self._folder
        target_path = (path / unquote(reference)).resolve()
        if not target_path.is_relative_to(self._folder):
            raise UnusableError("it refers to a file outside the folder of the document", at)
        name = quote(str(target_path.relative_to(self._folder)))
        return "" if name == self._root_name else name

    def _read_part(self, name: str) -> Any:
        if self._is_kept:
            self._refuse("openapi-unreadable", "it could not be read when the document was fetched", name)
        if self.url is not None:
            origin = origin_of(self.url)
            fetched = _fetcher()(
                name, self.limits, trusted=False, allow_private=self._allow_private, origin=origin
            )
            return parse(self._unpacked(fetched.content, name), redacted(name), self.limits)
        path = (self._folder or Path()) / unquote(name)
        return parse(self._unpacked(self._file_content(path, name), name), name, self.limits)

    def _file_content(self, path: Path, file: str) -> bytes:
        try:
            if not path.is_file():
                what = "is not a file" if path.exists() else "does not exist"
                self._refuse("openapi-unreadable", f"the OpenAPI document {what}", file)
            with path.open("rb") as stream:
                return stream.read(self.limits.bytes + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            self._refuse("openapi-unreadable", f"the OpenAPI document cannot be read: {reason}", file)

    def _unpacked(self, content: bytes, file: str | None) -> bytes:
        """The content without gzip; unpacking stops at the bound."""
        if len(content) > self.limits.bytes:
            return self._counted(content, file)
        if content.startswith(_GZIP):
            unpacked = bytearray()
            try:
                with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                    while len(unpacked) <= self.limits.bytes and (chunk := stream.read(_CHUNK)):
                        unpacked += chunk
            except (OSError, EOFError, zlib.error) as error:
                self._refuse("openapi-syntax", f"not a whole gzip file: {error}", file)
            content = bytes(unpacked)
        return self._counted(content, file)

    def _counted(self, content: bytes, file: str | None) -> bytes:
        self._bytes += len(content)
        if self._bytes > self.limits.bytes:
            self._refuse("openapi-too-large", f"the document is larger than {self.limits.bytes} bytes", file)
        return content

    def _refuse(self, code: str, message: str, file: str | None = None) -> NoReturn:
        raise ConfigurationError([Problem(code, message, file or self.file)])


def redacted_name(reference: str) -> str:
    """A reference for messages: a URL without what may be secret."""
    return redacted(reference) if is_url(reference) else reference


def _plain(value: Any) -> str:
    """What other YAML readers make of a date goes back to text."""
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    raise TypeError(f"it holds a {type(value).__name__}")
