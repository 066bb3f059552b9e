"""The rows: each a piece of work that every server which can do it does, with the budgets of the design.

A server takes part in a row when `peers/` has its configuration for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from benches.load import credentials
from benches.load.figures import Check, Memory, Result, check, cpu_at_budget, idle_bytes
from benches.load.servers import ANSWER, LARGE_BYTES

YARDSTICK = "nginx bare"
TOOLWAY = "toolway"
KEY = {"apikey": "bench-key"}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, wherever it is sent to, and how it is sent."""

    path: str = "/speakers/1/sessions"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    answer: str = ANSWER
    """Text that the answer has."""
    tls: bool = False
    generator: Literal["wrk", "h2load"] = "wrk"


@dataclass(frozen=True, slots=True)
class Limit:
    """A budget: CPU time of Toolway to that of another server in the row."""

    at_most: float
    against: str


@dataclass(frozen=True, slots=True)
class Row:
    """A piece of work."""

    name: str
    work: str
    configuration: str
    ask: Ask = Ask()
    bare: Ask = Ask()
    """What nginx's bare proxy is asked."""
    reference: tuple[str, str, Ask] | None = None
    """Another configuration of Toolway that runs in the same row: its label, its name, what it is asked."""
    limits: tuple[Limit, ...] = ()
    more_megabytes: float | None = None
    """The most that Toolway may hold above the reference, idle."""


def _keyed(key: str) -> Ask:
    return Ask(headers=(("apikey", key),))


def _authorized(value: str) -> Ask:
    return Ask(headers=(("Authorization", value),))


_CALL = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "GetSessions", "arguments": {"id": 1}},
    }
).encode()
_TOOLS_CALL = Ask(
    path="/mcp",
    headers=(
        ("apikey", "bench-key"),
        ("Authorization", "Bearer bench-key"),
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", "2025-06-18"),
    ),
    body=_CALL,
    # A call that failed is an answer with status 200, so the upstream's text is looked for.
    answer="x" * 48,
)
_DOWNLOAD = Ask(path="/large", answer="x" * LARGE_BYTES)
_BINARY = ("Content-Type", "application/octet-stream")
_UPLOAD = Ask(path="/upload", headers=(_BINARY,), body=b"x" * LARGE_BYTES)

APPLY, IMPORT, IDLE = "apply", "import", "idle-demo"
"""Rows without a load of their own kind; see `applying` and `single`."""


def rows() -> list[Row]:
    """All rows under load."""
    return [
        Row("plain", "a plain route", "plain", limits=(Limit(1.2, YARDSTICK),)),
        Row(
            "plugins",
            "key-auth, limit-count and prometheus",
            "plugins",
            ask=_keyed("bench-key"),
            limits=(Limit(1.4, YARDSTICK),),
        ),
        Row(
            "tools-call",
            "tools/call over MCP to a REST upstream, with key-auth",
            "tools-call",
            ask=_TOOLS_CALL,
            limits=(Limit(1.6, YARDSTICK), Limit(1 / 50, "fastmcp")),
        ),
        Row(
            "routes",
            "10,000 routes",
            "routes",
            ask=Ask(path="/routes/5000/items"),
            reference=("toolway, one route", "plain", Ask()),
            limits=(Limit(1.05, "toolway, one route"),),
        ),
        Row(
            "consumers",
            "100,000 consumers, key-auth",
            "consumers",
            ask=_keyed("key-50000"),
            reference=("toolway, one consumer", "key-auth", _keyed("bench-key")),
            limits=(Limit(1.05, "toolway, one consumer"),),
            more_megabytes=100,
        ),
        Row("key-auth", "key-auth", "key-auth", ask=_keyed("bench-key")),
        Row(
            "jwt",
            "a token signed with HS256",
            "jwt",
            ask=_authorized(f"Bearer {credentials.hs256()}"),
        ),
        Row(
            "jwt-es256",
            "a token signed with ES256",
            "jwt-es256",
            ask=_authorized(f"Bearer {credentials.es256()}"),
        ),
        Row("basic-auth", "a username and a password", "basic-auth", ask=_authorized(credentials.basic())),
        Row("https", "HTTPS from clients, HTTP/1.1", "tls", ask=Ask(tls=True)),
        Row(
            "http2",
            "HTTP/2 from clients, up to 8 streams on a connection",
            "tls",
            ask=Ask(tls=True, generator="h2load"),
        ),
        Row("download", "100 kB in the answer", "plain", ask=_DOWNLOAD, bare=_DOWNLOAD),
        Row("upload", "100 kB in the request", "plain", ask=_UPLOAD, bare=_UPLOAD),
    ]


def checks(row: Row, results: list[Result], memory: list[Memory]) -> list[Check]:
    """The budgets of a row that can be told from what was measured."""
    found = []
    own = cpu_at_budget(results, row.name, TOOLWAY)
    for limit in row.limits:
        other = cpu_at_budget(results, row.name, limit.against)
        if own is not None and other:
            found.append(
                check(row.name, f"CPU time to that of {limit.against}", own / other, limit.at_most, "x")
            )
    if row.more_megabytes is not None and row.reference is not None:
        many = idle_bytes(memory, row.name, TOOLWAY)
        few = idle_bytes(memory, row.name, row.reference[0])
        if many is not None and few is not None:
            what = f"idle memory above {row.reference[0]}"
            found.append(check(row.name, what, (many - few) / 1e6, row.more_megabytes, "MB"))
    return found
