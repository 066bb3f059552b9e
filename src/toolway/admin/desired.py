"""What there should be: the sections of a configuration as resources by kind and id.

Sections are those of `toolway.yaml`. A consumer's credentials become resources of their own, and what has no
id gets the one that it has in a file, made from its content.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolway.admin.answers import Refusal, invalid
from toolway.config.identity import identifier_of_value
from toolway.config.kinds import KINDS
from toolway.config.models import Identified
from toolway.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.config.kinds import Kind

LABEL = "applied-by"
"""The label that remembers who applied a resource."""


@dataclass(frozen=True, slots=True)
class Desired:
    """A resource that there should be."""

    value: dict[str, Any] = field(repr=False)
    origin: str
    """JSON pointer to it in what was sent."""


def desired_of(resources: Any, owner: str) -> dict[tuple[str, str], Desired]:
    """By kind and id. Raises Refusal with all that is wrong with sections and ids."""
    if not isinstance(resources, dict):
        raise Refusal(400, "invalid configuration: /resources: expected an object of lists")
    problems: list[Problem] = []
    found: dict[tuple[str, str], Desired] = {}
    sections = {kind.section: kind for kind in KINDS.values() if kind.section}
    for section in resources:
        if section not in sections:
            message = f'the section "{section}" is not known; known are {", ".join(sections)}'
            problems.append(Problem("unknown-field", message, pointer=f"/{section}"))
    for section, kind in sections.items():
        if section not in resources:
            continue
        items = resources[section]
        if not isinstance(items, list):
            problems.append(Problem("wrong-type", "expected a list", pointer=f"/{section}"))
            continue
        for key, desired, problem in _of_section(kind, items):
            if problem is None and key in found:
                message = f"another of the {section} has the same {kind.id_field}"
                problem = Problem("duplicate-id", message, pointer=desired.origin)
            if problem is not None:
                problems.append(problem)
            else:
                found[key] = desired
    if problems:
        raise invalid(problems)
    return {key: _labelled(key[0], desired, owner) for key, desired in found.items()}


def _of_section(kind: Kind, items: list[Any]) -> Iterator[tuple[tuple[str, str], Desired, Problem | None]]:
    made: Counter[str] = Counter()
    for index, item in enumerate(items):
        origin = f"/{kind.section}/{index}"
        if not isinstance(item, dict):
            wrong = Problem("wrong-type", "expected a mapping", pointer=origin)
            yield (kind.name, ""), Desired({}, origin), wrong
            continue
        value = dict(item)
        credentials = value.pop("credentials", None) if kind.name == "consumers" else None
        given = value.get(kind.id_field)
        if given is None and issubclass(kind.model, Identified):
            given = identifier_of_value(kind.name, kind.model, value)
            made[given] += 1
            given = given if made[given] == 1 else f"{given}-{made[given]}"
        identifier, problem = _identifier(kind, given, origin)
        yield (kind.name, identifier), Desired(value, origin), problem
        if credentials is not None and problem is None:
            yield from _credentials(identifier, credentials, f"{origin}/credentials")


def _credentials(
    username: str, items: Any, origin: str
) -> Iterator[tuple[tuple[str, str], Desired, Problem | None]]:
    kind = KINDS["credentials"]
    if not isinstance(items, list):
        wrong = Problem("wrong-type", "expected a list", pointer=origin)
        yield (kind.name, ""), Desired({}, origin), wrong
        return
    for index, item in enumerate(items):
        at = f"{origin}/{index}"
        given = item.get("id") if isinstance(item, dict) else None
        whole = f"{username}/{given}" if isinstance(given, (str, int)) and given != "" else None
        identifier, problem = _identifier(kind, whole, at)
        yield (kind.name, identifier), Desired(dict(item) if problem is None else {}, at), problem


def _identifier(kind: Kind, given: Any, origin: str) -> tuple[str, Problem | None]:
    if given is None:
        message = f'expected the field "{kind.id_field}"'
        return "", Problem("missing-field", message, pointer=origin)
    text = str(given) if isinstance(given, (str, int)) and not isinstance(given, bool) else ""
    if not kind.id_pattern.fullmatch(text):
        message = f"it is no {kind.id_field} of a {kind.word}"
        return "", Problem("wrong-value", message, pointer=f"{origin}/{kind.id_field}")
    return text, None


def _labelled(kind: str, desired: Desired, owner: str) -> Desired:
    if "labels" not in KINDS[kind].model.model_fields:
        return desired
    labels = desired.value.get("labels")
    if labels is not None and not isinstance(labels, dict):
        return desired
    return Desired({**desired.value, "labels": {**(labels or {}), LABEL: owner}}, desired.origin)
