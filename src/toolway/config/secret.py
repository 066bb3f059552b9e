"""Secrets: values that travel to the engine and are never shown, and the references that stand for them in a
file.

`$env://NAME` is an environment variable, `$env://NAME/KEY` a field of the JSON object in one, `$file://PATH`
the text of a file (relative to the configuration file, one newline at its end taken off), and
`$secret://MANAGER/ID/PATH/KEY` what a secret manager has. References are resolved only where a secret is
expected: credentials and the texts of plugin settings. What was resolved or given there is a `Secret`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, final

from pydantic import WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from toolway.secret_managers import ManagerError
from toolway.store import SEALED

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import GetCoreSchemaHandler

    from toolway.secret_managers import ManagedSecrets, VaultSettings

_ENVIRONMENT = "$env://"
_FILE = "$file://"
_MANAGER = "$secret://"
_REFERENCES = (_ENVIRONMENT, _FILE, _MANAGER)
_LONGEST = max(map(len, _REFERENCES))
_MAXIMUM_FILE_BYTES = 1 << 20


def is_reference(text: str) -> bool:
    """Whether `text` says where a secret is instead of being one."""
    return _scheme(text) in _REFERENCES


def _scheme(text: str) -> str:
    """What a reference begins with; as in Apache APISIX, `$ENV://` is `$env://`."""
    name, separator, _ = text[:_LONGEST].partition("://")
    return f"{name.lower()}{separator}" if separator else ""


@final
class Secret:
    """A text that prints as `[redacted]`; `reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the snapshot and for digests only."""
        return self._value

    def __repr__(self) -> str:
        return "[redacted]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a secret is not written out")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._of)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: Any) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "writeOnly": True}

    @classmethod
    def _of(cls, value: Any) -> Secret:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise PydanticCustomError("wrong-type", "expected a text")
        if not value:
            raise PydanticCustomError("wrong-value", "expected a text that is not empty")
        return cls(value)


Certificate = Annotated[Secret, WithJsonSchema({"type": "string", "minLength": 1})]
"""PEM that may come by a reference, as secrets do, and is none."""


class SecretMissingError(Exception):
    """A reference that cannot be resolved; the message says why without showing a value."""


@dataclass(slots=True)
class SecretResolver:
    """Resolves references against `environment` and `folder`; `files` are those that it has read."""

    environment: Mapping[str, str]
    folder: Path
    is_confined: bool = False
    """Whether files outside `folder` are out of bounds."""
    managed: ManagedSecrets | None = None
    """What reads from secret managers; none: they are not read."""
    managers: Mapping[str, VaultSettings] = field(default_factory=dict)
    """By id, as in `vault/1`."""
    files: set[Path] = field(default_factory=set)

    def resolve(self, text: str) -> Secret | None:
        """The secret that `text` refers to; none where it is no reference. Raises SecretMissingError."""
        scheme = _scheme(text)
        if scheme == _ENVIRONMENT:
            return self._from_environment(text[len(scheme) :])
        if scheme == _FILE:
            return self._from_file(text[len(scheme) :])
        if text.startswith(SEALED):
            raise SecretMissingError(
                "the secret is sealed: it opens where it is applied to a gateway with the same master key"
            )
        return self._from_manager(text[len(scheme) :]) if scheme == _MANAGER else None

    def _from_environment(self, name: str) -> Secret:
        name, separator, key = name.partition("/")
        where = f"the environment variable {name}"
        if name not in self.environment:
            raise SecretMissingError(f"{where} is not set")
        value: Any = self.environment[name]
        if separator:
            try:
                value = json.loads(value)[key]
            except (ValueError, TypeError, LookupError):
                # The error may hold a part of the secret.
                raise SecretMissingError(f'{where} is no JSON object with the field "{key}"') from None
            where = f'the field "{key}" of {where}'
            if not isinstance(value, str):
                raise SecretMissingError(f"{where} is not a text")
        return self._filled(value, where)

    def _from_manager(self, name: str) -> Secret:
        manager, _, rest = name.partition("/")
        identifier, _, place = rest.partition("/")
        path, _, key = place.rpartition("/")
        if not (manager and identifier and path and key):
            raise SecretMissingError("the reference is not of the form $secret://vault/ID/PATH/KEY")
        settings = self.managers.get(f"{manager}/{identifier}")
        if settings is None:
            raise SecretMissingError(f'there is no secret manager "{manager}/{identifier}"')
        if self.managed is None:
            raise SecretMissingError("secret managers are not read here")
        try:
            return Secret(self.managed.read(settings, path, key))
        except ManagerError as error:
            raise SecretMissingError(str(error)) from error

    def _from_file(self, name: str) -> Secret:
        path = self.folder / name
        self.files.add(path)
        try:
            if self.is_confined and not path.resolve().is_relative_to(self.folder.resolve()):
                raise SecretMissingError(f"the file {name} is outside the gateway's folder of secrets")
            with path.open("rb") as file:
                content = file.read(_MAXIMUM_FILE_BYTES + 1)
            if len(content) > _MAXIMUM_FILE_BYTES:
                raise SecretMissingError(f"the file {name} has more than {_MAXIMUM_FILE_BYTES} bytes")
            text = content.decode()
        except OSError as error:
            raise SecretMissingError(f"the file {name} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise SecretMissingError(f"the file {name!r} is not UTF-8 text or has no usable name") from error
        return self._filled(text.removesuffix("\n").removesuffix("\r"), f"the file {name}")

    @staticmethod
    def _filled(value: str, where: str) -> Secret:
        if not value:
            raise SecretMissingError(f"{where} is empty")
        return Secret(value)


def reveal(value: Any) -> Any:
    """A copy of plain data with secrets as their texts: what the engine gets."""
    return _replaced(value, lambda secret: secret.reveal())


def redact(value: Any) -> Any:
    """A copy of plain data with secrets as `[redacted]`: what people are shown."""
    return _replaced(value, repr)


def revealed_text(value: Any) -> str:
    """Plain data as the JSON text that the engine gets, with secrets as their texts. Nothing is copied."""
    return _ENCODE(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not plain data")


_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=_plain).encode


def _replaced(value: Any, text: Any) -> Any:
    if isinstance(value, Secret):
        return text(value)
    # First what nearly all are: to ask whether something is a Mapping of any kind takes ten times as long.
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if isinstance(value, (dict, Mapping)):
        return {key: _replaced(item, text) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(item, text) for item in value]
    return value
