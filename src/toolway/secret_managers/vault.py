"""HashiCorp Vault: one secret read from its key-value engine, version 1 or 2.

Speaks the HTTP API (https://developer.hashicorp.com/vault/api-docs/secret/kv). The settings are those that
Apache APISIX has; which version an engine is, Vault tells. Remembers nothing of secrets: `managed` does.
"""

from __future__ import annotations

import json
import ssl
import threading
from typing import Any
from urllib.parse import quote

import httpx

from toolway.secret_managers.settings import VaultError, VaultSettings

MAXIMUM_BYTES = 1 << 20
SECONDS = 5.0
_REDIRECTS = frozenset({301, 302, 307, 308})
_VERSIONED = "versioned K/V"
"""In the warning with which an engine of version 2 refuses a path of version 1."""


class Vault:
    """Reads secrets. Safe to use from several threads."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        """`seconds` is how long Vault may take to connect, and between two pieces of an answer."""
        self._seconds = seconds
        self._client: httpx.Client | None = None
        self._mounts: dict[tuple[str, str, str | None], str] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def read(self, settings: VaultSettings, path: str) -> dict[str, Any]:
        """The names and values of the secret at `path` below the prefix. Raises VaultError."""
        whole = _checked(f"{settings.prefix.strip('/')}/{path}")
        place = (settings.uri, settings.prefix, settings.namespace)
        with self._lock:
            mount = self._mounts.get(place)
        if mount is None:
            status, answer = self._get(settings, whole)
            if status == 404 and any(_VERSIONED in str(warning) for warning in _listed(answer, "warnings")):
                mount = self._mount(settings, whole)
        if mount is not None:
            status, answer = self._get(settings, f"{mount}/data/{whole.removeprefix(f'{mount}/')}")
            with self._lock:
                if status == 404:
                    # The engine may be another by now.
                    self._mounts.pop(place, None)
                else:
                    self._mounts[place] = mount
        return _values(status, answer, settings, whole)

    def _mount(self, settings: VaultSettings, whole: str) -> str:
        """Where the engine of a path is mounted: what Vault's own command line asks, else the first part."""
        status, answer = self._get(settings, f"sys/internal/ui/mounts/{whole}")
        data = answer.get("data")
        path = data.get("path") if status == 200 and isinstance(data, dict) else None
        found = str(path or "").strip("/")
        return found if found and whole.startswith(f"{found}/") else whole.partition("/")[0]

    def _get(self, settings: VaultSettings, path: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer, which a standby may leave to the active one."""
        url = httpx.URL(f"{settings.uri.rstrip('/')}/v1/{quote(path)}")
        for _ in range(2):
            status, location, content = self._send(settings, url)
            if status not in _REDIRECTS or location is None:
                break
            following = url.join(location)
            if following.scheme != url.scheme and following.scheme != "https":
                raise VaultError(f"the Vault {settings.host} redirects from https to {following.scheme}")
            url = following
        else:
            raise VaultError(f"the Vault {settings.host} redirects more than once", is_away=True)
        try:
            answer = json.loads(content) if content else {}
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            if status == 200:
                raise VaultError(f"what answers at {settings.host} is not a Vault", is_away=True)
            answer = {}
        return status, answer

    def _send(self, settings: VaultSettings, url: httpx.URL) -> tuple[int, str | None, bytes]:
        headers = {"X-Vault-Token": settings.token, "X-Vault-Request": "true", "Accept-Encoding": "identity"}
        if settings.namespace:
            headers["X-Vault-Namespace"] = settings.namespace
        content = b""
        try:
            with self._connected().stream("GET", url, headers=headers) as response:
                for chunk in response.iter_raw():
                    content += chunk
                    if len(content) > MAXIMUM_BYTES:
                        raise VaultError(f"the Vault {settings.host} answers more than {MAXIMUM_BYTES} bytes")
                return response.status_code, response.headers.get("location"), content
        except httpx.TimeoutException as error:
            raise VaultError(f"the Vault {settings.host} does not answer in time", is_away=True) from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            reason = type(error).__name__ if isinstance(error, ValueError) else error
            raise VaultError(f"the Vault {settings.host} is not reached: {reason}", is_away=True) from error

    def _connected(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                # The system's authorities, since those of a Vault are often a company's own.
                trusted = ssl.create_default_context()
                self._client = httpx.Client(timeout=self._seconds, trust_env=False, verify=trusted)
            return self._client


def _checked(path: str) -> str:
    if any(part in ("", ".", "..") for part in path.split("/")) or not path.isprintable():
        raise VaultError(f'"{path}" is not a path in a Vault')
    return path


def _listed(answer: dict[str, Any], name: str) -> list[Any]:
    found = answer.get(name)
    return found if isinstance(found, list) else []


def _values(status: int, answer: dict[str, Any], settings: VaultSettings, path: str) -> dict[str, Any]:
    data = answer.get("data")
    if status == 200 and isinstance(data, dict):
        inner = data.get("data")
        if (
            isinstance(data.get("metadata"), dict)
            and "version" in data["metadata"]
            and isinstance(inner, dict)
        ):
            return inner
        return data
    if status == 403:
        raise VaultError(f"the Vault {settings.host} does not let the token read {path}")
    if status == 404:
        deleted = isinstance(data, dict) and isinstance(data.get("metadata"), dict)
        said = "was deleted" if deleted else "is not there"
        raise VaultError(f"the secret {path} {said} in the Vault {settings.host}")
    if status == 503:
        raise VaultError(f"the Vault {settings.host} is sealed or in maintenance (503)", is_away=True)
    raise VaultError(f"the Vault {settings.host} answers {status} for {path}", is_away=status >= 429)
