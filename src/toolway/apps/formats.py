"""Formats: the names of what an app is exported as, and each made from the app's view."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from toolway.apps.actions import actions_document
from toolway.apps.functions import openai_tools
from toolway.apps.manifest import manifest
from toolway.apps.tools import mcp_tools
from toolway.apps.variants import shown_to

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from toolway.apps.model import AppView


def _manifest(view: AppView, _shown: frozenset[str]) -> Any:
    return manifest(view)


def _mcp_tools(view: AppView, shown: frozenset[str]) -> Any:
    return [tool["definition"] for tool in mcp_tools(view) if tool["name"] in shown]


def _openai_tools(view: AppView, shown: frozenset[str]) -> Any:
    return [tool for tool in openai_tools(view) if tool["name"] in shown]


FORMATS: Mapping[str, Callable[[AppView, frozenset[str]], Any]] = MappingProxyType(
    {
        "manifest": _manifest,
        "openapi": actions_document,
        "mcp-tools": _mcp_tools,
        "openai-tools": _openai_tools,
    }
)
"""By name: manifest, document for GPT Actions, MCP tools, function tools."""


def exported(view: AppView, wanted: str, roles: Collection[str] | None = None) -> Any:
    """The app in the format `wanted`, as JSON data: whole, or as callers with `roles` are shown it.

    Raises KeyError for a format that there is not.
    """
    return FORMATS[wanted](view, shown_to(view, roles))
