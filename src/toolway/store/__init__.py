"""Where the resources of a gateway that is configured live are kept: SQLite in a folder, or PostgreSQL.

`store` has the one class that others use. Nothing here knows what a resource means, or that
there is an engine.
"""

from __future__ import annotations

from toolway.store.errors import (
    MasterKeyError,
    NewerSchema,
    StaleBase,
    StoreError,
    StoreUnavailable,
    UnknownRevision,
)
from toolway.store.model import Change, Difference, Key, Resource, Revision
from toolway.store.sealing import MASK, Sealer, SecretPlaces
from toolway.store.store import Store

__all__ = [
    "MASK",
    "Change",
    "Difference",
    "Key",
    "MasterKeyError",
    "NewerSchema",
    "Resource",
    "Revision",
    "Sealer",
    "SecretPlaces",
    "StaleBase",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "UnknownRevision",
]
