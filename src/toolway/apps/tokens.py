"""What an app's tools cost a model to read, roughly: every request of a client carries all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

CHARACTERS_A_TOKEN = 4
"""A rule of thumb for English text and JSON; the true figure is the model's own and differs by some 20 %."""

READ_BY_MODELS = ("name", "description", "inputSchema")
"""The fields of a definition that clients put before the model."""


def token_cost(tools: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    """The tokens of each of `mcp_tools`, by name, in order: characters of compact JSON / 4, rounded up."""
    costs = []
    for tool in tools:
        shown = {field: tool["definition"][field] for field in READ_BY_MODELS}
        characters = len(json.dumps(shown, ensure_ascii=False, separators=(",", ":")))
        costs.append((tool["name"], -(-characters // CHARACTERS_A_TOKEN)))
    return costs
