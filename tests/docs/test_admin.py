"""docs/admin.md has every kind, operation, parameter and status of the Admin API, and nothing else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from toolway import _engine
from toolway.admin.document import document
from toolway.admin.keys import Role
from toolway.admin.resources import PREFIX, RESOURCES
from toolway.admin.table import operations
from toolway.apps.formats import FORMATS
from toolway.config.kinds import KINDS

from .pages import DOCS, blocks, rows, section, table

if TYPE_CHECKING:
    from toolway.admin.operation import Operation

PAGE = DOCS / "admin.md"
DOCUMENT = document(json.loads(_engine.plugin_schemas()), "test")
ROUTES = [operation for operation in operations() if operation.kind and operation.kind.name == "routes"]


def written(title: str) -> set[str]:
    """The operations that a section's tables name, as METHOD PATH."""
    return {key for row in rows(section(PAGE, title)) for key in row.keys if re.match(r"[A-Z]+ /", key)}


def told(operation: Operation) -> str:
    """An operation as the page names it."""
    path = operation.path.removeprefix(PREFIX)
    if operation.kind is not None:
        path = path.replace("/routes", "/{kind}")
    return f"{operation.method} {path}"


def test_every_kind_has_its_path_and_says_whether_post_makes_an_id() -> None:
    listed = table(PAGE, "Kinds")
    assert set(listed) == set(RESOURCES) == set(KINDS)
    for name, row in listed.items():
        kind = RESOURCES[name]
        assert row.cells[1] == f"`{kind.collection}`"
        assert bool(row.cells[3]) == kind.makes_ids


def test_every_operation_is_listed() -> None:
    refused = {"POST /{kind}/{id}"}
    of_kinds = {told(operation) for operation in ROUTES}
    assert written("Operations") == of_kinds - refused
    others = {told(operation) for operation in operations() if operation.kind is None}
    own = {key for key in others if key.startswith("POST ") and key.count("/") == 1}
    exports = {key for key in others if "/export/" in key}
    assert written("Plugins and schemas") | written("Revisions") == others - own - exports
    text = PAGE.read_text()
    for key in own | exports:
        method, path = key.split(" ")
        assert f"`{method} {PREFIX}{path}`" in text


def test_every_parameter_is_described() -> None:
    names = {parameter.name for operation in operations() for parameter in operation.parameters}
    titles = ("Operations", "Lists")
    listed = {key for title in titles for row in rows(section(PAGE, title)) for key in row.keys}
    text = PAGE.read_text()
    assert names - listed == {"yaml", "against"}
    assert "?yaml=true" in text
    assert "?against=" in text


def test_roles_formats_and_statuses_are_those_of_the_code() -> None:
    assert set(table(PAGE, "Keys")) == {role.value for role in Role}
    assert set(table(PAGE, "Documents and apps")) == set(FORMATS)
    statuses = {
        status
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
        for status in operation["responses"]
        if not status.startswith("2")
    }
    assert {row.cells[0] for row in rows(section(PAGE, "Refusals"))} == statuses | {"500"}


def test_the_document_of_the_admin_api_is_one() -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    assert not list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors())
    identifiers = [
        operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()
    ]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize(
    "block", [block for block in blocks(PAGE) if block.language == "json"], ids=lambda b: str(b.line)
)
def test_examples_are_json(block: Any) -> None:
    json.loads(block.text)
