"""Settings of the gateway process itself: addresses, workers, where it keeps its data."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from toolway.config.models.base import Address, Host, Model, matching, refuse, split_address
from toolway.config.models.expression import Network
from toolway.config.secret import Certificate, Secret

# A gateway serves others, so all interfaces are the default, as APISIX has it.
_LISTEN = ["0.0.0.0:9080"]
_TLS_LISTEN = ["0.0.0.0:9443"]


class GatewayTls(Model):
    """Where clients connect by TLS, and a certificate for those whose server name no other has."""

    listen: Annotated[list[Address], Field(min_length=1)] = _TLS_LISTEN
    cert: Certificate | None = None
    """PEM, or a path relative to the file."""
    key: Secret | None = None
    client_ca: Certificate | None = None
    """Set: clients must show a certificate of these authorities."""


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


Seconds = Annotated[float, Field(ge=0.001, le=86_400)]


class Limits(Model):
    """What a client may send and how slowly."""

    head_bytes: Annotated[int, Field(ge=8192, le=1_048_576)] = 65_536
    """Of request line and headers; beyond it 431."""
    headers: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Header fields; beyond it 431."""
    head_timeout: Seconds = 30
    """Seconds for a request's head; beyond it the connection is closed."""
    idle_timeout: Seconds = 75
    """Seconds that a connection may be without a request; beyond it it is closed."""
    connections: Annotated[int, Field(ge=1, le=2**31)] | None = None
    """Client connections open at once; beyond it new ones are closed. None: half of the files allowed."""
    uri_bytes: Annotated[int, Field(ge=1, le=65_534)] = 16_384
    """Of path and query; beyond it 414."""
    body_bytes: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """Of a body; beyond it 413. None: any number."""
    body_timeout: Seconds = 60
    """Seconds that a client may pause in the middle of a body; beyond it 408."""
    mcp_body_bytes: Annotated[int, Field(ge=1, le=2**30)] = 4_194_304
    """Of an MCP message; beyond it 413."""
    match_body_bytes: Annotated[int, Field(ge=0, le=2**24)] = 65_536
    """Of a body that `vars` of routes look at; a longer one matches no route that asks for it."""
    handshake_timeout: Seconds = 10
    """Seconds for a TLS handshake; beyond it the connection is closed."""
    handshakes: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """TLS handshakes that a worker does at the same time; further ones wait. It holds from start to exit."""
    http2_streams: Annotated[int, Field(ge=1, le=65_535)] = 100
    """Streams that an HTTP/2 connection may have open."""


class PathRules(Model):
    """How paths are normalised, where that is a matter of choice."""

    doubled_slashes: Literal["keep", "merge"] = "keep"
    encoded_slashes: Literal["keep", "refuse"] = "keep"
    """Of `%2F`: refused with 400, or kept as it is."""


class AdminKey(Model):
    """A key of the Admin API."""

    name: Annotated[str, matching(r"[A-Za-z0-9_.-]{1,64}", "at most 64 letters, digits, - _ and .")]
    """What the history calls who writes with it."""
    key: Secret
    role: Literal["admin", "viewer"] = "admin"


class AdminTls(Model):
    """TLS of the Admin API."""

    cert: Certificate
    """PEM, or a path relative to the file."""
    key: Secret
    client_ca: Certificate | None = None
    """Set: clients must show a certificate of these authorities."""


class Admin(Model):
    """The Admin API: where it listens and whom it lets in."""

    listen: Address = "127.0.0.1:9180"
    tls: AdminTls | None = None
    keys: list[AdminKey] = Field(default_factory=list)
    """None, and none in the environment: one is made at the first start."""
    hosts: list[Host] = Field(default_factory=list)
    """Names by which it may be spoken to, besides addresses and `localhost`."""
    body_bytes: Annotated[int, Field(ge=1024, le=2**30)] = 67_108_864
    """Of a request's body; beyond it 413."""


def _admin(value: Any) -> Any:
    """An address stands for the mapping that has only that."""
    if isinstance(value, str):
        return {"listen": value}
    if isinstance(value, (dict, Admin)) or value is None:
        return value
    raise refuse("wrong-type", "expected an address, or a mapping", 'such as "127.0.0.1:9180"')


class History(Model):
    """Which revisions a store keeps."""

    revisions: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """The latest of them."""
    days: Annotated[float, Field(gt=0, le=36_500)] | None = None
    """Those not older; none: of any age. The latest stays in any case."""


class GatewaySettings(Model):
    """The `gateway` block. Addresses and workers hold from start to exit."""

    listen: Annotated[list[Address], Field(min_length=1)] = _LISTEN
    tls: GatewayTls | None = None
    """None: no TLS, unless there are `ssls`; they are then served on port 9443 of all interfaces."""
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Worker threads; none: one per core."""
    admin: Annotated[Admin | None, BeforeValidator(_admin)] = Admin()
    """An address alone is that of a mapping with nothing else; none: there is no Admin API."""
    metrics: Address | None = "127.0.0.1:9091"
    control: Address | None = "127.0.0.1:9090"
    """Health of nodes, liveness and readiness."""
    dns: Dns = Dns()
    data: Annotated[str, StringConstraints(min_length=1)] = ".toolway"
    """A folder, relative to the file."""
    history: History = History()
    """Of the store, where the gateway is configured live."""
    access_log: Annotated[str, StringConstraints(min_length=1)] | None = "stdout"
    """`stdout`, a file that is appended to, or none."""
    trusted_addresses: list[Network] = Field(default_factory=list)
    """Proxies that are believed when they say for whom they speak."""
    roles_claim: Annotated[str, StringConstraints(min_length=1, max_length=256)] = "roles"
    """The claim of callers' tokens that has their roles; dots lead to a claim within others."""
    limits: Limits = Limits()
    path: PathRules = PathRules()

    def set_values(self) -> dict[str, Any]:
        """What differs from the engine's defaults and is written in the engine's words, but for `limits`."""
        found = {
            "trusted_addresses": list(self.trusted_addresses),
            "path": self.path.model_dump(exclude_defaults=True),
            "roles_claim": self.roles_claim if self.roles_claim != "roles" else "",
        }
        return {name: value for name, value in found.items() if value}

    def tls_listen(self, *, has_ssls: bool) -> list[str]:
        """The addresses of TLS listeners."""
        if self.tls is not None:
            return list(self.tls.listen)
        return _TLS_LISTEN if has_ssls and "tls" not in self.model_fields_set else []
