"""File mode: the resources of a configuration file, read as those of a store are. Nothing is written here.

Values are as the file has them, with ids that were made for those without; what the environment filled in is
not shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Unpack

from toolway.admin.masking import holder_of
from toolway.config import Source, parse
from toolway.config.kinds import KINDS
from toolway.problem import ConfigurationError, Problem
from toolway.store import MASK, Change, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from toolway.config import Configuration
    from toolway.store import Filters, Key

READ_ONLY = (
    "this gateway reads its configuration from {file}, so its Admin API is read-only: change the file, or "
    "serve with --data"
)


class Loaded(Protocol):
    """Who has loaded the file."""

    @property
    def configuration(self) -> Configuration:
        """The one that is served now."""

    @property
    def revision(self) -> int:
        """How many have been served, this one included."""


class FileRecords:
    """Reads the configuration that is served at the moment of each call."""

    def __init__(self, loaded: Loaded, plugin_schemas: Mapping[str, Any]) -> None:
        self._loaded = loaded
        self._plugin_schemas = plugin_schemas
        self._of: Configuration | None = None
        self._found: dict[str, dict[str, Resource]] = {}

    def revision(self) -> int:
        """How many versions of the file have been served."""
        return self._loaded.revision

    def get(self, kind: str, id: str, /) -> Resource | None:  # noqa: A002
        """A resource."""
        return self._resources().get(kind, {}).get(id)

    def scan(self, kind: str) -> Iterator[Resource]:
        """All of a kind, in the order of the file."""
        yield from self._resources().get(kind, {}).values()

    def list(
        self, kind: str, *, page: int = 1, page_size: int | None = None, **filters: Unpack[Filters]
    ) -> tuple[int, Sequence[Resource]]:
        """As `Store.list`."""
        found = [resource for resource in self.scan(kind) if _passes(resource, filters)]
        start = 0 if page_size is None else (page - 1) * page_size
        return len(found), found[start : None if page_size is None else start + page_size]

    def referrers(self, kind: str, id: str, /) -> Sequence[Key]:  # noqa: A002
        """Who refers to a resource."""
        return [
            (name, resource.id)
            for name in KINDS
            for resource in self.scan(name)
            if (kind, id) in KINDS[name].references(resource.id, resource.value)
        ]

    def check(self, changes: Iterable[Change]) -> None:
        """Whether the file could say this too. Raises ConfigurationError."""
        data: dict[str, Any] = {}
        values = {name: {each.id: each.value for each in self.scan(name)} for name in KINDS}
        for change in changes:
            if change.value is not None:
                values[change.kind][change.id] = change.value
        places: dict[str, str] = {}
        for name, kind in KINDS.items():
            if kind.section is None:
                continue
            data[kind.section] = list(values[name].values())
            for index, identifier in enumerate(values[name]):
                escaped = identifier.replace("~", "~0").replace("/", "~1")
                places[f"/{kind.section}/{index}"] = f"/{name}/{escaped}"
        source = self._loaded.configuration.source
        candidate = Source.of_data(data, folder=source.folder, environment=source.environment)
        try:
            parse(candidate, plugin_schemas=self._plugin_schemas)
        except ConfigurationError as error:
            raise ConfigurationError(_moved(problem, places) for problem in error.problems) from error

    def _resources(self) -> dict[str, dict[str, Resource]]:
        configuration = self._loaded.configuration
        if configuration is not self._of:
            self._found = _read(configuration, self._loaded.revision)
            self._of = configuration
        return self._found


def _read(configuration: Configuration, revision: int) -> dict[str, dict[str, Resource]]:
    source = configuration.source
    data = _without_hidden(source)
    found: dict[str, dict[str, Resource]] = {name: {} for name in KINDS}
    for name, kind in KINDS.items():
        if kind.section is None:
            continue
        loaded = getattr(configuration, kind.section)
        for model in loaded.values() if isinstance(loaded, dict) else loaded:
            written = holder_of(data, model.pointer)
            value = dict(written[0][written[1]])
            identifier = getattr(model, kind.id_field)
            value[kind.id_field] = identifier
            credentials = value.pop("credentials", None) if name == "consumers" else None
            found[name][identifier] = Resource(name, identifier, value, revision, revision)
            for credential in credentials or ():
                own = {**credential, "id": str(credential["id"])}
                below = f"{identifier}/{own['id']}"
                found["credentials"][below] = Resource("credentials", below, own, revision, revision)
    return found


def _without_hidden(source: Source) -> Any:
    """The data with `***` in place of what came from the environment."""
    data = _copy(source.data)
    for pointer in source.hidden:
        holder, name = holder_of(data, pointer)
        if holder is not None and isinstance(holder[name], str):
            holder[name] = MASK
    return data


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _passes(resource: Resource, filters: Filters) -> bool:
    value = resource.value
    uris = [value.get("uri"), *(value.get("uris") or ())]
    return (
        filters.get("name", "") in (value.get("name") or "")
        and ("label" not in filters or filters["label"] in (value.get("labels") or {}))
        and ("uri" not in filters or any(filters["uri"] in each for each in uris if each))
        and ("under" not in filters or resource.id.startswith(f"{filters['under']}/"))
    )


def _moved(problem: Problem, places: Mapping[str, str]) -> Problem:
    start = "/".join(problem.pointer.split("/")[:3])
    pointer = places.get(start, start) + problem.pointer[len(start) :]
    return Problem(problem.code, problem.message, pointer=pointer, hint=problem.hint, kind=problem.kind)
