"""URLs as text: their origin, and what of them may be shown. Nothing is fetched here."""

from __future__ import annotations

from urllib.parse import urlsplit


def origin_of(url: str) -> str:
    """`scheme://host:port` of an absolute URL (RFC 6454), the port written out. Raises ValueError."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname or ''}:{port}"


def redacted(url: str) -> str:
    """`url` for messages: without credentials, query and fragment, any of which may be secret."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=host, query="", fragment="").geturl()
    except ValueError:
        return "the URL"
