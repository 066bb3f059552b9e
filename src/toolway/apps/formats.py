"""Formats: the names of what an app is exported as, and each made from the app's view."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from toolway.apps.actions import actions_document
from toolway.apps.functions import openai_tools
from toolway.apps.manifest import manifest
from toolway.apps.tools import mcp_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolway.apps.model import AppView


def _definitions(view: AppView) -> list[Any]:
    return [tool["definition"] for tool in mcp_tools(view)]


FORMATS: Mapping[str, Callable[[AppView], Any]] = MappingProxyType(
    {
        "manifest": manifest,
        "openapi": actions_document,
        "mcp-tools": _definitions,
        "openai-tools": openai_tools,
    }
)
"""By name: manifest, document for GPT Actions, MCP tools, function tools."""


def exported(view: AppView, wanted: str) -> Any:
    """The app in the format `wanted`, as JSON data. Raises KeyError for a format that there is not."""
    return FORMATS[wanted](view)
