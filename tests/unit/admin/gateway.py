"""A gateway that is configured live, with its Admin API, in this process."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from toolway import _engine
from toolway.admin.opening import OpenAdmin, open_live
from toolway.config.kinds import KINDS
from toolway.config.models import GatewaySettings
from toolway.config.models.gateway import Admin, AdminKey
from toolway.config.secret import Secret
from toolway.config.secret_places import SecretPlaces
from toolway.live import LiveGateway
from toolway.store import Change, Retention, Sealer, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "an-admin-key-for-tests-7f3a"
VIEWER = "a-viewer-key-for-tests-91bc"
UPSTREAM = {"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}


@dataclass(slots=True)
class AdminUnderTest:
    """The Admin API, and what it stands on."""

    open_admin: OpenAdmin
    store: Store
    live: LiveGateway
    http: httpx.Client

    def call(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> httpx.Response:
        """A request with the admin's key, its body as JSON or as it is."""
        given = {"X-API-KEY": KEY, **{name.replace("_", "-"): value for name, value in headers.items()}}
        content = raw if body is None else json.dumps(body)
        return self.http.request(method, f"/apisix/admin{path}", content=content, headers=given)

    def get(self, path: str, **headers: str) -> Any:
        """The JSON of a GET that goes well."""
        answer = self.call("GET", path, None, raw=None, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, body: Any, **headers: str) -> Any:
        """The JSON of a PUT that goes well."""
        answer = self.call("PUT", path, body, raw=None, **headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def empty(self) -> None:
        """Deletes every resource."""
        changes = [Change(kind, resource.id, None) for kind in KINDS for resource in self.store.scan(kind)]
        if changes:
            self.live.write(changes, actor="test")


@contextmanager
def administered(
    folder: Path, settings: Admin | None = None, retention: Retention | None = None
) -> Iterator[AdminUnderTest]:
    """The gateway within the block, on a store in `folder`."""
    gateway = GatewaySettings(listen=["127.0.0.1:0"], tls=None, metrics=None, control=None, access_log=None)
    places = SecretPlaces(json.loads(_engine.plugin_schemas()))
    keys = [AdminKey(name="root", key=Secret(KEY)), AdminKey(name="eyes", key=Secret(VIEWER), role="viewer")]
    chosen = (settings or Admin()).model_copy(update={"listen": "127.0.0.1:0", "keys": keys})
    sealer = Sealer.load(folder, {}, places)
    with Store.open(folder, sealer=sealer, retention=retention or Retention()) as store:
        live = LiveGateway(store, gateway, folder=folder, environment={"HELLO_KEY": "hello-there"})
        admin = open_live(live, store, places, chosen, folder, {}, "test")
        live.start()
        admin.start()
        try:
            origin = f"http://{admin.server.address}"
            with httpx.Client(base_url=origin, trust_env=False, timeout=30) as client:
                yield AdminUnderTest(admin, store, live, client)
        finally:
            admin.stop()
            live.stop(1)
