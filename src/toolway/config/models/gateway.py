"""Settings of the gateway process itself: addresses, workers, where it keeps its data."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from toolway.config.models.base import Address, Model, refuse, split_address

# A gateway serves others, so all interfaces are the default, as APISIX has it.
_LISTEN = ["0.0.0.0:9080"]


def _name_server(value: str) -> str:
    host = (split_address(value) or (value, 53))[0]
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        hint = 'such as "192.0.2.53" or "192.0.2.53:5353"'
        raise refuse("wrong-value", "expected the address of a name server", hint) from None
    return value


class Dns(Model):
    """How names of nodes are resolved."""

    nameservers: list[Annotated[str, AfterValidator(_name_server)]] = Field(default_factory=list)
    """Addresses, with a port or without; none: those of the system."""


class GatewaySettings(Model):
    """The `gateway` block. Addresses and workers hold from start to exit."""

    listen: Annotated[list[Address], Field(min_length=1)] = _LISTEN
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Worker threads; none: one per core."""
    admin: Address | None = "127.0.0.1:9180"
    metrics: Address | None = "127.0.0.1:9091"
    control: Address | None = "127.0.0.1:9090"
    """Health of nodes, liveness and readiness."""
    dns: Dns = Dns()
    data: Annotated[str, StringConstraints(min_length=1)] = ".toolway"
    """A folder, relative to the file."""
    access_log: Annotated[str, StringConstraints(min_length=1)] | None = "stdout"
    """`stdout`, a file that is appended to, or none."""
