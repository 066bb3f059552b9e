"""Secrets that a manager outside keeps: read from HashiCorp Vault, remembered, and looked at again.

Nothing here knows of configurations; who resolves a reference says which manager it means.
"""

from __future__ import annotations

from toolway.secret_managers.managed import ManagedSecrets, ManagerError
from toolway.secret_managers.settings import VaultSettings

__all__ = ["ManagedSecrets", "ManagerError", "VaultSettings"]
