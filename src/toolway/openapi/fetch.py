"""Documents by HTTP, with a guard against requests that a document or a redirect forges (SSRF).

The URL that the operator names is trusted; what it redirects to is not. Every host is resolved here, its
addresses are checked, and the connection goes to the checked address, so that a second answer of the name
server changes nothing. Proxies of the environment are not used: they would resolve the name again. Parsing is
`text`'s business.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import httpx

from toolway.openapi.address import origin_of, redacted
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from toolway.openapi.limits import Limits

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ACCEPT = "application/json, application/yaml;q=0.9, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document as it came, perhaps still packed by gzip."""

    url: str
    """Where it was in the end, after redirects, without fragment and credentials."""
    content: bytes
    private: bool
    """The URL that was asked for leads to an address that is not public."""


def fetch(
    url: str, limits: Limits, *, trusted: bool, allow_private: bool, origin: str | None = None
) -> Fetched:
    """Gets `url`. `trusted`: the operator named it, so its own host may be private. `origin`: redirects stay
    there.

    Raises ConfigurationError (`openapi-fetch`) for an answer that is not 2xx, a refused address, or a bound
    reached.
    """
    deadline = time.monotonic() + limits.seconds
    current = _checked_url(url, url)
    allowed = allow_private
    private = False
    with httpx.Client(trust_env=False, follow_redirects=False) as client:
        for hop in range(limits.redirects + 1):
            address, public = _resolve(current, url)
            if hop == 0:
                private = not public
                allowed = allowed or (trusted and private)
            if not public and not allowed:
                _refuse(url, f"{current.host} is {address}, which is not a public address")
            location, content = _get(client, current, address, limits, deadline, url)
            if location is None:
                final = str(current.copy_with(userinfo=b"", fragment=None))
                return Fetched(final, content, private)
            following = _joined(current, location, url)
            if origin is not None and origin_of(str(following)) != origin:
                _refuse(url, "it redirects to another origin")
            if current.scheme == "https" and following.scheme == "http":
                _refuse(url, "it redirects from https to http")
            current = following
    return _refuse(url, f"it redirects more than {limits.redirects} times")


def is_public(address: str) -> bool:
    """Whether an IP address is one that anyone may reach, also where IPv6 wraps an IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            ip = wrapped
    return ip.is_global and not ip.is_multicast


def _checked_url(url: str, asked: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        _refuse(asked, "it is, or redirects to, something that is not a URL")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        _refuse(asked, "only http and https URLs with a host are read")
    return parsed


def _joined(current: httpx.URL, location: str, asked: str) -> httpx.URL:
    try:
        return _checked_url(str(current.join(location)), asked)
    except (httpx.InvalidURL, ValueError):
        return _refuse(asked, "it redirects to something that is not a URL")


def _resolve(url: httpx.URL, asked: str) -> tuple[str, bool]:
    """The address to connect to, and whether all addresses of the host are public."""
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        _refuse(asked, f"the host {url.host} has no address")
    addresses = [str(entry[4][0]) for entry in found]
    return addresses[0], all(map(is_public, addresses))


def _get(
    client: httpx.Client, url: httpx.URL, address: str, limits: Limits, deadline: float, asked: str
) -> tuple[str | None, bytes]:
    """One request to the checked address: where it redirects to, or the body."""
    headers = {"Host": url.netloc.decode("ascii"), "Accept": _ACCEPT, "Accept-Encoding": "gzip"}
    extensions = {"sni_hostname": url.host} if url.scheme == "https" else {}
    pinned = url.copy_with(host=address, fragment=None)
    chunks: list[bytes] = []
    size = 0
    try:
        timeout = max(0.001, deadline - time.monotonic())
        with client.stream(
            "GET", pinned, headers=headers, extensions=extensions, timeout=timeout
        ) as response:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                return response.headers["location"], b""
            if not response.is_success:
                _refuse(asked, f"it answered {response.status_code}")
            if response.headers.get("content-encoding", "identity").lower() not in (
                "identity",
                "gzip",
                "x-gzip",
            ):
                _refuse(asked, "it is packed in a way that was not asked for")
            for chunk in response.iter_raw():
                size += len(chunk)
                chunks.append(chunk)
                if size > limits.bytes:
                    _refuse(asked, f"it is larger than {limits.bytes} bytes")
                if time.monotonic() > deadline:
                    _refuse(asked, f"it takes longer than {limits.seconds:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _refuse(asked, f"it cannot be read: {str(error) or type(error).__name__}")
    return None, b"".join(chunks)


def _refuse(url: str, reason: str) -> NoReturn:
    raise ConfigurationError(
        [Problem("openapi-fetch", f"cannot fetch the document: {reason}", redacted(url))]
    )
