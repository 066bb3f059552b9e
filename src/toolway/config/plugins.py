"""Plugins of a configuration: do they exist, and do their settings fit the schemas that the engine gives.

The schemas are data (name -> {"priority", "schema"}), so that this runs without an engine. `_meta` is
APISIX's own part of any plugin's settings; of it only `disable` is served.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from toolway.config.apisix import PLUGINS
from toolway.config.errors import listing, near
from toolway.config.metadata import check_metadata
from toolway.config.secret import reveal
from toolway.config.secret_places import secret_tree, veiled
from toolway.config.source import Source, pointer_to
from toolway.config.telling import advice, kind_of, limited

if TYPE_CHECKING:
    from toolway.config.models.base import Plugins
    from toolway.problem import Problem

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a mapping",
    "string": "a text",
}
_LIMITS = {
    "minimum": "a number of at least {limit}",
    "maximum": "a number of at most {limit}",
    "exclusiveMinimum": "a number above {limit}",
    "exclusiveMaximum": "a number below {limit}",
    "minLength": "a text of at least {limit} characters",
    "maxLength": "a text of at most {limit} characters",
    "minItems": "at least {limit} entries",
    "maxItems": "at most {limit} entries",
    "minProperties": "at least {limit} fields",
    "maxProperties": "at most {limit} fields",
}


class PluginSchemas(Mapping[str, Mapping[str, Any]]):
    """The plugins' schemas as the engine tells them, with a validator of each, made once."""

    def __init__(self, schemas: Mapping[str, Mapping[str, Any]]) -> None:
        self._schemas = dict(schemas)
        self._validators: dict[str, Any] = {}
        self._secrets: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        return self._schemas[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._schemas)

    def __len__(self) -> int:
        return len(self._schemas)

    def veiled(self, plugins: Any) -> Any:
        """A copy of settings by plugin name, with those texts as `Secret` that their schemas call secret."""
        if not isinstance(plugins, dict):
            return plugins
        return {name: veiled(self._tree(name), settings) for name, settings in plugins.items()}

    def _tree(self, name: str) -> Any:
        if name not in self._secrets:
            self._secrets[name] = secret_tree(self._schemas[name]["schema"]) if name in self._schemas else {}
        return self._secrets[name]

    def validator(self, name: str) -> Any:
        """What checks settings of the plugin `name`."""
        if name not in self._validators:
            self._validators[name] = jsonschema_rs.Draft202012Validator(dict(self._schemas[name]["schema"]))
        return self._validators[name]


class PluginChecker:
    """Checks plugins of one source against `schemas`."""

    def __init__(self, source: Source, schemas: PluginSchemas) -> None:
        self._source = source
        self._schemas = schemas

    def check(self, plugins: Plugins, pointer: str, *, besides: Iterable[str] = ()) -> list[Problem]:
        """All problems of `plugins`, which stand at `pointer`; those named in `besides` are not looked at."""
        found: list[Problem] = []
        for name, settings in plugins.items():
            if name in besides:
                continue
            below = pointer + pointer_to(name)
            if name not in self._schemas:
                found.append(self.unknown(name, below))
                continue
            found += self._meta(settings, below)
            plain = reveal({key: value for key, value in settings.items() if key != "_meta"})
            for error in self._schemas.validator(name).iter_errors(plain):
                found += self._told(name, error, below, plain)
            for pointer_to_number in _too_large(plain, below):
                message = f"{name}: expected a whole number that 64 bits hold"
                found.append(self._source.problem("plugin-configuration", message, pointer_to_number))
        return found

    def check_metadata(self, name: str, settings: Mapping[str, Any], pointer: str) -> list[Problem]:
        """All problems of the metadata `settings`, which stand at `pointer`, of a plugin that has none."""
        if name not in self._schemas:
            return [self.unknown(name, f"{pointer}/id")]
        return list(check_metadata(self._source, name, settings, pointer))

    def unknown(self, name: str, pointer: str) -> Problem:
        """That there is no such plugin, or none yet."""
        if name in PLUGINS:
            message = f'the plugin "{name}" is not supported yet'
            return self._source.problem("not-supported-yet", message, pointer, at_key=True)
        hint = near(name, self._schemas)
        return self._source.problem(
            "unknown-plugin", f'there is no plugin "{name}"', pointer, hint=hint, at_key=True
        )

    def no_credential(self, name: str, pointer: str, known: Iterable[str]) -> Problem:
        """That `name` proves nobody, or not yet."""
        if name in PLUGINS and name not in self._schemas:
            return self.unknown(name, pointer)
        known = sorted(known)
        message = f'"{name}" is not a plugin that a credential can be of'
        hint = near(name, known) or f"known: {', '.join(known)}"
        return self._source.problem("unknown-plugin", message, pointer, hint=hint, at_key=True)

    def _meta(self, settings: Mapping[str, Any], pointer: str) -> list[Problem]:
        meta = settings.get("_meta", {})
        at = pointer + pointer_to("_meta")
        if not isinstance(meta, dict):
            return [self._source.problem("wrong-type", f"expected a mapping, found {kind_of(meta)}", at)]
        found = []
        for field, value in meta.items():
            below = at + pointer_to(field)
            if field in ("error_response", "filter", "pre_function", "priority"):
                message = f'the field "{field}" is not supported yet'
                found.append(self._source.problem("not-supported-yet", message, below, at_key=True))
            elif field != "disable":
                message = f'the field "{field}" is not known here'
                hint = near(field, ["disable"])
                found.append(self._source.problem("unknown-field", message, below, hint=hint, at_key=True))
            elif not isinstance(value, bool):
                message = f"expected true or false, found {kind_of(value)}"
                found.append(self._source.problem("wrong-type", message, below))
        return found

    def _told(self, name: str, error: Any, pointer: str, settings: Any) -> list[Problem]:
        error = _most_telling(error)
        at = pointer + pointer_to(*error.instance_path)
        kind = error.kind
        if kind.name in ("additionalProperties", "unevaluatedProperties"):
            known = _known_fields(self._schemas[name]["schema"], error.schema_path)
            return [
                self._source.problem(
                    "plugin-configuration",
                    f'{name}: the field "{field}" is not known',
                    at + pointer_to(field),
                    hint=near(field, known)
                    or (f"known fields: {', '.join(sorted(known))}" if known else None),
                    at_key=True,
                )
                for field in kind.unexpected
            ]
        message, hint = _words(error, _at(settings, error.instance_path))
        return [self._source.problem("plugin-configuration", f"{name}: {message}", at, hint=hint)]


def _too_large(settings: Any, pointer: str) -> Iterator[str]:
    """Where numbers stand that the engine has no type for; the schema compares them as if they were less."""
    if isinstance(settings, int):
        if not -(2**63) <= settings < 2**63:
            yield pointer
    elif isinstance(settings, dict):
        for name, value in settings.items():
            yield from _too_large(value, pointer + pointer_to(name))
    elif isinstance(settings, list):
        for index, value in enumerate(settings):
            yield from _too_large(value, f"{pointer}/{index}")


def _most_telling(error: Any) -> Any:
    """Of a choice that nothing fits: the error deepest in the settings, for its branch is the one that was
    meant.
    """
    while error.kind.name in ("anyOf", "oneOf") and getattr(error.kind, "context", None):
        below = [inner for branch in error.kind.context for inner in branch]
        deepest = max(below, key=lambda inner: len(inner.instance_path), default=None)
        if deepest is None or len(deepest.instance_path) <= len(error.instance_path):
            return error
        error = deepest
    return error


def _words(error: Any, value: Any) -> tuple[str, str | None]:
    kind = error.kind
    if kind.name == "type":
        expected = listing(_TYPES.get(name, name) for name in kind.types)
        return f"expected {expected}, found {kind_of(value)}", advice(expected, value)
    if kind.name == "required":
        return f'expected the field "{kind.property}"', None
    if kind.name == "enum":
        hint = near(value, [str(option) for option in kind.options]) if isinstance(value, str) else None
        return f"expected {listing(kind.options)}", hint
    if kind.name == "const":
        return f"expected {kind.expected_value}", None
    if kind.name == "pattern":
        return f"expected a text like {kind.pattern}", None
    if kind.name in _LIMITS:
        return f"expected {limited(_LIMITS[kind.name].format(limit=kind.limit))}", None
    if kind.name in ("anyOf", "oneOf"):
        return _choice(error, value), None
    return f'the settings break the rule "{kind.name}" of the schema', None


def _choice(error: Any, value: Any) -> str:
    branches: list[str] = []
    for branch in getattr(error.kind, "context", []):
        for inner in branch:
            if inner.kind.name in ("anyOf", "oneOf"):
                continue
            said = _words(inner, value)[0].removeprefix("expected ").partition(", found")[0]
            if said not in branches:
                branches.append(said)
    return (
        f"expected {listing(branches)}"
        if branches
        else "the settings fit none of the forms that the plugin takes"
    )


def _at(settings: Any, path: Iterable[str | int]) -> Any:
    for part in path:
        settings = settings[part]
    return settings


def _known_fields(schema: Any, path: list[str | int]) -> list[str]:
    """The properties of the schema that refused; references on the way are followed by jsonschema-rs's own
    path.
    """
    found = schema
    for part in path[:-1]:
        if isinstance(found, Mapping) and part == "$ref":
            name = str(found["$ref"]).removeprefix("#/")
            found = schema
            for step in name.split("/"):
                found = found.get(step, {})
        elif isinstance(found, (Mapping, list)):
            try:
                found = found[part]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                return []
    properties = found.get("properties", {}) if isinstance(found, Mapping) else {}
    return list(properties)
