"""Telling: a model's validation errors as problems in plain words, at their places in the source.

Knows how pydantic names what went wrong, and nothing about what fields mean. Values are shown only where the
value itself is at fault, never for one that came from the environment; secrets are refused without being
looked at.
"""

from __future__ import annotations

import re
import types
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from toolway.config.errors import CODES, listing, near
from toolway.config.models.base import Model
from toolway.config.source import Source, pointer_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

    from toolway.problem import Problem

_TYPES = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "a text",
}
_LIMITS = {
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "string_too_long": "a text of at most {max_length} characters",
    "string_too_short": "a text of at least {min_length} characters",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
}
_NUMBER = "a number "
_SHOWN = 60


def kind_of(value: Any) -> str:
    """What a value is, in words, without the value."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    names = {int: "a whole number", float: "a number", dict: "a mapping", list: "a list"}
    return names.get(type(value), "a text")


def limited(words: str) -> str:
    """The singular where a limit is 1."""
    for many, one in (("entries", "entry"), ("characters", "character"), ("fields", "field")):
        words = words.replace(f" 1 {many}", f" 1 {one}")
    return words


def advice(expected: str, value: Any) -> str | None:
    """How to mend the most frequent wrong types."""
    if expected == "a text" and isinstance(value, (bool, int, float)):
        return "put it in quotes"
    if expected == "a list" and isinstance(value, (str, int)):
        return "put it in brackets, or after a dash"
    if expected == "a mapping" and value is None:
        return "write {} for one without fields"
    return None


def problems_of(
    error: ValidationError, model: type[Model], data: Any, pointer: str, source: Source
) -> Iterator[Problem]:
    """All that `error` says of `data`, which stands at `pointer` and was to be a `model`."""
    for detail in error.errors(include_url=False):
        yield _Telling(detail, model, data, pointer, source).problem()


class _Telling:
    def __init__(
        self, detail: ErrorDetails, model: type[Model], data: Any, pointer: str, source: Source
    ) -> None:
        self._detail = detail
        self._kind: str = detail["type"]
        self._context: dict[str, Any] = detail.get("ctx", {})
        self._loc = detail["loc"]
        self._model = model
        self._source = source
        self._pointer = pointer + pointer_to(*_path(data, self._loc))
        self._input = detail["input"]

    def problem(self) -> Problem:
        if self._kind == "extra_forbidden":
            return self._unknown()
        if self._kind == "missing":
            return self._say("missing-field", f'expected the field "{self._loc[-1]}"')
        if self._kind == "union_tag_not_found":
            field = str(self._context.get("discriminator", "")).strip("'")
            return self._say("missing-field", f'expected the field "{field}"')
        if self._kind in ("literal_error", "union_tag_invalid"):
            return self._choice()
        if self._kind in _TYPES:
            expected = _TYPES[self._kind]
            message = f"expected {expected}, found {kind_of(self._input)}"
            return self._say("wrong-type", message, advice(expected, self._input))
        if self._kind in _LIMITS:
            expected = limited(_LIMITS[self._kind].format_map(self._context))
            found = self._found().removeprefix(", found ")
            if found and expected.startswith(_NUMBER):
                # In APISIX's words, which programs may look for.
                limit = expected.removeprefix(_NUMBER).removeprefix("of ")
                return self._say("wrong-value", f"expected {found} to be {limit}")
            return self._say("wrong-value", f"expected {expected}{self._found()}")
        if self._kind in CODES:
            return self._refused()
        return self._say("wrong-value", f"the value is not one that this field takes{self._found()}")

    def _unknown(self) -> Problem:
        field = str(self._loc[-1])
        models = list(_models_at(self._model, self._loc[:-1]))
        if any(field in model.not_supported for model in models if issubclass(model, Model)):
            return self._say("not-supported-yet", f'the field "{field}" is not supported yet', at_key=True)
        names = [name for model in models for name in model.model_fields]
        hint = near(field, names) or (
            f"known fields: {', '.join(sorted(set(names)))}" if len(names) < 12 else None
        )
        return self._say("unknown-field", f'the field "{field}" is not known here', hint, at_key=True)

    def _choice(self) -> Problem:
        written = str(self._context.get("expected") or self._context.get("expected_tags", ""))
        choices = re.findall(r"'([^']*)'", written) or re.findall(r"-?\d+", written)
        if choices and not isinstance(self._input, (str, dict)) and "'" in written:
            return self._say("wrong-type", f"expected {listing(choices)}, found {kind_of(self._input)}")
        value = self._context.get("tag", self._input)
        hint = None
        if isinstance(value, str):
            exact = [choice for choice in choices if choice.lower() == value.lower()]
            hint = near(exact[0] if exact else value, choices)
        return self._say("wrong-value", f"expected {listing(choices)}{self._found(value)}", hint)

    def _refused(self) -> Problem:
        message = str(self._context.get("said", self._detail["msg"]))
        if self._kind == "wrong-type":
            message += f", found {kind_of(self._input)}"
        elif self._kind == "wrong-value":
            message += self._found()
        return self._say(self._kind, message, self._context.get("hint"), at_key=self._loc[-1:] == ("[key]",))

    def _found(self, value: Any = ...) -> str:
        value = self._input if value is ... else value
        if self._pointer in self._source.hidden or not isinstance(value, (str, int, float)):
            return ""
        shown = (
            str(value).lower()
            if isinstance(value, bool)
            else repr(value)
            if isinstance(value, str)
            else str(value)
        )
        return f", found {shown}" if len(shown) <= _SHOWN else ""

    def _say(self, code: str, message: str, hint: str | None = None, *, at_key: bool = False) -> Problem:
        return self._source.problem(code, message, self._pointer, hint=hint, at_key=at_key)


def _path(data: Any, loc: Sequence[str | int]) -> list[str | int]:
    """The parts of `loc` that lead through `data`; the others are names of unions, or of fields that are
    absent.
    """
    path: list[str | int] = []
    for part in loc:
        found = part in data if isinstance(data, dict) else _has(data, part)
        if found:
            data = data[part]
            path.append(part)
    return path


def _has(data: Any, part: str | int) -> bool:
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _models_at(annotation: Any, loc: Sequence[str | int]) -> Iterator[type[BaseModel]]:
    """The models that can stand at `loc` below `annotation`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _models_at(get_args(annotation)[0], loc)
    elif origin in (Union, types.UnionType):
        for choice in get_args(annotation):
            yield from _models_at(choice, loc)
    elif origin in (dict, list):
        yield from _models_at(get_args(annotation)[-1], loc[1:]) if loc else ()
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not loc:
            yield annotation
        elif loc[0] in annotation.model_fields:
            yield from _models_at(_annotation(annotation, str(loc[0])), loc[1:])
        elif len(loc) == 1:
            yield annotation  # The name of a union's branch.


def _annotation(model: type[BaseModel], field: str) -> Any:
    return model.model_fields[field].annotation
