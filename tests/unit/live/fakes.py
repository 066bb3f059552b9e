"""An engine that only keeps the entries that it was given, so that tests can look at them."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any
from unittest import mock

from toolway import _engine
from toolway.config.models import GatewaySettings
from toolway.config.secret_places import SecretPlaces
from toolway.live import LiveGateway
from toolway.live.ownership import entry_id
from toolway.store import Change, Sealer, Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Entries = dict[str, dict[str, Any]]
PLACES = SecretPlaces(json.loads(_engine.plugin_schemas()))
SETTINGS = GatewaySettings.model_validate(
    {"listen": ["127.0.0.1:0"], "tls": None, "metrics": None, "control": None, "access_log": None}
)
NODES = {"127.0.0.1:80": 1}
SPEC: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Things", "version": "1"},
    "paths": {
        "/things": {
            "get": {"operationId": "listThings", "responses": {"200": {"description": "Things."}}},
            "post": {"operationId": "addThing", "responses": {"200": {"description": "A thing."}}},
        }
    },
}


class FakeEngine:
    """Takes snapshots and deltas as the engine does, and checks what entries refer to."""

    def __init__(self, text: str) -> None:
        snapshot = json.loads(text)
        self.entries: Entries = {
            section: {entry_id(section, entry): entry for entry in each}
            for section, each in snapshot.items()
            if isinstance(each, list)
        }
        self.gateway = snapshot["gateway"]
        self.commits = 0
        check(self.entries, snapshot["consumers"], "")

    def start(self, *, beside: bool = False) -> None:
        pass

    def drain(self, timeout: float) -> bool:
        return True

    def apply(self, text: str) -> None:
        self.entries = FakeEngine(text).entries

    def prepare(self, text: str) -> Entries:
        delta = json.loads(text)
        entries = {section: dict(each) for section, each in self.entries.items()}
        for section, identifiers in delta["remove"].items():
            for identifier in identifiers:
                entries[section].pop(identifier, None)
        for section, each in delta["put"].items():
            entries[section] |= {entry_id(section, entry): entry for entry in each}
        check(entries, delta["put"].get("consumers", ()), "/put")
        return entries

    def commit(self, prepared: Entries) -> None:
        self.entries = prepared
        self.commits += 1


def check(entries: Entries, consumers: Iterable[dict[str, Any]], prefix: str) -> None:
    """Raises EngineError where two consumers have one key, and fails where an entry names one that is not
    there.
    """
    places = {consumer["username"]: f"{prefix}/consumers/{at}" for at, consumer in enumerate(consumers)}
    keys: set[str] = set()
    for consumer in sorted(entries["consumers"].values(), key=lambda one: one["username"] in places):
        for nth, credential in enumerate(consumer["credentials"]):
            key = credential["config"].get("key_sha256")
            if key is None:
                continue
            if key in keys:
                error = _engine.EngineError("the same key")
                error.problems = [(f"{places[consumer['username']]}/credentials/{nth}", "the same key")]
                raise error
            keys.add(key)
    for route in entries["routes"].values():
        upstream = route["target"].get("upstream")
        if upstream is not None and upstream["id"] not in entries["upstreams"]:
            raise AssertionError(f"route {route['id']}: no upstream {upstream['id']}")
    for app in entries["apps"].values():
        for tool in app["tools"]:
            if tool["route"] not in entries["routes"]:
                raise AssertionError(f"app {app['id']}: no route {tool['route']}")


@contextlib.contextmanager
def fake_engine() -> Iterator[None]:
    """Live gateways that are started within have a fake engine."""
    with mock.patch.object(_engine, "Engine", FakeEngine):
        yield


@contextlib.contextmanager
def opened(folder: Path, **options: Any) -> Iterator[Store]:
    """A store in `folder`."""
    with Store.open(folder, sealer=Sealer.load(folder, {}, PLACES), **options) as store:
        yield store


def gateway(store: Store, folder: Path, **options: Any) -> LiveGateway:
    """A live gateway that was not started."""
    return LiveGateway(store, SETTINGS, folder=folder, **options)


def entries(live: LiveGateway) -> Entries:
    """What its fake engine has."""
    engine = live._engine
    assert isinstance(engine, FakeEngine)
    return engine.entries


def put(kind: str, identifier: str, **value: Any) -> Change:
    return Change(kind, identifier, value)


def delete(kind: str, identifier: str) -> Change:
    return Change(kind, identifier, None)
