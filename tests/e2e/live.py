"""A gateway that is configured live: `toolway serve --data`, with its Admin API, as a process of its own."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from .serving import PATIENCE_SECONDS, Gateway, serving, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEY = "an-admin-key-for-tests-7f3a"
SETTINGS: dict[str, Any] = {
    "listen": ["127.0.0.1:0"],
    "tls": None,
    "admin": "127.0.0.1:0",
    "metrics": None,
    "control": None,
    "access_log": None,
}


@dataclass(slots=True)
class LiveGateway:
    """The gateway, and a client of its Admin API with the admin's key."""

    gateway: Gateway
    admin: httpx.Client

    @property
    def http(self) -> httpx.Client:
        """A client whose base URL is the gateway's origin."""
        return self.gateway.http

    @property
    def admin_url(self) -> str:
        return str(self.gateway.admin_origin)

    def curl(self, method: str, path: str, body: str | dict[str, Any] | None = None) -> httpx.Response:
        """A call as curl makes it: its body is sent as the content type of a form."""
        text = json.dumps(body) if isinstance(body, dict) else body
        headers = {"content-type": "application/x-www-form-urlencoded"} if text else {}
        return self.admin.request(method, f"/apisix/admin{path}", content=text, headers=headers)


@contextmanager
def live(
    folder: Path,
    *arguments: str,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    key: str = KEY,
) -> Iterator[LiveGateway]:
    """Serves the data in `folder` within the block."""
    path = folder.parent / f"{folder.name}.yaml"
    write(path, {"gateway": {**SETTINGS, **(settings or {})}})
    given = {"TOOLWAY_ADMIN_KEY": key, **(environment or {})}
    with (
        serving(path, "--data", str(folder), *arguments, environment=given) as gateway,
        httpx.Client(
            base_url=str(gateway.admin_origin),
            headers={"X-API-KEY": key},
            trust_env=False,
            timeout=PATIENCE_SECONDS,
        ) as admin,
    ):
        yield LiveGateway(gateway, admin)
