"""`toolway compile`: the snapshot that the engine would run, as JSON."""

from __future__ import annotations

from toolway.cli.output import DEFAULT_FILE, ConfigurationFile, print_json, print_problems
from toolway.gateway import Gateway


def compile_configuration(file: ConfigurationFile = DEFAULT_FILE) -> None:
    """Print the snapshot that a configuration compiles to, with secrets left out."""
    compiled = Gateway.check(file)
    print_problems(compiled.warnings)
    print_json(compiled.printable)
