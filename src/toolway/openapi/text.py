"""JSON and YAML text to data, with what the two leave open decided: one mapping key once, YAML 1.2 scalars,
bounds.

Keys are always strings as they are written (`200:` is "200"), dates stay strings, only true and false are
booleans. YAML is built from libyaml's events rather than its node tree, so that depth and aliases are bounded
while reading. Every mistake becomes a Problem with its line and column. Files and networks are `source`'s
business.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from toolway.openapi.limits import Limits

_MISSING = object()
_SPECIAL_FIRST = frozenset("-+.0123456789tTfFnN~")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INDEX = re.compile(r"[0-9]{1,9}")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_TAG = "tag:yaml.org,2002:"
_DUPLICATES_TOLD = 20
_DIGITS_KEPT = 40
"""Longer integers become floats: no JSON reader holds them, and some refuse them."""


def parse(content: bytes, file: str | None, limits: Limits) -> Any:
    """The data of a JSON or YAML text in UTF-8. Raises ConfigurationError, with line and column if known."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse("openapi-syntax", f"not UTF-8 text: {error.reason} at byte {error.start}", file)
    if text.lstrip()[:1] in ("{", "["):
        data = _parse_json(text, file, limits)
    else:
        data = _Builder(text, file, limits).build()
    _measure(data, file, limits)
    return data


def locate(content: bytes, tokens: list[str]) -> tuple[int, int] | None:
    """Line and column, from 1, of the value that the JSON pointer `tokens` lead to, or of the nearest one
    above it.
    """
    try:
        node = yaml.compose(content.decode("utf-8-sig"), yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    if node is None:
        return None
    mark = node.start_mark
    for token in tokens:
        following = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == token:
                    mark, following = key.start_mark, value
        elif isinstance(node, yaml.SequenceNode) and _INDEX.fullmatch(token) and int(token) < len(node.value):
            following = node.value[int(token)]
            mark = following.start_mark
        if following is None:
            break
        node = following
    return mark.line + 1, mark.column + 1


class _DuplicateKeyError(ValueError):
    """A JSON object has a member twice."""


class _NumberError(ValueError):
    """A number that JSON cannot carry."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise _DuplicateKeyError
    return data


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS_KEPT else _float(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _NumberError(f"the number {digits[:_DIGITS_KEPT]} is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise _NumberError(f"{name} is not a JSON number")


def _parse_json(text: str, file: str | None, limits: Limits) -> Any:
    """JSON first, since it is quick; text that is not JSON may still be YAML in flow style."""
    try:
        data = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        return _parse_flow(text, file, limits, error)
    except _DuplicateKeyError:
        _Builder(text, file, limits).build()
        _refuse("openapi-duplicate-key", "a key appears twice in one object", file)
    except _NumberError as error:
        _refuse("openapi-syntax", str(error), file)
    except UnicodeEncodeError:
        _refuse("openapi-syntax", "a \\u escape is half of a surrogate pair, which is no character", file)
    except RecursionError:
        _refuse_depth(file, limits)
    return data


def _parse_flow(text: str, file: str | None, limits: Limits, error: json.JSONDecodeError) -> Any:
    try:
        return _Builder(text, file, limits).build()
    except ConfigurationError as failure:
        if failure.problems[0].code != "openapi-syntax":
            raise
    return _refuse("openapi-syntax", f"neither JSON nor YAML: {error.msg}", file, error.lineno, error.colno)


class _Frame:
    """A mapping or list being built."""

    __slots__ = ("anchor", "key", "merges", "value")

    def __init__(self, value: Any, anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: Any = _MISSING
        self.merges: list[Any] = []


class _Builder:
    """Builds the data of one YAML document from its events."""

    def __init__(self, text: str, file: str | None, limits: Limits) -> None:
        self.text = text
        self.file = file
        self.limits = limits
        self.anchors: dict[str, Any] = {}
        self.stack: list[_Frame] = []
        self.result: Any = _MISSING
        self.merged = 0
        self.duplicates: list[Problem] = []

    def build(self) -> Any:
        """The data; raises ConfigurationError. Empty text is None."""
        try:
            parser = CParser(self.text)
            while True:
                event = parser.get_event()
                if type(event) is yaml.StreamEndEvent:
                    break
                self._take(event)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = f"not valid YAML: {error.problem or error.context or 'unreadable'}"
            if mark is None:
                _refuse("openapi-syntax", what, self.file)
            _refuse("openapi-syntax", what, self.file, mark.line + 1, mark.column + 1)
        except yaml.YAMLError as error:
            _refuse("openapi-syntax", f"not valid YAML: {str(error).splitlines()[0]}", self.file)
        if self.duplicates:
            raise ConfigurationError(self.duplicates)
        return None if self.result is _MISSING else self.result

    def _take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            if self._at_key():
                self._refuse(event, "a mapping key must be a plain value")
            if len(self.stack) >= self.limits.depth:
                _refuse_depth(self.file, self.limits, event.start_mark)
            self.stack.append(_Frame({} if kind is yaml.MappingStartEvent else [], event.anchor))
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            frame = self.stack.pop()
            for merge in frame.merges:
                self._merge(frame.value, merge, event)
            self._add(frame.value, frame.anchor)
        elif kind is yaml.AliasEvent:
            if event.anchor not in self.anchors:
                self._refuse(
                    event, f"the alias *{event.anchor} is unknown here, or inside the value it names"
                )
            if self._at_key():
                self._key(str(self.anchors[event.anchor]), event)
            else:
                self._add(self.anchors[event.anchor], None)
        elif kind is yaml.DocumentStartEvent and self.result is not _MISSING:
            self._refuse(event, "a second YAML document starts here; one was expected")

    def _at_key(self) -> bool:
        return bool(self.stack) and type(self.stack[-1].value) is dict and self.stack[-1].key is _MISSING

    def _scalar(self, event: Any) -> None:
        text: str = event.value
        if self._at_key():
            self._key(text, event)
            return
        tag = event.tag
        if tag is not None and tag != "!":
            if not tag.startswith(_TAG):
                self._refuse(event, f"the tag {tag} is not known")
            value = _resolve(text) if tag[len(_TAG) :] in ("null", "bool", "int", "float") else text
        else:
            value = _resolve(text) if event.implicit[0] and tag is None else text
        self._add(value, event.anchor)

    def _key(self, key: str, event: Any) -> None:
        frame = self.stack[-1]
        if key in frame.value and len(self.duplicates) < _DUPLICATES_TOLD:
            mark = event.start_mark
            self.duplicates.append(
                Problem(
                    "openapi-duplicate-key",
                    f"the key `{key}` appears twice in one mapping",
                    self.file,
                    mark.line + 1,
                    mark.column + 1,
                )
            )
        if type(event) is yaml.ScalarEvent and event.anchor:
            self.anchors[event.anchor] = key
        frame.key = key

    def _add(self, value: Any, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = value
        if not self.stack:
            self.result = value
            return
        frame = self.stack[-1]
        if type(frame.value) is list:
            frame.value.append(value)
        elif frame.key == "<<" and isinstance(value, (dict, list)):
            frame.merges.extend(value if isinstance(value, list) else [value])
            frame.key = _MISSING
        else:
            frame.value[frame.key] = value
            frame.key = _MISSING

    def _merge(self, target: dict[str, Any], merge: Any, event: Any) -> None:
        if not isinstance(merge, dict):
            self._refuse(event, "`<<` merges mappings only")
        self.merged += len(merge)
        if self.merged > self.limits.nodes:
            _refuse("openapi-too-large", "merge keys and aliases make the document too large", self.file)
        for key, value in merge.items():
            target.setdefault(key, value)

    def _refuse(self, event: Any, message: str) -> NoReturn:
        mark = event.start_mark
        _refuse("openapi-syntax", f"not valid YAML: {message}", self.file, mark.line + 1, mark.column + 1)


def _resolve(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2 (section 10.3.2); infinities and NaN stay text."""
    if text and text[0] not in _SPECIAL_FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _finite(text) if len(text) > _DIGITS_KEPT else int(text)
    if _FLOAT.fullmatch(text):
        return _finite(text)
    if _OTHER_BASE.fullmatch(text) and len(text) <= _DIGITS_KEPT:
        return int(text, 0)
    return text


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _measure(data: Any, file: str | None, limits: Limits) -> None:
    """Holds depth, count and size with aliases written out; the walk stops at the first bound that breaks."""
    nodes = size = depth = 0
    level = [data]
    while level:
        depth += 1
        below: list[Any] = []
        for value in level:
            if type(value) is dict:
                below.extend(value.values())
                size += sum(map(len, value))
            elif type(value) is list:
                below.extend(value)
            elif type(value) is str:
                size += len(value)
            if len(below) + nodes > limits.nodes or size > limits.bytes:
                what = f"more than {limits.nodes} values or {limits.bytes} bytes, aliases written out"
                _refuse("openapi-too-large", f"the document is too large: {what}", file)
        nodes += len(below)
        if depth > limits.depth + 1:
            _refuse_depth(file, limits)
        level = below


def _refuse(
    code: str, message: str, file: str | None, line: int | None = None, column: int | None = None
) -> NoReturn:
    raise ConfigurationError([Problem(code, message, file, line, column)])


def _refuse_depth(file: str | None, limits: Limits, mark: Any = None) -> NoReturn:
    message = f"values are nested more than {limits.depth} deep"
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (None, None)
    _refuse("openapi-too-deep", message, file, line, column)
