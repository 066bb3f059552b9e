"""Documents of real APIs: no operation lost, every schema fit for a validator."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from toolway.openapi import read, report

from .documents import assert_schemas_compile

_REPOSITORY = Path(__file__).parents[3]
_SHARED = Path(os.environ.get("TOOLWAY_SHARED", _REPOSITORY.parent / "shared"))
_SAMPLES = _SHARED / "openapi-samples"
_INDEX = _SAMPLES / "INDEX.tsv"

pytestmark = pytest.mark.skipif(
    not _INDEX.exists(), reason="the sample documents are not beside the repository"
)


def _samples() -> list[tuple[str, int]]:
    if not _INDEX.exists():
        return []
    with _INDEX.open(newline="") as lines:
        return [(row["file"], int(row["operations"])) for row in csv.DictReader(lines, delimiter="\t")]


@pytest.mark.parametrize(("file", "operations"), _samples())
def test_takes_every_operation_of_a_real_document(file: str, operations: int) -> None:
    result = read(_SAMPLES / file)
    assert result.set_aside == ()
    assert len(result.operations) == operations
    ids = [operation.id for operation in result.operations]
    assert len(set(ids)) == operations
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name) for name in ids)
    assert_schemas_compile(result)


@pytest.mark.parametrize(("file", "operations"), _samples())
def test_reads_a_real_document_the_same_twice(file: str, operations: int) -> None:
    assert read(_SAMPLES / file) == read(_SAMPLES / file)


def test_reports_the_styles_of_the_parameters_sample() -> None:
    result = report(read(_SAMPLES / "readme-parameters-style-3.0.json"))
    assert result["parameters"] == {
        "cookie:form": 9,
        "header:simple": 9,
        "path:label": 6,
        "path:matrix": 6,
        "path:simple": 9,
        "query:deepObject": 1,
        "query:form": 9,
        "query:pipeDelimited": 2,
        "query:spaceDelimited": 2,
    }
    assert result["bodies"] == {"multipart/form-data": 6}
    assert len(result["notices"]) == 4


def test_keeps_the_servers_of_an_operation_that_lives_elsewhere() -> None:
    result = read(_SAMPLES / "line-messaging-3.0.yaml.gz")
    elsewhere = {operation.servers for operation in result.operations if operation.servers}
    assert elsewhere == {("https://api-data.line.me",)}
    assert result.servers == ("https://api.line.me",)


def test_leaves_out_servers_of_operations_that_are_those_of_the_document() -> None:
    result = read(_SAMPLES / "twilio-verify-3.0.json.gz")
    assert not any(operation.servers for operation in result.operations)


def test_keeps_the_base_path_of_a_document_without_host() -> None:
    result = read(_SAMPLES / "alertmanager-2.0.yaml")
    assert result.servers == ()
    assert result.base_path == "/api/v2"
