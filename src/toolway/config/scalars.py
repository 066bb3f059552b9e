"""Scalars: what a plain YAML text means by the core schema of YAML 1.2 (section 10.3.2), and environment
values in it.

Only `true` and `false` are booleans, `yes` and `on` are texts, octal is `0o17`, and there are no dates.
Numbers that JSON cannot carry (`.inf`, `.nan`, `1e999`) stay texts, so that the field that gets them refuses
them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Scalar = str | int | float | bool | None

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}\Z")
_BASED = re.compile(r"0o[0-7]{1,40}\Z|0x[0-9a-fA-F]{1,40}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
    r"|(?P<malformed>\$\{[A-Za-z_{][^}]*\}?\}?)"
)

TAGS: Mapping[str, tuple[type, ...]] = {
    "tag:yaml.org,2002:str": (str,),
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
}
"""The explicit tags that a scalar may have, and the types that its text must then have."""


def typed(text: str) -> Scalar:
    """The value of a plain scalar."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.match(text):
        return int(text)
    if _BASED.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


@dataclass(frozen=True, slots=True)
class Substitution:
    """A text with its environment values filled in."""

    text: str
    whole: bool = False
    """The text was one `${NAME}` and nothing else."""
    changed: bool = False
    missing: tuple[str, ...] = ()
    """Names that are not set and have no default."""
    malformed: tuple[str, ...] = ()


def substitute(text: str, environment: Mapping[str, str]) -> Substitution:
    """Fills in `${NAME}` and `${NAME:-default}`; the default also holds where the variable is empty, as in a
    shell.

    `$${` is a literal `${`. A `${` that no name follows is left as it is, for it may be part of a regular
    expression.
    """
    if "${" not in text:
        return Substitution(text)
    missing: list[str] = []
    malformed: list[str] = []

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${"
        if match["malformed"]:
            malformed.append(match["malformed"])
            return ""
        name, default = match["name"], match["default"]
        found = environment.get(name)
        if default is not None:
            return found or default
        if found is None:
            missing.append(name)
        return found or ""

    whole = _REFERENCE.fullmatch(text)
    filled = _REFERENCE.sub(value, text)
    is_whole = whole is not None and whole["name"] is not None
    return Substitution(filled, is_whole, filled != text, tuple(missing), tuple(malformed))
