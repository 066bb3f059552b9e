"""Settings of the gateway process itself: addresses, workers, where it keeps its data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from toolway.config.models.base import Address, Model

# A gateway serves others, so all interfaces are the default, as APISIX has it.
_LISTEN = ["0.0.0.0:9080"]


class GatewaySettings(Model):
    """The `gateway` block. Addresses and workers hold from start to exit."""

    listen: Annotated[list[Address], Field(min_length=1)] = _LISTEN
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Worker threads; none: one per core."""
    admin: Address | None = "127.0.0.1:9180"
    metrics: Address | None = "127.0.0.1:9091"
    data: Annotated[str, StringConstraints(min_length=1)] = ".toolway"
    """A folder, relative to the file."""
    access_log: Annotated[str, StringConstraints(min_length=1)] | None = "stdout"
    """`stdout`, a file that is appended to, or none."""
