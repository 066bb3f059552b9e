"""Where an API says that it lives: Server Objects, and Swagger's host, basePath and schemes, as absolute
URLs.

Nothing is looked up; which server is used, and with what upstream, is decided by `compile`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from toolway.openapi.place import below
from toolway.openapi.shape import prose, words

if TYPE_CHECKING:
    from toolway.openapi.reading import Reading

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_SCHEMES = ("https", "http")


def read_servers(reading: Reading, value: Any, at: str) -> tuple[tuple[str, ...], str]:
    """The absolute URLs of a list of servers, and the path of the first server, which may have no host."""
    urls: dict[str, None] = {}
    base_path: str | None = None
    for index, server in enumerate(value if isinstance(value, list) else ()):
        place = below(at, index)
        url = _filled(reading, server, place)
        if url is None:
            continue
        resolved = _resolved(reading, url)
        if base_path is None and (_is_absolute(resolved) or ":" not in resolved):
            base_path = _path(resolved)
        if _is_absolute(resolved):
            urls[resolved.rstrip("/")] = None
        elif resolved.strip("/"):
            message = f"the server `{url}` has no host that speaks http: left out"
            reading.notices.add(message, below(place, "url"))
    return tuple(urls), base_path or ""


def _resolved(reading: Reading, url: str) -> str:
    """A server's URL from where the document was fetched; as it is, where it is no URL at all."""
    try:
        return urljoin(reading.url, url) if reading.url is not None else url
    except ValueError:
        return url


def swagger_servers(reading: Reading) -> tuple[tuple[str, ...], str]:
    """The same for Swagger 2.0, https first; without host and scheme, those that the document was fetched
    from.
    """
    root = reading.root
    fetched = urlsplit(reading.url or "")
    base_path = "/" + prose(root.get("basePath")).strip().strip("/")
    base_path = "" if base_path == "/" else base_path
    host = prose(root.get("host")).strip().strip("/") or fetched.netloc
    schemes = [scheme for scheme in words(root.get("schemes")) if scheme in _SCHEMES]
    if "schemes" in root and not schemes:
        reading.notices.add("none of the schemes is http or https: https is taken", "#/schemes")
    schemes = sorted(set(schemes), reverse=True) or [fetched.scheme or "https"]
    urls = tuple(f"{scheme}://{host}{base_path}" for scheme in schemes) if host else ()
    return tuple(url for url in urls if _is_absolute(url)), base_path


def _filled(reading: Reading, server: Any, at: str) -> str | None:
    """A server's URL with its variables' defaults; none, with a notice, where that is not possible."""
    url = prose(server.get("url")).strip() if isinstance(server, dict) else ""
    variables = server.get("variables") if isinstance(server, dict) else None
    values = variables if isinstance(variables, dict) else {}
    for variable in _VARIABLE.findall(url):
        described = values.get(variable)
        default = prose(described.get("default")) if isinstance(described, dict) else ""
        if not default:
            reading.notices.add(
                f"the server's variable `{variable}` has no default: the server is left out", at
            )
            return None
        url = url.replace(f"{{{variable}}}", default)
    if not url:
        reading.notices.add("a server without URL is left out", at)
        return None
    return url


def _is_absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _path(url: str) -> str:
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""
    return path if path.startswith("/") else ""
