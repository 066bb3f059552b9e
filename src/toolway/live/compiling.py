"""Compiling of a part: some resources of a state, with what they refer to, to their entries in the snapshot.

The functions are those that compile a file; here they see an assembly of what is needed. Pure but for secrets
that are read from the environment and from files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolway.address_lists import AddressListError
from toolway.apps.curate import may_select
from toolway.compile import compile as compile_configuration
from toolway.config import parse
from toolway.config.kinds import KINDS, uses
from toolway.config.metadata import UNNAMED
from toolway.live.assembly import Assembly
from toolway.openapi import is_url
from toolway.problem import ConfigurationError, Problem
from toolway.reading import address_lists_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from toolway.address_lists import AddressLists
    from toolway.apps.model import AppView
    from toolway.compile import Compiled
    from toolway.config import Configuration, PluginSchemas
    from toolway.config.models import GatewaySettings
    from toolway.live.documents import Documents
    from toolway.live.state import State, Value
    from toolway.openapi.model import Document
    from toolway.secret_managers import ManagedSecrets
    from toolway.store import Key

SECTIONS = ("upstreams", "consumers", "apps", "apis", "routes", "global_rules", "ssls")
_GATEWAY = "/gateway/tls"


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for every part: the gateway's own settings, and where it reads things."""

    gateway: GatewaySettings
    plugin_schemas: PluginSchemas
    secrets: Path
    """The folder of `$file://`."""
    environment: Mapping[str, str] = field(repr=False)
    """What `$env://` reads."""
    managed: ManagedSecrets = field(repr=False)
    """What `$secret://` reads."""
    lists: AddressLists = field(repr=False)
    """What publishers of addresses have told."""
    connect_to: Mapping[str, str] = field(default_factory=dict)
    cores: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """What some resources compile to."""

    gateway: Mapping[str, Any]
    """The snapshot's `gateway`, which is the same for every part."""
    entries: Mapping[str, list[dict[str, Any]]] = field(repr=False)
    """By section, with secrets as `Secret` values."""
    places: Mapping[str, str] = field(repr=False)
    """Pointers into `entries` -> `/KIND/ID` and the pointer into the value."""
    views: tuple[AppView, ...] = ()

    def place(self, pointer: str) -> str:
        """Where the resource has what is at `pointer` in the entries."""
        known = pointer
        while known and known not in self.places:
            known = known.rpartition("/")[0]
        return self.places[known] + pointer[len(known) :] if known else pointer


class Compiler:
    """Compiles parts."""

    def __init__(self, setting: Setting, documents: Documents) -> None:
        self._setting = setting
        self._documents = documents

    def part(
        self,
        state: State,
        keys: Iterable[Key],
        *,
        left_out: Collection[Key] = (),
        closed: Collection[Key] = (),
        with_gateway: bool = False,
    ) -> Part:
        """The entries of the resources of `state` that `keys` name; those that are not there have none.

        Of those `left_out` nothing is there, and the routes in `closed` refuse every request. `with_gateway`
        gives what the gateway's own settings compile to besides. Raises ConfigurationError with all problems.
        """
        assembly = Assembly()
        wanted = [key for key in keys if key not in left_out and key[0] in KINDS]
        _put_together(assembly, state, wanted, set(left_out), set(closed))
        only = {pointer for key in wanted if (pointer := assembly.pointer(key)) is not None}
        if with_gateway:
            only.add(_GATEWAY)
        try:
            compiled = self._compiled(assembly, state, wanted, only)
        except ConfigurationError as error:
            raise ConfigurationError([assembly.told(problem) for problem in error.problems]) from error
        document = compiled.document
        return Part(
            document["gateway"],
            {section: document.get(section, []) for section in SECTIONS},
            {pointer: assembly.place(origin) for pointer, origin in compiled.places.items() if pointer},
            compiled.apps,
        )

    def forget_managers(self, state: State) -> None:
        """Forgets what secret managers told that `state` does not have."""
        setting = self._setting
        assembly = Assembly()
        for identifier, value in state.scan("secrets"):
            assembly.add("secrets", identifier, value)
        source = assembly.source(setting.secrets, setting.environment, setting.managed)
        try:
            configuration = parse(source, plugin_schemas=setting.plugin_schemas, gateway=setting.gateway)
        except ConfigurationError:
            # One of them is wrong by now, so which of the others is which cannot be told.
            return
        setting.managed.keep_only([manager.settings for manager in configuration.secrets.values()])

    def _compiled(
        self, assembly: Assembly, state: State, wanted: Collection[Key], only: Collection[str]
    ) -> Compiled:
        setting = self._setting
        source = assembly.source(setting.secrets, setting.environment, setting.managed)
        configuration = parse(source, plugin_schemas=setting.plugin_schemas, gateway=setting.gateway)
        documents, logos = self._read(configuration, state, only)
        address_lists = address_lists_of(configuration, self._addresses)
        return compile_configuration(
            configuration,
            documents,
            logos=logos,
            connect_to=setting.connect_to,
            cores=setting.cores,
            only=only,
            main_app=state.main_app() if any(kind == "apps" for kind, _ in wanted) else None,
            address_lists=address_lists,
        )

    def _addresses(self, source: str) -> tuple[str, ...]:
        if not is_url(source):
            raise AddressListError(f"{source} is no URL, and paths of one machine mean nothing in a store")
        return self._setting.lists.read(source)

    def _read(
        self, configuration: Configuration, state: State, only: Collection[str]
    ) -> tuple[dict[str, Document], dict[str, bytes]]:
        documents: dict[str, Document] = {}
        logos: dict[str, bytes] = {}
        problems: list[Problem] = []
        for api in configuration.apis:
            try:
                documents[api.id] = self._documents.of(api, state)
            except ConfigurationError as error:
                problems += [
                    Problem(
                        "spec-unreadable",
                        f"the document cannot be used: {problem}",
                        pointer=f"{api.pointer}/spec",
                        hint=problem.hint,
                    )
                    for problem in error.problems
                ]
        for app in configuration.apps:
            if app.pointer not in only:
                continue
            try:
                image = self._documents.logo(app)
            except (OSError, ValueError) as error:
                message = f"the logo cannot be used: {error}"
                problems.append(Problem("logo-unreadable", message, pointer=f"{app.pointer}/logo"))
            else:
                logos |= {} if image is None else {app.id: image}
        if problems:
            raise ConfigurationError(problems)
        return documents, logos


def _put_together(
    assembly: Assembly, state: State, wanted: Collection[Key], left_out: set[Key], closed: set[Key]
) -> None:
    """Adds the wanted resources, then whatever they refer to, and so on."""
    if any(kind == "apps" for kind, _ in wanted):
        # Tools stand in the order in which the apis were made, whichever of them is named first.
        wanted = [*_selected(state, wanted), *wanted]
    seen = set(left_out)
    waiting = list(wanted)
    while waiting:
        following: list[Key] = []
        for key in waiting:
            if key in seen:
                continue
            seen.add(key)
            value = state.get(*key)
            if value is not None:
                following += _add(assembly, state, key, value, key in closed)
                following += [("plugin_metadata", name) for name in UNNAMED if uses(value, name)]
        waiting = following


def _add(assembly: Assembly, state: State, key: Key, value: Value, is_closed: bool) -> list[Key]:
    """Adds one resource: what it refers to."""
    kind, identifier = key
    if is_closed:
        service = state.get("services", str(value.get("service_id"))) or {}
        assembly.add_closed(identifier, value, service.get("hosts"))
        return []
    references = KINDS[kind].references(identifier, value)
    if kind != "consumers":
        assembly.add(kind, identifier, value)
        return references
    credentials = list(state.credentials(identifier))
    assembly.add_consumer(identifier, value, credentials)
    for below, credential in credentials:
        references += [each for each in KINDS["credentials"].references(below, credential) if each != key]
    return references


def _selected(state: State, wanted: Collection[Key]) -> list[Key]:
    patterns: list[str] = []
    for kind, identifier in wanted:
        given = (state.get(kind, identifier) or {}).get("operations") if kind == "apps" else None
        patterns += [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
    return [
        ("apis", identifier)
        for identifier, _ in state.scan("apis")
        if ("apis", identifier) in wanted or may_select(patterns, identifier)
    ]
