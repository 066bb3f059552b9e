"""`toolway serve`: runs the gateway until it is told to stop."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from toolway.cli.connect import ConnectTo, connections
from toolway.cli.failure import Failure
from toolway.cli.output import DEFAULT_FILE, ConfigurationFile, errors, print_problems
from toolway.gateway import Gateway

TakeOver = Annotated[
    bool,
    typer.Option("--take-over", help="Share addresses with a gateway that has them, which is then ended."),
]


def serve(
    file: ConfigurationFile = DEFAULT_FILE, connect_to: ConnectTo = None, take_over: TakeOver = False
) -> None:
    """Serve a configuration and follow its file. SIGHUP reads it again, SIGTERM and SIGINT drain and end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # The HTTP client tells every request that it makes, with addresses that may hold secrets.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    gateway = Gateway(file, connect_to=connections(connect_to))
    try:
        compiled = gateway.start(beside=take_over)
    except OSError as error:
        raise Failure(f"cannot listen: {error}") from error
    print_problems(compiled.warnings)

    def announce() -> None:
        console = errors()
        if gateway.tls_listen_addresses:
            console.print(f"toolway: TLS on {', '.join(gateway.tls_listen_addresses)}")
        console.print(f"toolway: listening on {', '.join(gateway.listen_addresses)}")

    if gateway.metrics_address is not None:
        errors().print(f"toolway: metrics on {gateway.metrics_address}")
    if gateway.control_address is not None:
        errors().print(f"toolway: control on {gateway.control_address}")
    raise typer.Exit(gateway.run_until_signal(announce))
