"""Opening the Admin API of a gateway: its keys, and a server over what the gateway offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.admin.keys import Key, Keys, Role, kept_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolway.config.models.gateway import Admin

VARIABLES = {"TOOLWAY_ADMIN_KEY": Role.admin, "TOOLWAY_VIEWER_KEY": Role.viewer}
"""Environment variables that hold keys, and what these are good for."""


def open_keys(settings: Admin, folder: Path, environment: Mapping[str, str]) -> tuple[Keys, str | None]:
    """The keys of the configuration and the environment. Where no key may change anything, the one that
    `folder` keeps besides, and the key itself where it was made just now.

    Raises OSError where a made key cannot be kept, ValueError where what is kept was damaged.
    """
    keys = [Key.of(each.name, Role(each.role), each.key.reveal()) for each in settings.keys]
    for name, role in VARIABLES.items():
        if environment.get(name):
            keys.append(
                Key.of(name.removeprefix("TOOLWAY_").lower().replace("_", "-"), role, environment[name])
            )
    if any(key.role is Role.admin for key in keys):
        return Keys(keys), None
    kept, shown = kept_key(folder)
    return Keys([*keys, kept]), shown
