"""Secret places: which parts of a resource are secrets, so that a store seals them and listings hide them.

Read off the schemas: a text is secret whose JSON Schema says `writeOnly`, in the models of the kinds and in
the plugins' schemas alike. References such as `$env://NAME` are no secrets, they only lead to one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from toolway.config.kinds import KINDS
from toolway.config.models import CREDENTIALS
from toolway.config.secret import Secret, is_reference
from toolway.config.source import pointer_to

Tree = Mapping[str, Any]
"""Below each name, or `*` for any name and index, what is secret there: another tree, or True for a text."""

_ANY = "*"


class SecretPlaces:
    """Finds secrets by the schemas of kinds and of plugins (name -> {"schema"}, as the engine tells them)."""

    def __init__(self, plugin_schemas: Mapping[str, Mapping[str, Any]]) -> None:
        self._plugin_schemas = plugin_schemas
        self._trees: dict[str, Tree] = {}

    def __call__(self, kind: str, value: Mapping[str, Any]) -> list[str]:
        """The JSON pointers of the secret texts in `value`, which need not have been checked."""
        tree = self._trees.get(kind)
        if tree is None:
            tree = self._trees[kind] = self._tree(kind)
        return list(_found(tree, value, ""))

    def _tree(self, kind: str) -> Tree:
        """What is secret in a kind, made when it is first asked for, since most have no resources."""
        if kind not in KINDS:
            return {}
        proving = self._credentials if kind in ("consumers", "credentials") else {}
        return secret_tree(KINDS[kind].model.model_json_schema(), {**self._plugins, **proving})

    @cached_property
    def _plugins(self) -> Tree:
        return {name: secret_tree(about["schema"]) for name, about in self._plugin_schemas.items()}

    @cached_property
    def _credentials(self) -> Tree:
        trees = ((name, secret_tree(model.model_json_schema())) for name, model in CREDENTIALS.items())
        return {name: tree for name, tree in trees if tree}


def veiled(tree: Any, value: Any) -> Any:
    """`value` with the texts that are secret by `tree` as `Secret`; a copy where there may be any."""
    if not tree:
        return value
    if tree is True:
        return Secret(value) if isinstance(value, str) and value else value
    if isinstance(value, dict):
        return {name: veiled(tree.get(name, tree.get(_ANY, {})), item) for name, item in value.items()}
    if isinstance(value, list):
        return [veiled(tree.get(_ANY, {}), item) for item in value]
    return value


def _found(tree: Any, value: Any, pointer: str) -> Iterator[str]:
    if tree is True:
        if isinstance(value, str) and value and not is_reference(value):
            yield pointer
        return
    items = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, item in items:
        below = tree.get(name, tree.get(_ANY))
        if below is not None:
            yield from _found(below, item, pointer + pointer_to(name))


def secret_tree(schema: Mapping[str, Any], plugins: Tree | None = None) -> Tree:
    """What is secret in values of `schema`; `plugins` is what is below each field of that name."""
    found = _Builder(schema, {name: tree for name, tree in (plugins or {}).items() if tree}).below(schema, ())
    return found if isinstance(found, Mapping) else {}


class _Builder:
    def __init__(self, root: Mapping[str, Any], plugins: Tree) -> None:
        self._root = root
        self._plugins = plugins

    def below(self, schema: Any, seen: tuple[str, ...]) -> Any:
        """The tree of `schema`; `seen` are the references on the way, so that a schema may hold itself."""
        if not isinstance(schema, Mapping):
            return {}
        if schema.get("writeOnly") is True:
            return True
        found: dict[str, Any] = {}
        for name, inner in schema.get("properties", {}).items():
            tree = self._plugins if name == "plugins" else self.below(inner, seen)
            if tree:
                found[name] = tree
        for keyword in ("additionalProperties", "items"):
            tree = self.below(schema.get(keyword), seen)
            if tree:
                found[_ANY] = tree
        reference = schema.get("$ref")
        choices = [choice for keyword in ("anyOf", "oneOf", "allOf") for choice in schema.get(keyword, ())]
        if isinstance(reference, str) and reference not in seen:
            choices.append(self._target(reference))
            seen = (*seen, reference)
        for choice in choices:
            tree = self.below(choice, seen)
            if tree is True:
                return True
            found |= tree
        return found

    def _target(self, reference: str) -> Any:
        target: Any = self._root
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part, {})
        return target
