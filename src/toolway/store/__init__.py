"""Where the resources of a gateway that is configured live are kept: SQLite in a folder, or PostgreSQL.

`store` has the one class that others use. Nothing here knows what a resource means, or that
there is an engine. What needs the databases' libraries is loaded when it is first asked for: a gateway that
is configured by a file speaks of resources and changes too, and has no use for 30 MB of libraries.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from toolway.store.errors import (
    MasterKeyError,
    NewerSchema,
    StaleBase,
    StoreError,
    StoreUnavailable,
    UnknownRevision,
)
from toolway.store.model import MASK, SEALED, Change, Difference, Filters, Key, Resource, Retention, Revision

if TYPE_CHECKING:
    from toolway.store.sealing import Sealer, SecretPlaces
    from toolway.store.store import Store

_LATER = {"Sealer": "sealing", "SecretPlaces": "sealing", "Store": "store"}

__all__ = [
    "MASK",
    "SEALED",
    "Change",
    "Difference",
    "Filters",
    "Key",
    "MasterKeyError",
    "NewerSchema",
    "Resource",
    "Retention",
    "Revision",
    "Sealer",
    "SecretPlaces",
    "StaleBase",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "UnknownRevision",
]


def __getattr__(name: str) -> Any:
    """Loads one of `_LATER` (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
