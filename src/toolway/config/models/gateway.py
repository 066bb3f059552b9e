"""Settings of the gateway process itself: addresses, workers, where it keeps its data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from toolway.config.models.base import Address, Model
from toolway.config.secret import Secret

# A gateway serves others, so all interfaces are the default, as APISIX has it.
_LISTEN = ["0.0.0.0:9080"]
_TLS_LISTEN = ["0.0.0.0:9443"]


class GatewayTls(Model):
    """Where clients connect by TLS, and a certificate for those whose server name no other has."""

    listen: Annotated[list[Address], Field(min_length=1)] = _TLS_LISTEN
    cert: Secret | None = None
    """PEM, or a path relative to the file."""
    key: Secret | None = None
    client_ca: Secret | None = None
    """Set: clients must show a certificate of these authorities."""


class GatewaySettings(Model):
    """The `gateway` block. Addresses and workers hold from start to exit."""

    listen: Annotated[list[Address], Field(min_length=1)] = _LISTEN
    tls: GatewayTls | None = None
    """None: no TLS, unless there are `ssls`; they are then served on port 9443 of all interfaces."""
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Worker threads; none: one per core."""
    admin: Address | None = "127.0.0.1:9180"
    metrics: Address | None = "127.0.0.1:9091"
    data: Annotated[str, StringConstraints(min_length=1)] = ".toolway"
    """A folder, relative to the file."""
    access_log: Annotated[str, StringConstraints(min_length=1)] | None = "stdout"
    """`stdout`, a file that is appended to, or none."""

    def tls_listen(self, *, has_ssls: bool) -> list[str]:
        """The addresses of TLS listeners."""
        if self.tls is not None:
            return list(self.tls.listen)
        return _TLS_LISTEN if has_ssls and "tls" not in self.model_fields_set else []
