"""Secret managers: where the values of `$secret://MANAGER/ID/PATH/KEY` are kept."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from toolway.config.models.base import Resource, refuse
from toolway.config.secret import Secret
from toolway.secret_managers import VaultSettings

MANAGERS = ("vault",)
_OTHER_MANAGERS = ("aws", "gcp")


def _identifier(value: str) -> str:
    manager, separator, name = value.partition("/")
    if manager in _OTHER_MANAGERS:
        raise refuse("not-supported-yet", f'secrets of "{manager}" are not supported yet')
    if manager not in MANAGERS or not separator or not name or len(value) > 64 or "/" in name:
        raise refuse("wrong-value", "expected a manager and an id", 'such as "vault/1"')
    return value


def _address(value: str) -> str:
    if not value.startswith(("http://", "https://")) or len(value.partition("://")[2]) < 1:
        raise refuse(
            "wrong-value", "expected an http or https URL", 'such as "https://vault.example.com:8200"'
        )
    return value.rstrip("/")


class SecretManager(Resource):
    """A HashiCorp Vault with a key-value engine."""

    not_supported: ClassVar = frozenset({"access_key_id", "auth_config", "auth_file", "secret_access_key"})

    id: Annotated[str, AfterValidator(_identifier)]
    """`vault/` and a name."""
    uri: Annotated[str, AfterValidator(_address)]
    prefix: Annotated[str, Field(min_length=1)]
    """The path of the engine and of what is below it, as in `kv/apisix`."""
    token: Secret
    namespace: str | None = None

    @property
    def settings(self) -> VaultSettings:
        """What is needed to read from it."""
        return VaultSettings(self.uri, self.prefix, self.token.reveal(), self.namespace)
