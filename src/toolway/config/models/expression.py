"""Expressions: the `vars` of a route, in the language of lua-resty-expr that Apache APISIX uses.

Checks their shape, operators and types, every mistake at its place. Names of variables and regular
expressions are the engine's to check, which compiles them.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, ValidationError

from toolway.config.errors import near
from toolway.config.models.base import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import InitErrorDetails

_CONNECTIVES = ("AND", "OR", "!AND", "!OR")
_OPERATORS = ("==", "~=", ">", ">=", "<", "<=", "~~", "~*", "in", "has", "ipmatch")
_HABITS = {"=": "==", "===": "==", "!=": "~=", "<>": "~=", "=~": "~~"}
_SHAPE = 'expected a comparison, [variable, operator, value] or [variable, "!", operator, value]'


def is_network(text: Any) -> bool:
    """Whether `text` is an address or a network such as `10.0.0.0/8`."""
    if not isinstance(text, str):
        return False
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    # The library also takes netmasks, `10.0.0.0/255.0.0.0`, and zones, which have no meaning here.
    return "%" not in text and "." not in text.partition("/")[2]


def _network(value: str) -> str:
    if not is_network(value):
        raise refuse("wrong-value", "expected an address or a network", 'such as "10.0.0.0/8"')
    return value


def _checked(rules: list[Any]) -> list[Any]:
    errors = list(_problems(rules))
    if errors:
        raise ValidationError.from_exception_data("vars", errors)
    return rules


def _problems(rules: list[Any]) -> Iterator[InitErrorDetails]:
    if rules and isinstance(rules[0], str) and rules[0].upper() not in _CONNECTIVES:
        yield _problem((), rules, "expected a list of comparisons", 'such as [[arg_name, "==", jack]]')
    elif rules:
        yield from _of_list(rules, ())


def _of_list(rules: list[Any], at: tuple[int, ...]) -> Iterator[InitErrorDetails]:
    if not rules:
        yield _problem(at, rules, "expected an expression, found an empty list")
    elif isinstance(rules[0], list):
        yield from _of_members(rules, at, 0)
    elif not isinstance(rules[0], str):
        yield _problem((*at, 0), rules[0], "expected the name of a variable, or an expression")
    elif rules[0].upper() in _CONNECTIVES:
        if len(rules) < 3:
            yield _problem(at, rules, f'"{rules[0]}" takes two expressions or more')
        yield from _of_members(rules, at, 1)
    else:
        yield from _of_comparison(rules, at)


def _of_members(rules: list[Any], at: tuple[int, ...], first: int) -> Iterator[InitErrorDetails]:
    for index, member in enumerate(rules[first:], first):
        if isinstance(member, list):
            yield from _of_list(member, (*at, index))
        else:
            yield _problem((*at, index), member, "expected an expression, which is a list")


def _of_comparison(rules: list[Any], at: tuple[int, ...]) -> Iterator[InitErrorDetails]:
    operators = rules[1:-1]
    is_negated = len(rules) == 4 and rules[1] == "!"
    if not (len(rules) in (2, 3) or is_negated) or not all(isinstance(each, str) for each in operators):
        yield _problem(at, rules, _SHAPE)
        return
    operator = operators[-1] if operators else "=="
    if operator.lower() not in _OPERATORS:
        meant = _HABITS.get(operator)
        hint = f'did you mean "{meant}"?' if meant else near(operator, _OPERATORS)
        where = (*at, len(rules) - 2)
        yield _problem(
            where, operator, f'there is no operator "{operator}"', hint or f"known: {' '.join(_OPERATORS)}"
        )
        return
    expected = _expected(operator.lower(), rules[-1])
    if expected:
        yield _problem((*at, len(rules) - 1), rules[-1], f'"{operator}" takes {expected}')


def _expected(operator: str, literal: Any) -> str | None:
    """What the operator compares with, where `literal` is something else."""
    if operator in (">", ">=", "<", "<="):
        return None if _is_number(literal) else "a number"
    if operator in ("~~", "~*"):
        return None if isinstance(literal, str) else "a regular expression"
    if operator == "in":
        is_list = isinstance(literal, list) and all(_is_scalar(each) for each in literal)
        return None if is_list else "a list of texts and numbers"
    if operator == "ipmatch":
        networks = literal if isinstance(literal, list) else [literal]
        return None if all(is_network(each) for each in networks) else "addresses and networks"
    return None if _is_scalar(literal) else "a text or a number"


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
    return _is_scalar(value)


def _problem(at: tuple[int, ...], found: Any, message: str, hint: str | None = None) -> InitErrorDetails:
    return {"type": refuse("wrong-expression", message, hint), "loc": at, "input": found}


Expression = Annotated[list[Any], AfterValidator(_checked)]
"""Expressions of which all must hold."""

Network = Annotated[str, AfterValidator(_network)]
"""An IPv4 or IPv6 address, or a network of them in CIDR notation."""
