"""The Host header, checked: a name that an attacker points at this machine (DNS rebinding) is refused.

An address is always let in: rebinding needs a name. Of names there are `localhost` and those that the
configuration lists.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Hosts:
    """The names by which the Admin API may be spoken to."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset({"localhost", *(name.lower() for name in names)})

    def allows(self, header: str) -> bool:
        """Whether a Host header, with a port or without, names this server."""
        host = _without_port(header.strip())
        if host is None:
            return False
        if host.startswith("["):
            return _is_address(host[1:-1])
        return _is_address(host) or host.lower().removesuffix(".") in self._names


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    bare = host.strip("[]")
    if bare.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _without_port(header: str) -> str | None:
    if header.startswith("["):
        host, bracket, port = header.partition("]")
        host += bracket
        if not bracket or (port and not port.startswith(":")):
            return None
        port = port[1:]
    else:
        host, _, port = header.partition(":")
    return host if not port or (port.isascii() and port.isdigit()) else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
