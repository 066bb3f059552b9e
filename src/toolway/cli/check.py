"""`toolway check`: every mistake and warning in a configuration, and the tokens that its tools cost."""

from __future__ import annotations

import typer
from rich.table import Table

from toolway.apps.tokens import token_cost
from toolway.apps.tools import mcp_tools
from toolway.cli.output import (
    DEFAULT_FILE,
    ConfigurationFile,
    Output,
    OutputFormat,
    answers,
    print_json,
    print_problems,
    print_text,
)
from toolway.gateway import Gateway
from toolway.problem import ConfigurationError


def check(file: ConfigurationFile = DEFAULT_FILE, output: Output = OutputFormat.text) -> None:
    """Check a configuration: all mistakes with their places, warnings, and the token cost of each tool."""
    try:
        compiled = Gateway.check(file)
    except ConfigurationError as error:
        if output is OutputFormat.json:
            print_json({"problems": [problem.as_dict() for problem in error.problems], "apps": []})
            raise typer.Exit(2) from error
        raise
    costs = {view.id: token_cost(mcp_tools(view)) for view in compiled.apps}
    if output is OutputFormat.json:
        apps = [
            {
                "id": app,
                "tools": [{"name": name, "tokens": tokens} for name, tokens in tools],
                "tokens": sum(tokens for _, tokens in tools),
            }
            for app, tools in costs.items()
        ]
        print_json({"problems": [problem.as_dict() for problem in compiled.warnings], "apps": apps})
        return
    print_problems(compiled.warnings)
    for app, tools in costs.items():
        table = Table(box=None, pad_edge=False, show_footer=True)
        table.add_column(f"tools of {app}", footer=f"{len(tools)} tools")
        table.add_column("tokens", footer=str(sum(tokens for _, tokens in tools)), justify="right")
        for name, tokens in tools:
            table.add_row(name, str(tokens))
        answers().print(table)
    warnings = len(compiled.warnings)
    print_text(
        f"{file}: good" + (f", with {warnings} warning{'' if warnings == 1 else 's'}" if warnings else "")
    )
