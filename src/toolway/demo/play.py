"""What all chapters of the play share: whom it asks about, what it orders, and how a step fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SPEAKER = "Amara Abara"
ORDER: dict[str, Any] = {"items": [{"product_id": "conference-mug", "quantity": 2}], "name": "Ada Reader"}
SEARCH = {"topic": "API gateways"}

KEY_HEADER = "apikey"
"""Where a user of an MCP client is told to put the key, as `toolway.yaml` has it."""

SEARCHES = 5
"""Searches that `toolway.yaml` lets an address make in a window."""


class Deviation(Exception):  # noqa: N818  # It is no error of the player: the gateway did otherwise than it should.
    """An answer is not as it should be; the message says how."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the play takes place."""

    origin: str
    """Where the gateway is reached from here, `http://127.0.0.1:9080`."""
    base_url: str
    """Where the published documents say that it is: the origin, or a tunnel's public address."""
    key: str
    """A key that may place orders."""
    visitor_key: str
    """One that may only look at them."""


def expect(condition: bool, claim: str) -> None:
    """Raises Deviation unless `claim` holds."""
    if not condition:
        raise Deviation(f"expected that {claim}")
