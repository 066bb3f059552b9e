"""Health checks of an upstream's nodes: probes (`active`) and what real requests tell (`passive`).

Fields and defaults are Apache APISIX's. A threshold of 0 in a passive check turns off what it counts.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from toolway.config.models.base import Model, matching, refuse

Statuses = Annotated[list[Annotated[int, Field(ge=200, le=599)]], Field(min_length=1)]
Threshold = Annotated[int, Field(ge=1, le=254)]
PassiveThreshold = Annotated[int, Field(ge=0, le=254)]
Interval = Annotated[float, Field(ge=0.1, le=86_400)]
Kind = Literal["http", "https", "tcp"]

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+:[^\r\n\0]*")
_REDIRECTS = [300, 301, 302, 303, 304, 305, 306, 307, 308]
_SUCCESSES = [200, 201, 202, 203, 204, 205, 206, 207, 208, 226]


def _header(line: str) -> str:
    if not _HEADER.fullmatch(line):
        raise refuse("wrong-value", "expected a header line", 'such as "X-Probe: toolway"')
    return line


class ActiveHealthy(Model):
    """How a node that is well is probed, and what makes one well again."""

    interval: Interval = 1
    http_statuses: Statuses = Field(default_factory=lambda: [200, 302])
    successes: Threshold = 2


class ActiveUnhealthy(Model):
    """How a node that is down is probed, and what takes one down."""

    interval: Interval = 1
    http_statuses: Statuses = Field(default_factory=lambda: [429, 404, 500, 501, 502, 503, 504, 505])
    http_failures: Threshold = 5
    tcp_failures: Threshold = 2
    timeouts: Threshold = 3


class ActiveChecks(Model):
    """Probes that the gateway sends to each node."""

    type: Kind = "http"
    timeout: Annotated[float, Field(gt=0, le=86_400)] = 1
    """Seconds for one probe."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 10
    host: Annotated[str, matching(r"[A-Za-z0-9_.:\[\]-]{1,253}", "a host name or address")] | None = None
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    http_path: Annotated[str, matching(r"/[!-~]*", "a path")] = "/"
    https_verify_certificate: bool = True
    req_headers: list[Annotated[str, AfterValidator(_header)]] = Field(default_factory=list)
    healthy: ActiveHealthy = ActiveHealthy()
    unhealthy: ActiveUnhealthy = ActiveUnhealthy()


class PassiveHealthy(Model):
    """What real requests show of a node that is well."""

    http_statuses: Statuses = Field(default_factory=lambda: [*_SUCCESSES, *_REDIRECTS])
    successes: PassiveThreshold = 5


class PassiveUnhealthy(Model):
    """What real requests show of a node that is not."""

    http_statuses: Statuses = Field(default_factory=lambda: [429, 500, 503])
    http_failures: PassiveThreshold = 5
    tcp_failures: PassiveThreshold = 2
    timeouts: PassiveThreshold = 7


class PassiveChecks(Model):
    """Watching real requests. A node that is down gets none, so only probes bring it back."""

    type: Kind = "http"
    healthy: PassiveHealthy = PassiveHealthy()
    unhealthy: PassiveUnhealthy = PassiveUnhealthy()


class Checks(Model):
    """Health checks. Passive ones need active ones beside them, as in APISIX."""

    active: ActiveChecks
    passive: PassiveChecks | None = None
