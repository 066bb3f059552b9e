"""Function tools: an app's tools as the APIs of OpenAI, Anthropic and Gemini take them in a request.

The same names, descriptions and arguments as over MCP; what differs is the shape around them and, for OpenAI,
strict mode. Who runs the calls sends them to the gateway. Source: llm-clients requirements, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.apps.strict import strict_parameters
from toolway.apps.tools import mcp_tools
from toolway.problem import Problem

if TYPE_CHECKING:
    from toolway.apps.model import AppView

MAX_TOOLS = 128
"""OpenAI's limit of tools in one request."""


def openai_tools(view: AppView) -> list[dict[str, Any]]:
    """Tools for OpenAI's Responses API; strict wherever the arguments can be said strictly."""
    tools = []
    for definition in _definitions(view):
        strict = strict_parameters(definition["inputSchema"])
        tools.append(
            {
                "type": "function",
                "name": definition["name"],
                "description": definition["description"],
                "parameters": definition["inputSchema"] if strict is None else strict,
                "strict": strict is not None,
            }
        )
    return tools


def anthropic_tools(view: AppView) -> list[dict[str, Any]]:
    """Tools for Anthropic's Messages API."""
    return [
        {
            "name": definition["name"],
            "description": definition["description"],
            "input_schema": definition["inputSchema"],
        }
        for definition in _definitions(view)
    ]


def gemini_tools(view: AppView) -> list[dict[str, Any]]:
    """Function declarations for the Gemini API."""
    return [
        {
            "name": definition["name"],
            "description": definition["description"],
            "parametersJsonSchema": definition["inputSchema"],
        }
        for definition in _definitions(view)
    ]


def function_problems(view: AppView) -> list[Problem]:
    """What the app breaks of the limits that function tools have."""
    count = len(view.operations)
    if count <= MAX_TOOLS:
        return []
    return [
        Problem(
            "functions-too-many-tools",
            f"{count} operations are selected; OpenAI takes at most {MAX_TOOLS} function tools in a request",
            pointer="/operations",
            hint="select fewer, or make several apps",
            kind="warning",
        )
    ]


def _definitions(view: AppView) -> list[dict[str, Any]]:
    return [tool["definition"] for tool in mcp_tools(view)]
