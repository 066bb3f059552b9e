"""Opening the Admin API of a gateway: its keys, and a server over a store or over a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.admin.expiry import Expiry
from toolway.admin.files import READ_ONLY, FileRecords
from toolway.admin.keys import Key, Keys, Role, kept_key
from toolway.admin.operation import Context
from toolway.admin.server import AdminServer
from toolway.config.secret_places import SecretPlaces

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolway.config.models.gateway import Admin
    from toolway.gateway import Gateway
    from toolway.live import LiveGateway
    from toolway.store import Store

VARIABLES = {"TOOLWAY_ADMIN_KEY": Role.admin, "TOOLWAY_VIEWER_KEY": Role.viewer}
"""Environment variables that hold keys, and what these are good for."""


class OpenAdmin:
    """The Admin API of a gateway, from `start` to `stop`."""

    def __init__(self, server: AdminServer, made_key: str | None, expiry: Expiry | None = None) -> None:
        self.server = server
        self.made_key = made_key
        """The key, where it was made just now; nobody can show it again."""
        self._expiry = expiry

    def start(self, *, patient: bool = False) -> None:
        """As AdminServer.start."""
        self.server.start(patient=patient)
        if self._expiry is not None:
            self._expiry.start()

    def stop(self) -> None:
        """Answers no more."""
        self.server.stop()
        if self._expiry is not None:
            self._expiry.stop()


def open_live(
    gateway: LiveGateway,
    store: Store,
    places: SecretPlaces,
    settings: Admin,
    folder: Path,
    environment: Mapping[str, str],
    version: str,
) -> OpenAdmin:
    """That of a gateway on a store; a key that is made is kept in `folder`.

    Raises WeakKeyError, OSError where a made key cannot be kept, and ValueError for what cannot be used.
    """
    keys, made = open_keys(settings, folder, environment)
    expiry = Expiry(store, gateway)
    context = Context(
        store,
        gateway.plugin_schemas,
        places,
        gateway.view,
        gateway.check,
        opened=store.opened,
        writer=gateway,
        history=store,
        last_use=gateway.last_use,
        expires=expiry.note,
    )
    return OpenAdmin(AdminServer(context, settings, keys, version=version), made, expiry)


def open_file(
    gateway: Gateway,
    file: Path,
    settings: Admin,
    folder: Path,
    environment: Mapping[str, str],
    version: str,
) -> OpenAdmin:
    """That of a gateway on a file, which is read-only. Raises as `open_live` does."""
    keys, made = open_keys(settings, folder, environment)
    records = FileRecords(gateway, gateway.plugin_schemas)
    context = Context(
        records,
        gateway.plugin_schemas,
        SecretPlaces(gateway.plugin_schemas),
        gateway.view,
        records.check,
        last_use=gateway.last_use,
        read_only=READ_ONLY.format(file=file),
    )
    return OpenAdmin(AdminServer(context, settings, keys, version=version), made)


def open_keys(settings: Admin, folder: Path, environment: Mapping[str, str]) -> tuple[Keys, str | None]:
    """The keys of the configuration and the environment. Where no key may change anything, the one that
    `folder` keeps besides, and the key itself where it was made just now.

    Raises OSError where a made key cannot be kept, ValueError where what is kept was damaged.
    """
    keys = [Key.of(each.name, Role(each.role), each.key.reveal()) for each in settings.keys]
    keys += [
        Key.of(name.removeprefix("TOOLWAY_").lower().replace("_", "-"), role, environment[name])
        for name, role in VARIABLES.items()
        if environment.get(name)
    ]
    if any(key.role is Role.admin for key in keys):
        return Keys(keys), None
    kept, shown = kept_key(folder)
    return Keys([*keys, kept]), shown
