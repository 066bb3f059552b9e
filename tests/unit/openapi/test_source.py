"""Files and inline documents: what may be read, and what is refused as a whole."""

from __future__ import annotations

import datetime
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from toolway.openapi import Document, Limits, read
from toolway.problem import ConfigurationError, Problem

from .documents import assert_schemas_compile, document

if TYPE_CHECKING:
    from pathlib import Path

_TWO = """\
openapi: 3.0.3
info: {title: Two, version: 1.0.0}
paths:
  /a:
    get:
      responses:
        200: {description: fine}
"""


def _problem(spec: Any, **settings: Any) -> Problem:
    with pytest.raises(ConfigurationError) as caught:
        read(spec, **settings)
    return caught.value.problems[0]


def _with_reference(folder: Path, reference: str, base: Path | None = None) -> Document:
    value = {"parameters": [{"name": "a", "in": "query", "schema": {"$ref": reference}}]}
    file = folder / "root.json"
    file.write_text(json.dumps(document({"/a": {"get": value}})))
    return read(file)


def test_reads_yaml_json_and_gzip_files_alike(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(_TWO)
    (tmp_path / "a.yaml.gz").write_bytes(gzip.compress(_TWO.encode()))
    expected = read(tmp_path / "a.yaml")
    (tmp_path / "a.json").write_text(
        json.dumps(
            {
                "openapi": "3.0.3",
                "info": {"title": "Two", "version": "1.0.0"},
                "paths": {"/a": {"get": {"responses": {"200": {"description": "fine"}}}}},
            }
        )
    )
    assert read(tmp_path / "a.yaml.gz") == expected
    assert read(str(tmp_path / "a.json")) == expected
    assert read("a.yaml", base=tmp_path) == expected
    assert (expected.title, expected.api_version, expected.version) == ("Two", "1.0.0", "3.0.3")


def test_an_inline_document_may_hold_what_yaml_readers_make() -> None:
    spec = document({"/a": {"get": {"responses": {200: {"description": "fine"}}}}})
    spec["info"]["version"] = datetime.date(2026, 11, 21)
    result = read(spec)
    assert result.operations[0].responses[0].status == "200"
    assert result.api_version == "2026-11-21"


def test_schemas_in_other_files_are_bundled(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "pet.yaml").write_text(
        "type: object\nproperties:\n  parent: {$ref: '#'}\n  tag: {$ref: '../tags.yaml#/Tag'}\n"
        "  back: {$ref: '../root.json#/info'}\n"
    )
    (tmp_path / "tags.yaml").write_text("Tag: {type: string}\n")
    result = _with_reference(tmp_path, "schemas/pet.yaml")
    assert result.set_aside == ()
    assert result.schemas["pet"]["properties"]["parent"] == {"$ref": "#/$defs/pet"}
    assert result.schemas["Tag"] == {"type": "string"}
    assert_schemas_compile(result)


def test_a_path_item_in_another_file_refers_to_that_file(tmp_path: Path) -> None:
    (tmp_path / "paths.yaml").write_text(
        "a:\n  get:\n    parameters: [{$ref: '#/id'}]\nid: {name: id, in: query, schema: {type: integer}}\n"
    )
    file = tmp_path / "root.json"
    file.write_text(json.dumps(document({"/a": {"$ref": "paths.yaml#/a"}})))
    [operation] = read(file).operations
    assert operation.at == "paths.yaml#/a/get"
    assert operation.parameters[0].schema == {"type": "integer"}


@pytest.mark.parametrize(
    "reference",
    [
        "../secret.yaml",
        "%2e%2e/secret.yaml",
        "link.yaml",
        "/etc/passwd",
        "missing.yaml",
        "bad.yaml",
        "file:///etc/passwd",
        "https://example.com/a.yaml",
        "//example.com/a.yaml",
        "http://[",
        "\x00",
        ".",
    ],
)
def test_files_out_of_reach_set_aside_who_needs_them(tmp_path: Path, reference: str) -> None:
    (tmp_path / "secret.yaml").write_text("type: string\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "bad.yaml").write_text("a: [")
    result = _with_reference(folder, reference)
    assert result.operations == ()
    [aside] = result.set_aside
    assert aside.at == "/paths/~1a/get/parameters/0/schema"


def test_an_inline_document_reaches_files_below_its_base_only(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("type: string\n")
    value = {"parameters": [{"name": "a", "in": "query", "schema": {"$ref": "a.yaml"}}]}
    spec = document({"/a": {"get": value}})
    assert read(spec, base=tmp_path).schemas == {"a": {"type": "string"}}
    assert "inline" in read(spec).set_aside[0].reason


def test_references_that_lead_in_a_circle_are_set_aside() -> None:
    parameters = {"A": {"$ref": "#/components/parameters/B"}, "B": {"$ref": "#/components/parameters/A"}}
    deep = {"$ref": "#/components/parameters/C/x/y"}
    for reference in ("A", "C", "C/x"):
        value = {"parameters": [{"$ref": f"#/components/parameters/{reference}"}]}
        result = read(document({"/a": {"get": value}}, components={"parameters": {**parameters, "C": deep}}))
        assert len(result.set_aside) == 1


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("title: no\n", "openapi-not-openapi", 1),
        ("- a\n", "openapi-not-openapi", 1),
        ("", "openapi-not-openapi", None),
        ("info: {}\nopenapi: 4.0.0\npaths: {}\n", "openapi-version", 2),
        ("openapi: 3.2.0\npaths: {}\n", "openapi-version", 1),
        ("swagger: '1.2'\npaths: {}\n", "openapi-version", 1),
        ("swagger: '3.0.0'\npaths: {}\n", "openapi-version", 1),
        ("openapi: [3]\npaths: {}\n", "openapi-version", 1),
        ("openapi: 3.0.0\n", "openapi-no-paths", 1),
        ("openapi: 3.0.0\ninfo: {}\npaths: []\n", "openapi-no-paths", 3),
    ],
)
def test_what_is_no_usable_document_is_refused_with_its_place(
    tmp_path: Path, text: str, code: str, line: int | None
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    problem = _problem(file)
    assert problem.code == code
    assert problem.file == str(file)
    assert problem.line == line


@pytest.mark.parametrize(("written", "version"), [("swagger: 2.0", "2.0"), ("openapi: 3.0", "3.0")])
def test_versions_written_as_numbers_are_understood(tmp_path: Path, written: str, version: str) -> None:
    (tmp_path / "a.yaml").write_text(f"{written}\npaths: {{}}\n")
    assert read(tmp_path / "a.yaml").version == version


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    assert _problem(tmp_path / "none.yaml").code == "openapi-unreadable"
    assert _problem(tmp_path).code == "openapi-unreadable"
    (tmp_path / "a.gz").write_bytes(gzip.compress(_TWO.encode())[:40])
    assert _problem(tmp_path / "a.gz").code == "openapi-syntax"


@pytest.mark.parametrize(
    "spec", [{"a": object()}, {"a": float("nan")}, {("a",): 1}, {"a": {1: 2, "1": 3}}, {"a": {1, 2}}]
)
def test_inline_documents_that_are_not_data_are_refused(spec: dict[Any, Any]) -> None:
    assert _problem(spec).code in ("openapi-syntax", "openapi-duplicate-key")


def test_an_inline_document_that_holds_itself_is_refused() -> None:
    spec = document({})
    spec["paths"]["x"] = spec
    assert _problem(spec).code == "openapi-syntax"


def test_bounds_are_held(tmp_path: Path) -> None:
    operation: dict[str, Any] = {"responses": {}}
    spec = document({f"/{n}": {"get": operation} for n in range(20)})
    assert _problem(spec, limits=Limits(operations=19)).code == "openapi-too-large"
    assert _problem(spec, limits=Limits(bytes=500)).code == "openapi-too-large"
    assert _problem(spec, limits=Limits(nodes=20)).code == "openapi-too-large"
    assert _problem(spec, limits=Limits(depth=3)).code == "openapi-too-deep"
    assert len(read(spec, limits=Limits(operations=20)).operations) == 20
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a" * 10_000))
    assert _problem(tmp_path / "a.gz", limits=Limits(bytes=5000)).code == "openapi-too-large"
    circle = {"parameters": [{"$ref": "#/components/parameters/A"}] * 5}
    many = document({"/a": {"get": circle}}, components={"parameters": {"A": {"name": "a", "in": "query"}}})
    assert _problem(many, limits=Limits(references=4)).code == "openapi-too-large"


def test_files_of_one_document_are_bounded_together(tmp_path: Path) -> None:
    names = [f"s{n}.yaml" for n in range(4)]
    for name in names:
        (tmp_path / name).write_text("type: string\n")
    schema = {"properties": {name: {"$ref": name} for name in names}}
    value = {"parameters": [{"name": "a", "in": "query", "schema": schema}]}
    (tmp_path / "root.json").write_text(json.dumps(document({"/a": {"get": value}})))
    assert read(tmp_path / "root.json").set_aside == ()
    [aside] = read(tmp_path / "root.json", limits=Limits(files=4)).set_aside
    assert "more than 4 files" in aside.reason
