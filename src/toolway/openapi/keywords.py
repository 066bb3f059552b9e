"""The keywords of JSON Schema 2020-12 that hold no schemas, and what their values must be.

`schema` passes each value through `KEYWORDS` and leaves out, with a notice, what no validator would compile.
Keywords that hold schemas are listed here too, by how they hold them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

ONE_SCHEMA = frozenset(
    (
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    )
)
SCHEMA_LISTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
SCHEMA_MAPS = frozenset(("dependentSchemas", "patternProperties", "properties"))
TYPES = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))


class BadValueError(Exception):
    """The value of a keyword is not one that the keyword can have; the text says why."""


@lru_cache(maxsize=4096)
def is_pattern(pattern: str) -> bool:
    """Whether a regular expression compiles for matching in linear time, which is how the engine checks
    arguments.
    """
    try:
        Draft202012Validator({"pattern": pattern}, pattern_options=RegexOptions())
    except ValidationError:
        return False
    return True


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise BadValueError("is not a text")


def _prose(value: Any) -> str:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else _text(value)


def _pattern(value: Any) -> str:
    if is_pattern(_text(value)):
        return str(value)
    raise BadValueError("is not a regular expression that can be matched in linear time")


def _number(value: Any) -> int | float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise BadValueError("is not a number")


def _positive(value: Any) -> int | float:
    if _number(value) > 0:
        return _number(value)
    raise BadValueError("is not above 0")


def _count(value: Any) -> int:
    number = _number(value)
    if number >= 0 and number == int(number):
        return int(number)
    raise BadValueError("is not a whole number from 0")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise BadValueError("is not true or false")


def _names(value: Any) -> list[str]:
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return list(dict.fromkeys(value))
    raise BadValueError("is not a list of names")


def _dependent(value: Any) -> dict[str, list[str]]:
    if isinstance(value, dict):
        return {name: _names(names) for name, names in value.items()}
    raise BadValueError("is not a mapping")


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise BadValueError("is not a list")


def _choices(value: Any) -> list[Any]:
    if not _list(value):
        raise BadValueError("is empty")
    return list({(type(choice), repr(choice)): choice for choice in value}.values())


def _any(value: Any) -> Any:
    return value


KEYWORDS: dict[str, Callable[[Any], Any]] = {
    "$comment": _text,
    "const": _any,
    "contentEncoding": _text,
    "contentMediaType": _text,
    "default": _any,
    "dependentRequired": _dependent,
    "deprecated": _boolean,
    "description": _prose,
    "enum": _choices,
    "examples": _list,
    "exclusiveMaximum": _number,
    "exclusiveMinimum": _number,
    "format": _text,
    "maxContains": _count,
    "maxItems": _count,
    "maxLength": _count,
    "maxProperties": _count,
    "maximum": _number,
    "minContains": _count,
    "minItems": _count,
    "minLength": _count,
    "minProperties": _count,
    "minimum": _number,
    "multipleOf": _positive,
    "pattern": _pattern,
    "readOnly": _boolean,
    "required": _names,
    "title": _prose,
    "uniqueItems": _boolean,
    "writeOnly": _boolean,
}
"""Each keyword's value made fit, or BadValueError."""
