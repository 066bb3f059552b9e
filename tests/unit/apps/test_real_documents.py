"""Every format of every sample document: legal for its clients, and the same each time.

The samples are beside the repository or where TOOLWAY_SHARED says; without them these tests are skipped.
"""

from __future__ import annotations

import functools
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from toolway.apps.actions import actions_document, actions_problems, dump_json, dump_yaml
from toolway.apps.components import PREFIX
from toolway.apps.functions import openai_tools
from toolway.apps.schema import references, subschemas
from toolway.apps.tokens import token_cost
from toolway.apps.tools import mcp_tools
from toolway.openapi import read

from .views import select, view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.apps.model import AppView
    from toolway.openapi.model import Schema

SHARED = Path(os.environ.get("TOOLWAY_SHARED", Path(__file__).parents[4] / "shared"))
SAMPLES = sorted(
    path for path in (SHARED / "openapi-samples").glob("*") if re.search(r"\.(json|yaml)(\.gz)?$", path.name)
)

pytestmark = pytest.mark.skipif(not SAMPLES, reason="no sample documents beside the repository")
each_sample = pytest.mark.parametrize("path", SAMPLES, ids=[path.name for path in SAMPLES])


@functools.cache
def shown(path: Path) -> AppView:
    return view(*select("api", read(path), prefix="/api"))


@functools.cache
def actions_of(path: Path) -> dict[str, Any]:
    return actions_document(shown(path))


def published_schemas(made: dict[str, Any]) -> Iterator[Schema]:
    """Every schema of an actions document, those within schemas too."""
    pending: list[Schema] = list(made["components"]["schemas"].values())
    for item in made["paths"].values():
        for entry in item.values():
            described = [
                *entry.get("parameters", []),
                entry.get("requestBody", {}),
                *entry["responses"].values(),
            ]
            pending += [part["schema"] for part in described if "schema" in part]
            pending += [media["schema"] for part in described for media in part.get("content", {}).values()]
    while pending:
        schema = pending.pop()
        yield schema
        pending.extend(subschemas(schema))


@each_sample
def test_the_actions_document_is_valid_and_whole(path: Path) -> None:
    made = actions_of(path)
    OpenAPIV31SpecValidator(made).validate()
    entries = [entry for item in made["paths"].values() for entry in item.values()]
    told = [problem for problem in actions_problems(shown(path)) if problem.code == "actions-same-place"]
    assert len(entries) + len(told) == len(shown(path).operations) > 0
    names = [entry["operationId"] for entry in entries]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name) for name in names)
    for entry in entries:
        assert 0 < len(entry["summary"]) < 300
        assert 0 < len(entry["description"]) < 300
        assert isinstance(entry["x-openai-isConsequential"], bool)
        for parameter in entry.get("parameters", []):
            assert parameter["in"] in ("path", "query")
            assert len(parameter.get("description", "")) <= 700


@each_sample
def test_the_actions_document_has_only_schemas_that_the_importer_takes(path: Path) -> None:
    for schema in published_schemas(actions_of(path)):
        if "$ref" in schema:
            assert list(schema) == ["$ref"]
            continue
        composed = {"allOf", "anyOf", "oneOf"} & schema.keys()
        assert isinstance(schema.get("type"), str) or composed
        if schema.get("type") == "object":
            assert isinstance(schema["properties"], dict)
        if schema.get("type") == "array":
            assert schema["items"]
        assert {"type": "null"} not in schema.get("anyOf", [])


@each_sample
def test_the_components_are_all_used_and_without_circles(path: Path) -> None:
    made = actions_of(path)
    components = made["components"]["schemas"]
    used = set(re.findall(rf'"{PREFIX}([^"]+)"', json.dumps(made)))
    assert used == set(components)
    left = {name: set(references(schema, PREFIX)) for name, schema in components.items()}
    while left:
        leaves = {name for name, targets in left.items() if not targets & left.keys()}
        assert leaves, f"a circle among {sorted(left)}"
        left = {name: targets for name, targets in left.items() if name not in leaves}


@each_sample
def test_the_actions_document_reads_the_same_from_json_and_yaml(path: Path) -> None:
    made = actions_of(path)
    assert json.loads(dump_json(made)) == made
    assert yaml.load(dump_yaml(made), Loader=yaml.CSafeLoader) == made


@each_sample
def test_tools_are_legal_and_their_input_schemas_compile(path: Path) -> None:
    made = mcp_tools(shown(path))
    names = [entry["name"] for entry in made]
    assert len({name.casefold() for name in names}) == len(names) == len(shown(path).operations)
    for entry in made:
        definition, request = entry["definition"], entry["request"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", entry["name"])
        assert 0 < len(definition["description"]) <= 1024
        schema = definition["inputSchema"]
        jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions())
        assert (schema["type"], schema["additionalProperties"]) == ("object", False)
        arguments = set(schema.get("properties", {}))
        assert all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name) for name in arguments)
        assert set(schema.get("required", [])) <= arguments
        assert set(schema.get("$defs", {})) == set(
            references({"anyOf": [schema, *schema.get("$defs", {}).values()]})
        )
        used = [parameter["argument"] for parameter in request["parameters"]]
        if request["body"]:
            body = request["body"]["arguments"]
            used += (
                [body["whole"]] if "whole" in body else [given["argument"] for given in body["properties"]]
            )
        assert sorted(used) == sorted(arguments)
        in_path = {given["name"] for given in request["parameters"] if given["in"] == "path"}
        assert in_path == set(re.findall(r"\{([^}]+)\}", request["path"]))


@each_sample
def test_function_tools_compile_and_strict_ones_are_closed_throughout(path: Path) -> None:
    for entry in openai_tools(shown(path)):
        jsonschema_rs.Draft202012Validator(entry["parameters"])
        pending = (
            [entry["parameters"], *entry["parameters"].get("$defs", {}).values()] if entry["strict"] else []
        )
        while pending:
            schema = pending.pop()
            if "properties" in schema:
                assert schema["required"] == list(schema["properties"])
                assert schema["additionalProperties"] is False
            assert "allOf" not in schema
            pending.extend(subschemas(schema))


@each_sample
def test_two_readings_give_the_same_bytes(path: Path) -> None:
    first, second = shown(path), view(*select("api", read(path), prefix="/api"))
    for build in (mcp_tools, actions_document, openai_tools, lambda made: token_cost(mcp_tools(made))):
        assert json.dumps(build(first)) == json.dumps(build(second))


def test_all_samples_in_one_app_keep_their_names_apart() -> None:
    chosen = [
        selected
        for index, path in enumerate(SAMPLES)
        for selected in select(f"api{index}", read(path), prefix=f"/{index}")
    ]
    whole = view(*chosen)
    names = [entry["name"].casefold() for entry in mcp_tools(whole)]
    assert len(set(names)) == len(names) == len(chosen)
    OpenAPIV31SpecValidator(actions_document(whole)).validate()
