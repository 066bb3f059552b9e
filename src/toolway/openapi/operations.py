"""`paths` to operations: each method of each path on its own, so that what is wrong with one stays there.

Schemas and bodies are read elsewhere (`schema`, `media`, `swagger`); ids are assigned last (`names`), when it
is known which operations are kept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toolway.openapi import media, parameters, swagger
from toolway.openapi.model import Body, Operation, Parameter, Response, SetAside
from toolway.openapi.names import assign
from toolway.openapi.path import read_path
from toolway.openapi.place import UnusableError, below, shown
from toolway.openapi.security import read_requirements
from toolway.openapi.servers import read_servers
from toolway.openapi.shape import flag, mapping, prose, words
from toolway.problem import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.openapi.reading import Reading

_METHODS = frozenset(("get", "put", "post", "delete", "options", "head", "patch"))
_UNSUPPORTED = frozenset(("trace", "connect", "query"))
_MEMBERS = frozenset(("parameters", "servers", "summary", "description", "$ref"))
_PATHS = "#/paths"


@dataclass(frozen=True, slots=True)
class Found:
    """A method of a path, before it is read."""

    method: str
    path: str
    """As the document writes it."""
    items: tuple[tuple[dict[str, Any], str], ...]
    """The Path Item Object with its place; after a `$ref`, what stands beside it too, which holds before."""
    value: Any
    at: str

    @property
    def title(self) -> str:
        """For reports: `GET /speaker/{id}`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Shared:
    """What the document says for all its operations."""

    servers: tuple[str, ...]
    schemes: dict[str, dict[str, Any]]


def read_operations(reading: Reading, shared: Shared) -> tuple[tuple[Operation, ...], tuple[SetAside, ...]]:
    """All operations with their ids, and those set aside, both in the document's order; finishes the schema
    pool.
    """
    set_aside: list[tuple[int, SetAside]] = []
    taken: list[tuple[int, Operation, set[str], str]] = []
    for position, found in enumerate(_find(reading)):
        if isinstance(found, SetAside):
            set_aside.append((position, found))
            continue
        needs: set[str] = set()
        try:
            taken.append((position, _read(reading, shared, found, needs), needs, found.path))
        except UnusableError as error:
            set_aside.append((position, SetAside(found.title, error.reason, shown(error.at))))
    reading.pool.finish()
    kept: list[tuple[Operation, str]] = []
    for position, operation, needs, path in taken:
        failure = reading.pool.failure(needs)
        if failure is None:
            kept.append((operation, path))
        else:
            title = f"{operation.method} {path}"
            set_aside.append((position, SetAside(title, failure.reason, shown(failure.at))))
    set_aside.sort(key=lambda pair: pair[0])
    return _named(reading, kept), tuple(aside for _, aside in set_aside)


def _find(reading: Reading) -> Iterator[Found | SetAside]:
    """Every operation of the document; a path that cannot be read at all is one set aside."""
    limit = reading.resolver.sources.limits.operations
    count = 0
    for path, raw in mapping(reading.root.get("paths"), "`paths`", _PATHS).items():
        if path.startswith("x-"):
            continue
        try:
            items = _path_items(reading, raw, below(_PATHS, path))
        except UnusableError as error:
            yield SetAside(path, error.reason, shown(error.at))
            continue
        members = {key: (value, below(at, key)) for item, at in items for key, value in item.items()}
        for key, (value, place) in members.items():
            method = key.lower()
            if method in _METHODS:
                count += 1
                if count > limit:
                    message = f"the document has more than {limit} operations"
                    problem = reading.resolver.sources.problem("openapi-too-large", message, ["paths", path])
                    raise ConfigurationError([problem])
                yield Found(method.upper(), path, items, value, place)
            elif method in _UNSUPPORTED:
                reason = f"the method {method.upper()} is not supported"
                yield SetAside(f"{method.upper()} {path}", reason, shown(place))
            elif key not in _MEMBERS and not key.startswith("x-"):
                reading.notices.add(f"`{key}` is neither a method nor known here: left out", place)


def _path_items(reading: Reading, raw: Any, at: str) -> tuple[tuple[dict[str, Any], str], ...]:
    """A Path Item Object with its place, and what stands beside its `$ref`, where it has one."""
    value, place = reading.resolver.follow(raw, at)
    if not isinstance(value, dict):
        raise UnusableError("a path item must be a mapping", place)
    return ((value, place),) if value is raw else ((value, place), (raw, at))


def _read(reading: Reading, shared: Shared, found: Found, needs: set[str]) -> Operation:
    template = read_path(found.path, below(_PATHS, found.path), reading.notices)
    if not isinstance(found.value, dict):
        raise UnusableError("an operation must be a mapping", found.at)
    value, at = found.value, found.at
    if isinstance(value.get("callbacks"), dict) and value["callbacks"]:
        reading.notices.add("callbacks are not taken", below(at, "callbacks"))
    lists = [(holder.get("parameters"), below(place, "parameters")) for holder, place in _holders(found)]
    merged = parameters.merge_parameters(reading, lists)
    described, body = _inputs(reading, merged, value, at, needs)
    consequential = value.get("x-openai-isConsequential")
    return Operation(
        id="",
        method=found.method,
        path=template.path,
        fixed_query=template.fixed_query,
        source_id=prose(value.get("operationId")).strip() or None,
        summary=_text(found, "summary"),
        description=_text(found, "description"),
        tags=words(value.get("tags")),
        deprecated=flag(value.get("deprecated")),
        parameters=parameters.fit_to_path(reading, described, template, at),
        body=body,
        responses=_responses(reading, value, at, needs),
        security=_security(reading, shared, value, at),
        servers=_servers(reading, shared, found),
        consequential=consequential if isinstance(consequential, bool) else None,
        at=shown(at),
    )


def _holders(found: Found) -> tuple[tuple[dict[str, Any], str], ...]:
    return (*found.items, (found.value, found.at))


def _text(found: Found, member: str) -> str:
    """A text of the operation, or else of its path."""
    return next((text for holder, _ in reversed(_holders(found)) if (text := prose(holder.get(member)))), "")


def _inputs(
    reading: Reading,
    merged: list[tuple[dict[str, Any], str]],
    value: dict[str, Any],
    at: str,
    needs: set[str],
) -> tuple[list[Parameter], Body | None]:
    read_one = swagger.read_parameter if reading.swagger else parameters.read_parameter
    plain = [pair for pair in merged if not (reading.swagger and pair[0]["in"] in ("body", "formData"))]
    described = [read_one(reading, *pair, needs) for pair in plain]
    if reading.swagger:
        body = swagger.read_body(reading, merged, value, needs)
    elif "requestBody" in value:
        body = media.read_body(reading, value["requestBody"], below(at, "requestBody"), needs)
    else:
        body = None
    return [parameter for parameter in described if parameter is not None], body


def _responses(reading: Reading, value: dict[str, Any], at: str, needs: set[str]) -> tuple[Response, ...]:
    place = below(at, "responses")
    responses: list[Response | None] = []
    for status, raw in mapping(value.get("responses"), "`responses`", place).items():
        if status.startswith("x-"):
            continue
        if reading.swagger:
            responses.append(swagger.read_response(reading, status, raw, below(place, status), value, needs))
        else:
            responses.append(media.read_response(reading, status, raw, below(place, status), needs))
    return tuple(response for response in responses if response is not None)


def _security(
    reading: Reading, shared: Shared, value: dict[str, Any], at: str
) -> tuple[dict[str, list[str]], ...]:
    holder, place = (value, at) if "security" in value else (reading.root, "#")
    return read_requirements(reading, holder.get("security"), below(place, "security"), shared.schemes)


def _servers(reading: Reading, shared: Shared, found: Found) -> tuple[str, ...]:
    """Servers of the operation, or of its path; none where they say what the document says."""
    if reading.swagger:
        return ()
    for holder, place in reversed(_holders(found)):
        if isinstance(holder.get("servers"), list) and holder["servers"]:
            servers, _ = read_servers(reading, holder["servers"], below(place, "servers"))
            return () if servers == shared.servers else servers
    return ()


def _named(reading: Reading, kept: list[tuple[Operation, str]]) -> tuple[Operation, ...]:
    """The operations with their ids; notices for ids that are not the document's, and for paths that are the
    same.
    """
    uses = Counter(operation.source_id for operation, _ in kept)
    ids = assign([(operation.source_id, operation.method, path) for operation, path in kept])
    named = [replace(operation, id=name) for (operation, _), name in zip(kept, ids, strict=True)]
    first: dict[tuple[str, str], str] = {}
    for operation in named:
        at = f"#{operation.at}"
        if operation.source_id not in (None, operation.id):
            again = "is used twice" if uses[operation.source_id] > 1 else "cannot be an id as it is"
            reading.notices.add(f"the operationId `{operation.source_id}` {again}: {operation.id}", at)
        earlier = first.setdefault((operation.method, operation.path), operation.id)
        if earlier != operation.id:
            reading.notices.add(f"method and path are the same as those of `{earlier}`", at)
    return tuple(named)
