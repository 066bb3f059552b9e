"""What is sent of a file, what is told of a plan, and what a dump looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from toolway.config import load
from toolway.declarative import read_document
from toolway.declarative.dumping import as_yaml
from toolway.declarative.telling import lines_of, summary_of
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def written(folder: Path, text: str) -> Path:
    path = folder / "wanted.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_stands_outside_of_the_file_is_put_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE", "127.0.0.1:9")
    (tmp_path / "api.json").write_text('{"openapi": "3.1.0", "paths": {}}')
    (tmp_path / "logo.png").write_bytes(PNG)
    path = written(
        tmp_path,
        "gateway: {workers: 1}\n"
        'upstreams: [{id: u, nodes: {"${NODE}": 1}}]\n'
        "consumers: [{username: jack, plugins: {key-auth: {key: $env://KEY}}}]\n"
        "apis: [{id: a, spec: api.json}, {id: b, spec: 'https://api.example.com/x.json'}]\n"
        "apps: [{id: app, logo: logo.png, operations: ['a:*']}]\n",
    )
    document = read_document(path)
    assert document.has_gateway
    assert "gateway" not in document.resources
    assert document.count == 5
    assert document.resources["upstreams"][0]["nodes"] == {"127.0.0.1:9": 1}
    assert document.resources["consumers"][0]["plugins"]["key-auth"]["key"] == "$env://KEY"
    assert document.resources["apis"][0]["spec"] == {"openapi": "3.1.0", "paths": {}}
    assert document.resources["apis"][1]["spec"] == "https://api.example.com/x.json"
    assert document.resources["apps"][0]["logo"].startswith("data:image/")


def test_mistakes_of_a_file_are_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text('{"openapi": "3.1.0", "paths": {"/a": {"$ref": "other.yaml#/a"}}}')
    path = written(
        tmp_path,
        "routes: 5\nnonsense: []\napis: [{id: a, spec: missing.yaml}, {id: b, spec: out.json}]\n"
        "apps: [{id: x, logo: missing.png}]\n",
    )
    with pytest.raises(ConfigurationError) as refused:
        read_document(path)
    assert {(problem.code, problem.line) for problem in refused.value.problems} == {
        ("wrong-type", 1),
        ("unknown-field", 2),
        ("spec-unreadable", 3),
        ("logo-unreadable", 4),
    }
    assert sum(problem.code == "spec-unreadable" for problem in refused.value.problems) == 2


def test_problems_of_the_gateway_are_told_at_their_places(tmp_path: Path) -> None:
    document = read_document(written(tmp_path, "routes:\n  - id: a\n    uri: no-slash\n"))
    placed = document.at_places([Problem("wrong-value", "no path", pointer="/routes/0/uri")])
    assert (placed[0].line, placed[0].column) == (3, 10)
    assert str(placed[0].file).endswith("wanted.yaml")


def test_a_plan_is_told_line_by_line() -> None:
    plan = {
        "revision": 7,
        "unchanged": 2,
        "changes": [
            {"action": "make", "kind": "upstreams", "id": "u"},
            {
                "action": "change",
                "kind": "plugin_configs",
                "id": "1",
                "differences": [
                    {"pointer": "/desc", "before": "old"},
                    {"pointer": "/plugins/key-auth/key", "before": "***", "after": "***"},
                ],
            },
            {"action": "delete", "kind": "consumers", "id": "jack"},
        ],
    }
    assert [line for _, line in lines_of(plan)] == [
        "+ upstream u",
        "~ plugin config 1",
        '    /desc: "old" -> (none)',
        '    /plugins/key-auth/key: "***" -> "***" (another)',
        "- consumer jack",
    ]
    assert summary_of(plan, is_done=False) == "1 to make, 1 to change, 1 to delete; 2 as they should be"
    assert summary_of(plan, is_done=True) == "1 made, 1 changed, 1 deleted: revision 7"
    nothing = {**plan, "changes": []}
    assert summary_of(nothing, is_done=True) == "nothing to change; 2 as they should be"


def test_a_dump_is_read_back_as_it_is(tmp_path: Path) -> None:
    data = {"routes": [{"id": "1", "desc": "a ${HOME} and $${x}", "uri": "/ü", "labels": {"${A}": "1"}}]}
    text = as_yaml(data)
    path = written(tmp_path, text)
    assert load(path, environment={"HOME": "wrong"}).data == data
    assert yaml.safe_load(text) != data
