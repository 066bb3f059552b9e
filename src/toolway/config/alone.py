"""One resource by itself: whether it is what its kind's model takes, without what it refers to.

Secrets need not be there: `***` may stand in their place, and references are not followed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from toolway.config.models import CREDENTIALS
from toolway.config.source import Source, pointer_to
from toolway.config.telling import problems_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolway.config.kinds import Kind
    from toolway.config.models import Model
    from toolway.problem import Problem

_HASHES = ("password_hash",)
"""Secrets whose form is checked, so that nothing can be said of a `***`."""


def mistakes_of(kind: Kind, identifier: str, value: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with a resource as it is stored, with pointers `/KIND/ID...`."""
    at = pointer_to(kind.name, identifier)
    yield from _checked(kind.model, value, at)
    plugins = value.get("plugins")
    if kind.name not in ("consumers", "credentials") or not isinstance(plugins, dict):
        return
    for name, settings in plugins.items():
        if name in CREDENTIALS and isinstance(settings, dict):
            plain = {field: item for field, item in settings.items() if field != "_meta"}
            if not any(field in plain for field in _HASHES):
                yield from _checked(CREDENTIALS[name], plain, at + pointer_to("plugins", name))


def _checked(model: type[Model], value: Mapping[str, Any], pointer: str) -> Iterator[Problem]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        source = Source.of_data({}, folder=Path(), environment={})
        yield from problems_of(error, model, value, pointer, source)
