"""`toolway export`: what the gateway would publish of an app, in the format that a client reads."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from toolway.apps.actions import dump_yaml
from toolway.apps.formats import exported
from toolway.cli.failure import Misuse
from toolway.cli.output import DEFAULT_FILE, ConfigurationFile, OutputFormat, print_json, print_text
from toolway.gateway import Gateway

if TYPE_CHECKING:
    from toolway.apps.model import AppView


class ExportFormat(StrEnum):
    """Formats that LLM clients read."""

    manifest = "manifest"
    openapi = "openapi"
    mcp_tools = "mcp-tools"
    openai_tools = "openai-tools"


def export(
    export_format: Annotated[
        ExportFormat, typer.Option("--format", help="What to print.", show_default=False)
    ],
    app: Annotated[
        str | None, typer.Argument(help="The app's id; the only one where there is one.", show_default=False)
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role", help="As a caller with this role is shown it; repeatable.", show_default=False
        ),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="As a caller without any role is shown it.")
    ] = False,
    file: ConfigurationFile = DEFAULT_FILE,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="json prints openapi as JSON instead of YAML.")
    ] = OutputFormat.text,
) -> None:
    """Print an app as clients get it: manifest, document for GPT Actions, MCP tools, function tools."""
    view = _chosen(Gateway.check(file).apps, app)
    if role and public:
        raise Misuse("--public is for callers without any role, and --role gives one")
    document = exported(view, export_format, role or ([] if public else None))
    if export_format is ExportFormat.openapi and output is OutputFormat.text:
        print_text(dump_yaml(document))
    else:
        print_json(document)


def _chosen(apps: tuple[AppView, ...], wanted: str | None) -> AppView:
    known = ", ".join(view.id for view in apps) or "none"
    if wanted is None:
        if len(apps) == 1:
            return apps[0]
        raise Misuse(f"name an app; the configuration has {known}")
    for view in apps:
        if view.id == wanted:
            return view
    raise Misuse(f'there is no app "{wanted}"; the configuration has {known}')
