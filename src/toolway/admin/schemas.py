"""JSON Schemas of kinds and plugins: of the models and of the engine, joined. Pure.

No schema is written here: the models give the kinds', the engine the plugins'. What joins them is that
`plugins` of a resource has the plugins' names.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from toolway.config.kinds import KINDS
from toolway.config.models import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMES = ("create_time", "update_time")
_META = {
    "type": "object",
    "description": "What holds for any plugin.",
    "properties": {"disable": {"type": "boolean", "description": "True takes the plugin out."}},
    "additionalProperties": False,
}


class Schemas:
    """The schemas by name, each of which may refer to others as `{place}/{name}`."""

    def __init__(self, plugin_schemas: Mapping[str, Any], place: str = "#/components/schemas") -> None:
        self._place = place
        self._plugins = plugin_schemas
        self.all: dict[str, dict[str, Any]] = {}
        """Every schema by its name."""
        self._names: dict[str, str] = {}
        self._add_plugins()
        self._add_kinds()
        # What is marked so may not be in answers (OpenAPI 3.1), where it is shown as stars.
        self.all = {name: _without(schema, "writeOnly") for name, schema in self.all.items()}

    def of_kind(self, kind: str) -> dict[str, str]:
        """A reference to the schema of a kind."""
        return self._reference(self._names[kind])

    def alone(self, name: str) -> dict[str, Any]:
        """A schema that stands for itself, with all that it refers to in `$defs`."""
        needed: dict[str, Any] = {}
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current not in needed:
                needed[current] = self.all[current]
                waiting += _referred(self.all[current], f"{self._place}/")
        moved = {key: _moved(schema, self._place, "#/$defs") for key, schema in needed.items()}
        whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **moved.pop(name)}
        return {**whole, "$defs": moved} if moved else whole

    def kind_alone(self, kind: str) -> dict[str, Any]:
        """The schema of a kind, which stands for itself."""
        return self.alone(self._names[kind])

    def written(self, kind: str, *, with_id: bool) -> dict[str, Any]:
        """The schema of what is written: without the times, which are the gateway's, with or without id."""
        schema = copy.deepcopy(self.all[self._names[kind]])
        field = KINDS[kind].id_field
        without = [*_TIMES, *([] if with_id else [field])]
        schema["properties"] = {
            name: value for name, value in schema["properties"].items() if name not in without
        }
        required = (
            {*schema.get("required", ()), field} if with_id else {*schema.get("required", ())} - {field}
        )
        schema["required"] = sorted(required)
        return schema

    def _reference(self, name: str) -> dict[str, str]:
        return {"$ref": f"{self._place}/{name}"}

    def _add_plugins(self) -> None:
        for name, about in self._plugins.items():
            schema = copy.deepcopy(dict(about["schema"]))
            for below, definition in schema.pop("$defs", {}).items():
                self.all[f"plugin.{name}.{below}"] = self._renamed(definition, name)
            schema.pop("$schema", None)
            schema = self._renamed(schema, name)
            if schema.get("additionalProperties") is False or "properties" in schema:
                schema["properties"] = {**schema.get("properties", {}), "_meta": self._reference("Meta")}
            self.all[f"plugin.{name}"] = schema
        self.all["Meta"] = copy.deepcopy(_META)
        self.all["Plugins"] = self._plugins_of({name: f"plugin.{name}" for name in self._plugins})

    def _renamed(self, schema: Any, plugin: str) -> Any:
        return _moved(schema, "#/$defs", f"{self._place}/plugin.{plugin}", joint=".")

    def _plugins_of(self, names: Mapping[str, str]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {plugin: self._reference(name) for plugin, name in names.items()},
            "additionalProperties": False,
        }

    def _add_kinds(self) -> None:
        models = [*(kind.model for kind in KINDS.values()), *CREDENTIALS.values()]
        wanted = [(model, "validation") for model in dict.fromkeys(models)]
        found, definitions = models_json_schema(wanted, ref_template=f"{self._place}/{{model}}")  # type: ignore[arg-type]
        names = {model: reference["$ref"].rpartition("/")[2] for (model, _), reference in found.items()}
        self._names = {name: names[kind.model] for name, kind in KINDS.items()}
        credentials = {plugin: names[model] for plugin, model in CREDENTIALS.items()}
        for plugin in credentials:
            schema = definitions["$defs"][credentials[plugin]]
            schema["properties"]["_meta"] = self._reference("Meta")
        others = {name: f"plugin.{name}" for name in self._plugins}
        self.all["ConsumerPlugins"] = self._plugins_of({**others, **credentials})
        self.all["CredentialPlugins"] = self._plugins_of(credentials)
        for name, schema in definitions["$defs"].items():
            self.all[name] = schema
        plugins = {"consumers": "ConsumerPlugins", "credentials": "CredentialPlugins"}
        own = {self._names[kind]: target for kind, target in plugins.items()}
        for name, schema in definitions["$defs"].items():
            properties = schema.get("properties", {})
            if properties.get("id", {}).get("default") == "":
                # Of the models: a file's resource without an id gets one.
                del properties["id"]["default"]
            if "plugins" in properties:
                kept = {
                    key: value
                    for key, value in properties["plugins"].items()
                    if key in ("minProperties", "maxProperties", "description")
                }
                properties["plugins"] = {**kept, **self._reference(own.get(name, "Plugins"))}


def _without(schema: Any, keyword: str) -> Any:
    """A copy without a keyword."""
    if isinstance(schema, dict):
        return {name: _without(value, keyword) for name, value in schema.items() if name != keyword}
    return [_without(value, keyword) for value in schema] if isinstance(schema, list) else schema


def _referred(schema: Any, start: str) -> list[str]:
    if isinstance(schema, dict):
        own = schema.get("$ref")
        found = [own.removeprefix(start)] if isinstance(own, str) and own.startswith(start) else []
        return found + [name for value in schema.values() for name in _referred(value, start)]
    if isinstance(schema, list):
        return [name for value in schema for name in _referred(value, start)]
    return []


def _moved(schema: Any, old: str, new: str, joint: str = "/") -> Any:
    """A copy whose references lead to `new` instead of `old`."""
    if isinstance(schema, dict):
        found = {name: _moved(value, old, new, joint) for name, value in schema.items()}
        own = found.get("$ref")
        if isinstance(own, str) and own.startswith(f"{old}/"):
            found["$ref"] = f"{new}{joint}{own.removeprefix(f'{old}/')}"
        return found
    if isinstance(schema, list):
        return [_moved(value, old, new, joint) for value in schema]
    return schema
