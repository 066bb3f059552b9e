"""Toolway's Admin API in the row `apply`: it is told of 10,000 routes first, and then of one that changes."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import httpx
import yaml

from benches.load.credentials import SECRET
from benches.load.processes import ServerError

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_SECONDS = 60.0
"""For the first routes, or one change."""


class Administration:
    """The Admin API of a Toolway that was started with `apply.yaml` in `folder`."""

    def __init__(self, folder: Path) -> None:
        """Waits for the Admin API and tells it the first routes, all at once. Raises ServerError."""
        settings = yaml.safe_load((folder / "apply.yaml").read_text())
        url = f"http://{settings['gateway']['admin']['listen']}/apisix/admin"
        self._client = httpx.Client(base_url=url, headers={"X-API-KEY": SECRET}, timeout=LONGEST_SECONDS)
        self._await()
        self._send("POST", "/bulk", (folder / "apply.json").read_bytes())

    def change(self, number: int) -> None:
        """Changes the one route. The answer comes when the change is stored and live. Raises ServerError."""
        self._send("PATCH", "/routes/changed", json.dumps({"uri": f"/changed/{number}"}).encode())

    def _await(self) -> None:
        deadline = time.monotonic() + LONGEST_SECONDS
        while True:
            try:
                return self._send("GET", "/routes/none", None, expected=404)
            except ServerError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _send(self, method: str, path: str, body: bytes | None, expected: int = 200) -> None:
        try:
            answer = self._client.request(method, path, content=body)
        except httpx.HTTPError as error:
            raise ServerError(f"the Admin API does not answer: {error}") from error
        if answer.status_code != expected:
            raise ServerError(
                f"the Admin API answers {method} {path} with {answer.status_code}: {answer.text[:1000]}"
            )
