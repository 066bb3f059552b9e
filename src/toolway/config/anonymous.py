"""Anonymous consumers: whom authentication plugins name as those who go on without a credential.

They are no references: a consumer of that name may come later and go before, and while there is none, callers
without a credential are refused. So a name that nobody has is worth a warning and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from toolway.config.source import pointer_to
from toolway.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

_FIELD = "anonymous_consumer"


def warnings_of(value: Mapping[str, Any], pointer: str, is_there: Callable[[str], bool]) -> Iterator[Problem]:
    """A warning for each anonymous consumer that a resource names and that is not there.

    `value` is the resource as it is written, which stands at `pointer`.
    """
    for at, username in _named(value, pointer):
        if not is_there(username):
            message = (
                f'no consumer has the username "{username}"; until there is one, callers without a '
                "credential are refused"
            )
            yield Problem("anonymous-consumer-missing", message, pointer=at, kind="warning")


def _named(value: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, str]]:
    yield from _of_plugins(value.get("plugins"), f"{pointer}/plugins")
    operations = value.get("operations")
    for pattern, settings in operations.items() if isinstance(operations, Mapping) else ():
        if isinstance(settings, Mapping):
            at = f"{pointer}/operations{pointer_to(pattern)}/plugins"
            yield from _of_plugins(settings.get("plugins"), at)


def _of_plugins(plugins: Any, pointer: str) -> Iterator[tuple[str, str]]:
    for name, settings in plugins.items() if isinstance(plugins, Mapping) else ():
        if not isinstance(settings, Mapping):
            continue
        at = pointer + pointer_to(name)
        username = settings.get(_FIELD)
        if isinstance(username, str):
            yield f"{at}/{_FIELD}", username
        tried = settings.get("auth_plugins")
        for index, each in enumerate(tried if isinstance(tried, list) else ()):
            yield from _of_plugins(each, f"{at}/auth_plugins/{index}")
