"""The client of a gateway's Admin API. Synchronous; one connection, kept for all calls.

Proxies of the environment are not used: an administrator's key goes to the gateway and nowhere else. Nor are
redirects followed.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import httpx

from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from pathlib import Path

PAGE_SIZE = 500
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 600.0

Progress = Callable[[int, int], None]
"""Told how many of how many are done."""


class AdminError(Exception):
    """The Admin API cannot be reached or refuses; the message is for the user."""


class AdminClient:
    """One Admin API. Use as a context manager."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        ca: Path | None = None,
        cert: Path | None = None,
        cert_key: Path | None = None,
    ) -> None:
        """`ca` are the authorities that are believed instead of the system's; `cert` with its key is shown
        where the gateway asks for one. Raises AdminError where these cannot be used.
        """
        self._url = url.rstrip("/")
        try:
            verify: ssl.SSLContext = ssl.create_default_context(cafile=ca)
            if cert is not None:
                verify.load_cert_chain(cert, cert_key)
            self._http = httpx.Client(
                base_url=f"{self._url}/apisix/admin",
                headers={"X-API-KEY": key},
                verify=verify,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            )
        except (OSError, ValueError, httpx.InvalidURL) as error:
            raise AdminError(f"{self._url} cannot be spoken to: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def all(self, path: str, progress: Progress | None = None) -> list[dict[str, Any]]:
        """The values of a list, page by page."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self._call("GET", path, params={"page": page, "page_size": PAGE_SIZE})
            found += [entry["value"] for entry in answer["list"]]
            if progress is not None:
                progress(len(found), answer["total"])
            if len(answer["list"]) < PAGE_SIZE:
                return found
            page += 1

    def entries(self, path: str) -> list[dict[str, Any]]:
        """A list with what stands beside the values: `key_hint` and `last_used_at` of credentials."""
        found: list[dict[str, Any]] = self._call("GET", path)["list"]
        return found

    def one(self, path: str) -> dict[str, Any]:
        """The value of a resource."""
        found: dict[str, Any] = self._call("GET", path)["value"]
        return found

    def make(self, path: str, value: dict[str, Any]) -> dict[str, Any]:
        """Makes a resource that must not be there yet, and gives its value."""
        found: dict[str, Any] = self._call("PUT", path, json=value, headers={"If-None-Match": "*"})["value"]
        return found

    def merge(self, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Merges fields into a resource, and gives its value."""
        found: dict[str, Any] = self._call("PATCH", path, json=fields)["value"]
        return found

    def delete(self, path: str) -> None:
        """Deletes a resource."""
        self._call("DELETE", path)

    def plan(self, resources: dict[str, Any], owner: str) -> dict[str, Any]:
        """What applying would change."""
        return self._call("POST", "/plan", json={"resources": resources, "owner": owner})

    def apply(self, resources: dict[str, Any], owner: str) -> dict[str, Any]:
        """Applies, and tells what was changed."""
        return self._call("POST", "/apply", json={"resources": resources, "owner": owner})

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Raises ConfigurationError for a configuration that was refused, AdminError for all else."""
        try:
            response = self._http.request(method, path, **arguments)
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            said = str(error) or type(error).__name__
            raise AdminError(f"the Admin API at {self._url} does not answer as one: {said}") from error
        if response.is_success and isinstance(body, dict):
            return body
        message = (body.get("error_msg") or body.get("message")) if isinstance(body, dict) else None
        problems = body.get("problems") if isinstance(body, dict) else None
        if problems:
            raise ConfigurationError(
                Problem(each["code"], each["message"], pointer=each["pointer"], hint=each.get("hint"))
                for each in problems
            )
        if response.status_code == 401:
            reason = body.get("description", "") if isinstance(body, dict) else ""
            raise AdminError(f"the Admin API at {self._url} does not take the key: {reason}")
        raise AdminError(f"the Admin API answered {response.status_code}: {message or 'no reason'}")
