"""`toolway serve`: runs the gateway until it is told to stop."""

from __future__ import annotations

import logging

import typer

from toolway.cli.connect import ConnectTo, connections
from toolway.cli.failure import Failure
from toolway.cli.output import DEFAULT_FILE, ConfigurationFile, errors, print_problems
from toolway.gateway import Gateway


def serve(file: ConfigurationFile = DEFAULT_FILE, connect_to: ConnectTo = None) -> None:
    """Serve a configuration and follow its file. SIGHUP reads it again, SIGTERM and SIGINT drain and end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # The HTTP client tells every request that it makes, with addresses that may hold secrets.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    gateway = Gateway(file, connect_to=connections(connect_to))
    try:
        compiled = gateway.start()
    except OSError as error:
        raise Failure(f"cannot listen: {error}") from error
    print_problems(compiled.warnings)

    def announce() -> None:
        console = errors()
        console.print(f"toolway: listening on {', '.join(gateway.listen_addresses)}")

    if gateway.metrics_address is not None:
        errors().print(f"toolway: metrics on {gateway.metrics_address}")
    if gateway.control_address is not None:
        errors().print(f"toolway: control on {gateway.control_address}")
    raise typer.Exit(gateway.run_until_signal(announce))
