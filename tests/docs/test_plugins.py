"""Every plugin and every field of its settings stands in docs/plugins.md, with the values that it takes and
its default, as the engine's schemas have them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .pages import DOCS, headings, section, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

engine = pytest.importorskip("toolway._engine")

PAGE = DOCS / "plugins.md"
PLUGINS: dict[str, dict[str, Any]] = json.loads(engine.plugin_schemas())


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schema's alternatives, with references followed."""
    choices = schema.get("anyOf") or schema.get("oneOf") or [schema]
    found: list[Mapping[str, Any]] = []
    for choice in choices:
        if "$ref" in choice:
            found += resolved(root["$defs"][choice["$ref"].rpartition("/")[2]], root)
        elif choice is schema:
            found.append(choice)
        else:
            found += resolved(choice, root)
    return found


def fields(
    schema: Mapping[str, Any], root: Mapping[str, Any], before: str = ""
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Each field with its schema and whether it is required; those within others as `outer.inner`."""
    for name, below in schema.get("properties", {}).items():
        yield before + name, below, name in schema.get("required", ())
        for choice in resolved(below, root):
            yield from fields(choice, root, f"{before}{name}.")


def values(schema: Mapping[str, Any], root: Mapping[str, Any]) -> set[str]:
    """The texts that a field takes, where it takes no others."""
    found: set[str] = set()
    for choice in resolved(schema, root):
        found |= {value for value in choice.get("enum", ()) if isinstance(value, str)}
        found |= {choice["const"]} if isinstance(choice.get("const"), str) else set()
    return found


def test_every_plugin_has_a_section() -> None:
    assert set(PLUGINS) <= set(headings(PAGE))
    assert {row.key: row.cells[2] for row in table(PAGE, "Plugins").values()} == {
        name: str(entry["priority"]) for name, entry in PLUGINS.items()
    }


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_field_of_a_plugin_is_described(plugin: str) -> None:
    schema = PLUGINS[plugin]["schema"]
    # Tables of fields have four columns, others fewer.
    described = {key: row for key, row in table(PAGE, plugin).items() if len(row.cells) == 4}
    expected = {name: (below, required) for name, below, required in fields(schema, schema)}
    assert set(described) == set(expected)
    for name, (below, required) in expected.items():
        kind, default, meaning = described[name].cells[1:]
        assert meaning, name
        for value in values(below, schema):
            assert f"`{value}`" in kind, f"{name} takes {value}"
        if required:
            assert default == "required", name
        elif below.get("default") is not None and not isinstance(below["default"], dict):
            assert default == f"`{json.dumps(below['default'])}`", name
        else:
            assert default != "required", name


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_plugin_has_an_example(plugin: str) -> None:
    text = PAGE.read_text()
    own = text[text.index(f"\n## {plugin}\n") :].partition("\n## ")[2].partition("\n## ")[0]
    assert "```yaml" in own
    assert section(PAGE, plugin)
