"""Composing: from YAML's events to plain data and the place of every value.

PyYAML's own composer recurses in C and dies on deep nesting, builds YAML 1.1 values and keeps the last of two
equal keys. This one keeps a stack of its own, bounds depth and count (also through aliases) and refuses
doubled keys. Environment values are filled in here, since only here a plain text is still known from a quoted
one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from toolway.config.scalars import TAGS, Substitution, substitute, typed
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAXIMUM_DEPTH = 100
MAXIMUM_VALUES = 1_000_000
_SMALL = 100_000
_GROWTH = 10

_COLLECTION_TAGS = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


@dataclass(slots=True, eq=False)
class Node:
    """A value of the file; `items` holds the members of a sequence, or keys and values in turn."""

    kind: str
    line: int
    column: int
    text: str = ""
    plain: bool = False
    tag: str | None = None
    items: list[Node] = field(default_factory=list)


class Composer:
    """Composes one document. After `compose`, `places`, `problems` and `hidden` tell the rest."""

    def __init__(self, file: str, environment: Mapping[str, str]) -> None:
        self._file = file
        self._environment = environment
        self._count = 0
        self._limit = MAXIMUM_VALUES
        self.places: dict[str, tuple[int, int, int, int]] = {}
        self.problems: list[Problem] = []
        self.hidden: set[str] = set()

    def compose(self, text: str) -> Any:
        """The document's data; an empty document is an empty mapping. Raises yaml.YAMLError and
        ConfigurationError.
        """
        root = self._tree(yaml.parse(text, Loader=yaml.CSafeLoader))
        if root is None:
            return {}
        # Aliases may repeat what is written, but a short file that becomes a huge one is an attack.
        self._limit = min(MAXIMUM_VALUES, max(_SMALL, _GROWTH * self._count))
        self._count = 0
        data = self._data(root, "", 0, (root.line, root.column))
        return {} if data is None else data

    def _tree(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        opened: list[Node] = []
        anchors: dict[str, Node] = {}
        for event in events:
            if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                opened.pop()
                continue
            if isinstance(event, yaml.AliasEvent):
                node = self._aliased(event, anchors, opened)
            elif isinstance(event, yaml.NodeEvent):
                node = self._node(event)
                if event.anchor:
                    anchors[event.anchor] = node
            else:
                continue
            if opened:
                opened[-1].items.append(node)
            elif root is not None:
                raise self._stop("yaml-syntax", "the file has a second document; one is read", node)
            else:
                root = node
            if isinstance(event, yaml.CollectionStartEvent):
                opened.append(node)
                self._check_depth(len(opened), node)
        return root

    def _node(self, event: Any) -> Node:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            # A plain scalar without a tag has implicit[0]; the style alone says it also for a tagged one.
            plain = event.style in (None, "") and event.tag is None
            node = Node("scalar", line, column, event.value, plain, event.tag)
        else:
            kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
            node = Node(kind, line, column, tag=event.tag)
            if event.tag not in _COLLECTION_TAGS:
                self._add("yaml-tag", f"the tag {event.tag} is not one that Toolway reads", "", node)
        self._tally(node)
        return node

    def _aliased(self, event: Any, anchors: dict[str, Node], opened: list[Node]) -> Node:
        place = Node("alias", event.start_mark.line + 1, event.start_mark.column + 1)
        node = anchors.get(event.anchor)
        if node is None:
            raise self._stop("yaml-syntax", f"the alias *{event.anchor} has no anchor before it", place)
        if node in opened:
            raise self._stop(
                "yaml-syntax", f"the alias *{event.anchor} stands inside what it refers to", place
            )
        return node

    def _data(self, node: Node, pointer: str, depth: int, key: tuple[int, int]) -> Any:
        self._tally(node)
        self._check_depth(depth, node)
        self.places[pointer] = (node.line, node.column, *key)
        if node.kind == "scalar":
            return self._scalar(node, pointer)
        if node.kind == "sequence":
            return [
                self._data(item, f"{pointer}/{index}", depth + 1, (item.line, item.column))
                for index, item in enumerate(node.items)
            ]
        return self._mapping(node, pointer, depth)

    def _mapping(self, node: Node, pointer: str, depth: int) -> dict[str, Any]:
        pairs = list(zip(node.items[::2], node.items[1::2], strict=True))
        # What the mapping sets itself comes last, so that it stands over what << brings in.
        data: dict[str, Any] = {}
        for key, value in pairs:
            if key.plain and key.text == "<<":
                data = {**data, **self._merged(value, pointer, depth)}
        seen: dict[str, Node] = {}
        for key, value in pairs:
            if key.plain and key.text == "<<":
                continue
            if key.kind != "scalar":
                self._add("yaml-key", "expected a text as key, found a collection", pointer, key)
                continue
            filled = substitute(key.text, self._environment)
            name = filled.text
            below = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            self._note(filled, below, key)
            if name in seen:
                where = f"{seen[name].line}:{seen[name].column}"
                self._add(
                    "yaml-duplicate-key", f'the key "{name}" is set twice, first at {where}', pointer, key
                )
                continue
            seen[name] = key
            data[name] = self._data(value, below, depth + 1, (key.line, key.column))
        return data

    def _merged(self, node: Node, pointer: str, depth: int) -> dict[str, Any]:
        """What `<<` refers to; of several mappings the first wins (YAML merge key type, 2005)."""
        self._check_depth(depth + 1, node)
        self._tally(node)
        if node.kind == "mapping":
            return self._mapping(node, pointer, depth + 1)
        if node.kind == "sequence":
            found: dict[str, Any] = {}
            for item in reversed(node.items):
                found |= self._merged(item, pointer, depth + 1)
            return found
        self._add("yaml-key", "expected a mapping, or a list of them, after <<", pointer, node)
        return {}

    def _scalar(self, node: Node, pointer: str) -> Any:
        filled = substitute(node.text, self._environment)
        self._note(filled, pointer, node)
        # A whole plain ${NAME} means what its value would mean in its place; a part of a text stays a text.
        bare = node.plain and (filled.whole or not filled.changed)
        value = typed(filled.text) if bare else filled.text
        if node.tag is None or node.tag == "!":
            return value
        types = TAGS.get(node.tag)
        value = filled.text if types == (str,) else typed(filled.text)
        if types is None or not isinstance(value, types):
            self._add("yaml-tag", f"the tag {node.tag} does not fit the value, or is not read", pointer, node)
        return value

    def _note(self, filled: Substitution, pointer: str, node: Node) -> None:
        if filled.changed:
            self.hidden.add(pointer)
        for name in filled.missing:
            message = f"the environment variable {name} is not set"
            self._add("environment-missing", message, pointer, node, f"set it, or write ${{{name}:-default}}")
        for written in filled.malformed:
            message = f"{written} is not an environment value"
            self._add(
                "environment-syntax", message, pointer, node, "write ${NAME}, ${NAME:-default}, or $${ for ${"
            )

    def _tally(self, node: Node) -> None:
        self._count += 1
        if self._count > self._limit:
            raise self._stop(
                "yaml-too-large", f"the file has more than {self._limit:,} values with aliases", node
            )

    def _check_depth(self, depth: int, node: Node) -> None:
        if depth > MAXIMUM_DEPTH:
            raise self._stop("yaml-too-deep", f"the file is nested deeper than {MAXIMUM_DEPTH}", node)

    def _add(self, code: str, message: str, pointer: str, node: Node, hint: str | None = None) -> None:
        self.problems.append(Problem(code, message, self._file, node.line, node.column, pointer, hint))

    def _stop(self, code: str, message: str, node: Node) -> ConfigurationError:
        self._add(code, message, "", node)
        return ConfigurationError(self.problems)
