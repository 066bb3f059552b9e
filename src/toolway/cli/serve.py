"""`toolway serve`: runs the gateway until it is told to stop, from a file or from its data folder."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolway import _engine
from toolway.cli.connect import ConnectTo, connections
from toolway.cli.failure import Failure, Misuse
from toolway.cli.output import DEFAULT_FILE, errors, print_problems
from toolway.cli.store import StoreUrl  # noqa: TC001  # Typer reads annotations at run time.
from toolway.cli.version import toolway_version
from toolway.cli.working import counting
from toolway.config.kinds import KINDS
from toolway.config.models import GatewaySettings
from toolway.config.secret_places import SecretPlaces
from toolway.gateway import Gateway
from toolway.running import give_back_memory
from toolway.store import Retention

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolway.admin.opening import OpenAdmin
    from toolway.config.models.gateway import Admin
    from toolway.running import Running

logger = logging.getLogger("toolway.serve")

File = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        help="The configuration; with --data, only its `gateway`. Default without --data: toolway.yaml.",
        show_default=False,
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Serve what the Admin API is told, kept in this folder.",
        show_default=False,
    ),
]
TakeOver = Annotated[
    bool,
    typer.Option("--take-over", help="Share addresses with a gateway that has them, which is then ended."),
]


def serve(
    file: File = None,
    data: Data = None,
    store: StoreUrl = None,
    connect_to: ConnectTo = None,
    take_over: TakeOver = False,
) -> None:
    """Serve a file and follow it, or with --data what the Admin API is told.

    SIGHUP reads it again, SIGTERM and SIGINT drain and end.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # Libraries that tell every step; the HTTP client tells addresses, which may hold secrets.
    for name in ("httpx", "alembic", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if data is None:
        _serve_file(file or DEFAULT_FILE, connections(connect_to), take_over=take_over)
    else:
        _serve_data(data, store, file, connections(connect_to), take_over=take_over)


def _serve_file(file: Path, connect_to: dict[str, str], *, take_over: bool) -> None:
    gateway = Gateway(file, connect_to=connect_to)
    warnings = gateway.build().warnings
    give_back_memory()
    settings = gateway.configuration.gateway
    admin = _file_admin(gateway, file, settings, settings.admin) if settings.admin is not None else None

    def start() -> None:
        gateway.listen(beside=take_over)
        print_problems(warnings)

    _run(gateway, start, admin, patient=take_over)


def _file_admin(
    gateway: Gateway, file: Path, settings: GatewaySettings, listening: Admin
) -> OpenAdmin | None:
    # Only here, as below: reading these modules takes longer than most commands, and memory for good.
    from toolway.admin.keys import WeakKeyError
    from toolway.admin.opening import open_file

    folder = file.parent / settings.data
    try:
        return open_file(gateway, file, listening, folder, os.environ, toolway_version())
    except OSError as error:
        logger.warning("no Admin API: a key was made and cannot be kept in %s: %s", folder, error)
        return None
    except (ValueError, WeakKeyError) as error:
        raise Failure(str(error)) from error


def _serve_data(
    data: Path, url: str | None, file: Path | None, connect_to: dict[str, str], *, take_over: bool
) -> None:
    from toolway.admin.keys import WeakKeyError
    from toolway.admin.opening import open_live
    from toolway.live import LiveGateway
    from toolway.store import Sealer, Store, StoreError

    settings = _settings(file)
    if settings.admin is None:
        raise Misuse("with --data the Admin API is needed, and gateway.admin says that there is none")
    places = SecretPlaces(json.loads(_engine.plugin_schemas()))
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        sealer = Sealer.load(data, os.environ, places)
        retention = _retention(settings)
        with Store.open(url or data, sealer=sealer, retention=retention, take_over=take_over) as store:
            gateway = LiveGateway(store, settings, folder=data, connect_to=connect_to)
            if store.read_only:
                logger.warning("what is stored is served, and writes are refused: %s", store.read_only)
            try:
                admin = open_live(gateway, store, places, settings.admin, data, os.environ, toolway_version())
            except OSError as error:
                if not store.read_only:
                    raise
                admin = None
                logger.warning("no Admin API: a key was made and cannot be kept in %s: %s", data, error)

            def start() -> None:
                with counting() as progress:
                    gateway.start(progress, beside=take_over)

            _run(gateway, start, admin, patient=take_over)
    except StoreError as error:
        raise Failure(f"the store cannot be used: {error}") from error
    except (ValueError, WeakKeyError) as error:
        raise Failure(str(error)) from error
    except OSError as error:
        raise Failure(f"{data} cannot be used: {error}") from error


def _settings(file: Path | None) -> GatewaySettings:
    """The `gateway` of a file that has nothing else, or the defaults."""
    if file is None:
        return GatewaySettings()
    configuration = Gateway.read(file)
    data = configuration.source.data
    found = [kind.section for kind in KINDS.values() if kind.section and data.get(kind.section)]
    if found:
        said = f"with --data, {file} may have `gateway` only, and it has {', '.join(found)}"
        raise Misuse(f"{said}; `toolway apply -f {file}` puts these into a running gateway")
    log = configuration.gateway.access_log
    if log in (None, "stdout"):
        return configuration.gateway
    return configuration.gateway.model_copy(update={"access_log": str((file.parent / str(log)).resolve())})


def _retention(settings: GatewaySettings) -> Retention:
    days = settings.history.days
    return Retention(settings.history.revisions, None if days is None else days * 86_400)


def _run(gateway: Running, start: Callable[[], None], admin: OpenAdmin | None, *, patient: bool) -> None:
    """Starts both, tells where they listen, and waits for a signal."""
    try:
        start()
    except OSError as error:
        raise Failure(f"cannot listen: {error}") from error
    if admin is not None:
        try:
            admin.start(patient=patient)
        except OSError as error:
            gateway.stop(0)
            raise Failure(f"the Admin API cannot listen: {error}") from error
    try:
        _tell(gateway, admin, patient=patient)
        status = gateway.run_until_signal(lambda: _announce(gateway))
    finally:
        if admin is not None:
            admin.stop()
    raise typer.Exit(status)


def _tell(gateway: Running, admin: OpenAdmin | None, *, patient: bool) -> None:
    console = errors()
    if gateway.metrics_address is not None:
        console.print(f"toolway: metrics on {gateway.metrics_address}")
    if gateway.control_address is not None:
        console.print(f"toolway: control on {gateway.control_address}")
    if admin is None:
        return
    if not patient:
        console.print(f"toolway: admin on {admin.server.address}{' by TLS' if admin.server.has_tls else ''}")
    if admin.made_key is not None:
        console.print(f"toolway: admin key: {admin.made_key}")
        console.print("toolway: this key was made now and is not shown again; only its digest is kept")


def _announce(gateway: Running) -> None:
    console = errors()
    if gateway.tls_listen_addresses:
        console.print(f"toolway: TLS on {', '.join(gateway.tls_listen_addresses)}")
    console.print(f"toolway: listening on {', '.join(gateway.listen_addresses)}")
