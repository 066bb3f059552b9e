"""References: from a `$ref` and the place where it stands to the value that it names and that value's place.

Knows JSON pointers (RFC 6901) with percent-encoding, plain names (`$anchor`, `$dynamicAnchor`) and resources
with an `$id` of their own (JSON Schema 2020-12 section 8.2). Other files come from `source`. Converts
nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

from toolway.openapi.place import ROOT, UnusableError, below, source_of
from toolway.problem import ConfigurationError

if TYPE_CHECKING:
    from toolway.openapi.source import Sources

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_CHAIN = 100
"""References that may lead to one another."""


class Resolver:
    """Follows references through the parts of one document."""

    def __init__(self, sources: Sources, *, identifiers: bool) -> None:
        self.sources = sources
        self._identifiers = identifiers
        self._followed = 0
        self._known: dict[tuple[str, str], tuple[Any, str]] = {}
        self._open: set[tuple[str, str]] = set()
        self._names: dict[str, _Names] = {}

    def resolve(self, reference: str, at: str) -> tuple[Any, str]:
        """The value that `reference` names from the place `at`, and its place. Raises UnusableError."""
        self._followed += 1
        if self._followed > self.sources.limits.references:
            message = f"the document follows more than {self.sources.limits.references} references"
            raise ConfigurationError([self.sources.problem("openapi-too-large", message, [])])
        base = self._base(at)
        key = (base, reference)
        known = self._known.get(key)
        if known is None:
            if key in self._open:
                raise UnusableError(f"`{reference}` leads to itself", at)
            self._open.add(key)
            try:
                known = self._known[key] = self._find(reference, base, at)
            finally:
                self._open.remove(key)
        return known

    def follow(self, value: Any, at: str) -> tuple[Any, str]:
        """What `value` stands for: itself, or the end of the chain of references that it begins."""
        for _ in range(_CHAIN):
            if type(value) is not dict or type(value.get("$ref")) is not str:
                return value, at
            value, at = self.resolve(value["$ref"], at)
        raise UnusableError("references lead to one another in a circle", at)

    def _base(self, at: str) -> str:
        """The place that a bare fragment at `at` starts from: the nearest resource with an `$id`, or the
        file.
        """
        source = source_of(at)
        resources = self._index(source).resources if self._identifiers else ()
        if resources:
            place = at
            while "/" in place.partition("#")[2]:
                if place in resources:
                    return place
                place = place.rpartition("/")[0]
        return f"{source}#"

    def _find(self, reference: str, base: str, at: str) -> tuple[Any, str]:
        target, _, fragment = reference.partition("#")
        if target:
            start = self._by_identifier(target, base) if self._identifiers else None
            if start is None:
                start = f"{self.sources.open(target, at)}#"
        else:
            start = base
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            named = self._index(source_of(start)).anchors.get(fragment) if self._identifiers else None
            if named is None:
                raise UnusableError(f"`{reference}` names nothing in the document", at)
            return self._walk("", named, reference, at)
        return self._walk(fragment, start, reference, at)

    def _walk(self, fragment: str, start: str, reference: str, at: str) -> tuple[Any, str]:
        """Goes down a pointer from a place; where a member is missing beside a reference, on through that."""
        pointer = start.partition("#")[2] + fragment
        place = f"{source_of(start)}#"
        value = self.sources.data[source_of(start)]
        for escaped in pointer.split("/")[1:]:
            token = escaped.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and token not in value and "$ref" in value:
                value, place = self.follow(value, place)
            if isinstance(value, dict) and token in value:
                value = value[token]
            elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
                value = value[int(token)]
            else:
                raise UnusableError(f"`{reference}` points to nothing", at)
            place = below(place, token)
        return value, place

    def _by_identifier(self, target: str, base: str) -> str | None:
        """The place of the resource whose `$id` is `target`, resolved against the `$id` it is used in."""
        names = self._index(source_of(base))
        inside = names.resources.get(base, "")
        return names.by_identifier.get(urldefrag(urljoin(inside, target)).url)

    def _index(self, source: str) -> _Names:
        if source not in self._names:
            self._names[source] = _Names(self.sources.data[source], source)
        return self._names[source]


class _Names:
    """The plain names and identified resources of one part, found in one walk."""

    def __init__(self, data: Any, source: str) -> None:
        self.anchors: dict[str, str] = {}
        self.resources: dict[str, str] = {}
        self.by_identifier: dict[str, str] = {}
        if not _has_names(data):
            return
        stack: list[tuple[Any, str, str]] = [(data, f"{source}{ROOT}", "")]
        while stack:
            value, place, identifier = stack.pop()
            if isinstance(value, dict):
                if isinstance(value.get("$id"), str) and place != f"{source}#":
                    identifier = urldefrag(urljoin(identifier, value["$id"])).url
                    self.resources[place] = identifier
                    self.by_identifier.setdefault(identifier, place)
                for keyword in ("$anchor", "$dynamicAnchor"):
                    if isinstance(value.get(keyword), str):
                        self.anchors.setdefault(value[keyword], place)
                members: Any = reversed(value.items())
            elif isinstance(value, list):
                members = enumerate(value)
            else:
                continue
            stack.extend(
                (member, below(place, token), identifier)
                for token, member in members
                if isinstance(member, (dict, list))
            )


def _has_names(data: Any) -> bool:
    stack = [data]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if "$id" in value or "$anchor" in value or "$dynamicAnchor" in value:
                return True
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return False
