"""Schemas of any OpenAPI version to JSON Schema 2020-12, and the pool of shared ones that references point
into.

Every schema that a `$ref` names, and every one below `components/schemas` or `definitions`, becomes an entry
of the pool, converted once and therefore safe to be circular. Values that no validator would compile are left
out with a notice (`keywords`). What one version says otherwise than another is translated in `dialect`.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any

from toolway.openapi import dialect
from toolway.openapi.keywords import (
    KEYWORDS,
    ONE_SCHEMA,
    SCHEMA_LISTS,
    SCHEMA_MAPS,
    TYPES,
    BadValueError,
    is_pattern,
)
from toolway.openapi.place import Notices, UnusableError, below
from toolway.problem import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolway.openapi.model import Schema
    from toolway.openapi.resolve import Resolver

_STRUCTURE = frozenset(
    ("components", "definitions", "$defs", "schemas", "schema", "properties", "items", "content")
)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]")
_NAME_LENGTH = 80


class SchemaPool:
    """Converts schemas; keeps the shared ones by name, and the reasons why some could not be taken."""

    def __init__(self, resolver: Resolver, notices: Notices, *, siblings: bool) -> None:
        self.schemas: dict[str, Schema] = {}
        self.broken: dict[str, UnusableError] = {}
        self._resolver = resolver
        self._notices = notices
        self._siblings = siblings
        self._limit = resolver.sources.limits.nodes
        self._count = 0
        self._names: dict[str, str] = {}
        self._used: set[str] = set()
        self._pending: deque[tuple[str, Any, str]] = deque()
        self._needs: dict[str, set[str]] = {}
        self._read: dict[str, tuple[Schema, set[str]]] = {}

    def share(self, value: Any, at: str) -> str:
        """The name under which the schema at the place `at` is, or will be, in the pool."""
        name = self._names.get(at)
        if name is None:
            name = self._names[at] = self._new_name(at)
            self._pending.append((name, value, at))
        return name

    def read(self, value: Any, at: str, needs: set[str]) -> Schema:
        """The schema `value` at the place `at`; adds the names of the pool that it refers to. Raises
        UnusableError.
        """
        known = self._read.get(at)
        if known is None:
            own: set[str] = set()
            known = self._read[at] = (self._convert(value, at, own), own)
        needs |= known[1]
        return known[0]

    def finish(self) -> None:
        """Converts what is shared and waiting; entries that cannot be taken move to `broken`, with all who
        need them.
        """
        while self._pending:
            name, value, at = self._pending.popleft()
            needs: set[str] = set()
            try:
                self.schemas[name] = self._convert(value, at, needs)
            except UnusableError as error:
                self.broken[name] = error
            self._needs[name] = needs
        self._spread()

    def failure(self, needs: Iterable[str]) -> UnusableError | None:
        """Why something that refers to these names cannot be taken, if it cannot; after `finish`."""
        return next((self.broken[name] for name in sorted(needs) if name in self.broken), None)

    def _spread(self) -> None:
        """Whoever refers to a broken entry is broken by the same cause."""
        users: dict[str, list[str]] = {}
        for name, needs in self._needs.items():
            for need in needs:
                users.setdefault(need, []).append(name)
        waiting = list(self.broken)
        while waiting:
            cause = waiting.pop()
            for user in users.get(cause, ()):
                if user not in self.broken:
                    self.broken[user] = self.broken[cause]
                    waiting.append(user)
        for name in self.broken:
            self.schemas.pop(name, None)

    def _new_name(self, at: str) -> str:
        source, _, pointer = at.partition("#")
        tokens = [token for token in pointer.split("/")[1:] if token not in _STRUCTURE]
        words = tokens[-2:] if len(tokens) > 1 and "/properties/" in pointer else tokens[-1:]
        if not words:
            words = [source.rpartition("/")[2].partition(".")[0] or "Schema"]
        readable = "_".join(words).replace("~1", "_").replace("~0", "_")
        stem = _NOT_IN_NAMES.sub("_", readable)[:_NAME_LENGTH] or "Schema"
        name, number = stem, 1
        while name in self._used:
            number += 1
            name = f"{stem}_{number}"
        self._used.add(name)
        return name

    def _refer(self, reference: str, at: str, needs: set[str]) -> Schema:
        value, target = self._resolver.resolve(reference, at)
        name = self.share(value, target)
        needs.add(name)
        return {"$ref": f"#/$defs/{name}"}

    def _convert(self, value: Any, at: str, needs: set[str]) -> Schema:
        self._count += 1
        if self._count > self._limit:
            message = f"the document holds more than {self._limit} schemas"
            raise ConfigurationError([self._resolver.sources.problem("openapi-too-large", message, [])])
        if value is True:
            return {}
        if value is False:
            return {"not": {}}
        if not isinstance(value, dict):
            self._notices.add("a schema must be a mapping: anything is allowed here", at)
            return {}
        reference = value.get("$ref")
        if isinstance(reference, str) and not self._siblings:
            return dialect.beside_reference(value, self._refer(reference, at, needs))
        schema = self._members(value, at, needs)
        if isinstance(reference, str):
            schema = {**self._refer(reference, at, needs), **schema}
        elif isinstance(value.get("$dynamicRef"), str):
            self._notices.add("`$dynamicRef` is followed as `$ref`", at)
            schema = {**self._refer(value["$dynamicRef"], at, needs), **schema}
        dialect.translate(value, schema)
        return schema

    def _members(self, value: dict[str, Any], at: str, needs: set[str]) -> Schema:
        schema: Schema = {}
        for keyword, item in value.items():
            if keyword in KEYWORDS:
                self._plain(schema, keyword, item, at)
            elif keyword == "type":
                self._type(schema, item, at)
            elif keyword in ONE_SCHEMA:
                self._one(schema, keyword, item, below(at, keyword), needs)
            elif keyword in SCHEMA_MAPS:
                self._map(schema, keyword, item, below(at, keyword), needs)
            elif keyword in SCHEMA_LISTS:
                self._list(schema, keyword, item, below(at, keyword), needs)
        patterns = schema.get("patternProperties")
        if patterns is not None and len(patterns) < len(value["patternProperties"]):
            # Names that only the lost pattern allowed must not be refused in its stead.
            schema.pop("additionalProperties", None)
            schema.pop("unevaluatedProperties", None)
        return schema

    def _plain(self, schema: Schema, keyword: str, item: Any, at: str) -> None:
        if dialect.is_spoken(keyword, item):
            return
        try:
            schema[keyword] = KEYWORDS[keyword](item)
        except BadValueError as error:
            self._notices.add(f"`{keyword}` {error}: left out", below(at, keyword))

    def _type(self, schema: Schema, item: Any, at: str) -> None:
        named = item if isinstance(item, list) else [item]
        types = list(dict.fromkeys(kind for kind in named if isinstance(kind, str) and kind in TYPES))
        if len(types) < len(named) and "file" not in named:
            self._notices.add("`type` names what is no type, or one twice: left out", below(at, "type"))
        if types:
            schema["type"] = types if isinstance(item, list) and len(types) > 1 else types[0]

    def _one(self, schema: Schema, keyword: str, item: Any, at: str, needs: set[str]) -> None:
        if keyword == "items" and isinstance(item, list):
            self._notices.add("a list of `items` is read as `prefixItems`", at)
            self._list(schema, "prefixItems", item, at, needs)
        elif isinstance(item, bool) and keyword in ("additionalProperties", "unevaluatedProperties"):
            schema[keyword] = item
        else:
            schema[keyword] = self._convert(item, at, needs)

    def _list(self, schema: Schema, keyword: str, item: Any, at: str, needs: set[str]) -> None:
        if isinstance(item, list) and item:
            schema[keyword] = [
                self._convert(part, below(at, index), needs) for index, part in enumerate(item)
            ]
        elif item != []:
            self._notices.add(f"`{keyword}` is not a list of schemas: left out", at)

    def _map(self, schema: Schema, keyword: str, item: Any, at: str, needs: set[str]) -> None:
        if not isinstance(item, dict):
            self._notices.add(f"`{keyword}` is not a mapping: left out", at)
            return
        members = {name: self._convert(part, below(at, name), needs) for name, part in item.items()}
        if keyword == "patternProperties":
            wrong = [name for name in members if not is_pattern(name)]
            if wrong:
                self._notices.add(
                    "a pattern cannot be matched in linear time: left out, other names allowed", at
                )
                members = {name: part for name, part in members.items() if name not in wrong}
        schema[keyword] = members
