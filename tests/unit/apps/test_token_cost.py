"""The rough cost of an app's tools."""

from __future__ import annotations

from toolway.apps.tokens import token_cost
from toolway.apps.tools import mcp_tools
from toolway.openapi.model import Operation

from .views import demo_view, view_of


def test_each_tool_costs_a_quarter_of_its_characters_rounded_up() -> None:
    (entry,) = token_cost(mcp_tools(view_of(Operation(id="ab", method="GET", path="/", summary="Lists."))))
    shown = (
        '{"name":"ab","description":"Lists.","inputSchema":{"type":"object","additionalProperties":false}}'
    )
    assert entry == ("ab", -(-len(shown) // 4))


def test_tools_are_listed_in_their_order() -> None:
    tools = mcp_tools(demo_view())
    assert [name for name, _ in token_cost(tools)] == [tool["name"] for tool in tools]
