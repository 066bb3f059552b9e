"""Certificates: what the TLS listeners show by server name, and what the gateway shows to upstreams."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from toolway.config.models.base import Host, Identified, Model, not_yet
from toolway.config.secret import Certificate, Secret

TlsProtocol = Annotated[Literal["TLSv1.2", "TLSv1.3"], not_yet("TLSv1", "TLSv1.1", "SSLv3")]

_PROTOCOLS: list[Literal["TLSv1.2", "TLSv1.3"]] = ["TLSv1.2", "TLSv1.3"]


Pattern = Annotated[str, Field(min_length=1, max_length=4096)]
"""A regular expression; the engine reads it."""


class SslClient(Model):
    """Whose certificates clients must show."""

    ca: Certificate
    """PEM of the authorities."""
    depth: Annotated[int, Field(ge=0, le=100)] = 1
    """Certificates that may stand between a client's and an authority."""
    skip_mtls_uri_regex: Annotated[list[Pattern], Field(min_length=1, max_length=100)] | None = None
    """Regular expressions for paths that need no certificate. One must match the whole path; in APISIX a part
    will do."""


class Ssl(Identified):
    """A certificate, or several for the same server names, with their keys. All of them are PEM."""

    type: Literal["server", "client"] = "server"
    cert: Certificate
    key: Secret
    certs: list[Certificate] = Field(default_factory=list)
    """Further certificates, such as one with an RSA key beside one with an ECDSA key."""
    keys: list[Secret] = Field(default_factory=list)
    sni: Host | None = None
    snis: Annotated[list[Host], Field(min_length=1)] | None = None
    client: SslClient | None = None
    ssl_protocols: Annotated[list[TlsProtocol], Field(min_length=1)] = _PROTOCOLS
    status: Literal[0, 1] = 1
    """0 takes it out of service."""
    validity_start: int | None = None
    """Kept by APISIX in what it exports; without effect, since the certificate says it."""
    validity_end: int | None = None

    def names(self) -> list[str]:
        """The server names."""
        return [self.sni] if self.sni is not None else list(self.snis or ())

    def pairs(self) -> list[tuple[Secret, Secret, str, str]]:
        """Each certificate with its key, and where in the resource they stand."""
        more = zip(self.certs, self.keys, strict=False)
        further = [(cert, key, f"/certs/{at}", f"/keys/{at}") for at, (cert, key) in enumerate(more)]
        return [(self.cert, self.key, "/cert", "/key"), *further]
