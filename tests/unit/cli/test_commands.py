"""Each command as its user types it: what it prints where, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolway import cli
from toolway.demo import conference
from toolway.demo.serving import served

DEMO = Path(str(files("toolway.demo")))
KEY = "a-key-that-tests-use"


class Ran:
    """A command that has run."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs commands in this process, in a folder of their own."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ran:
        status = cli.run(list(arguments))
        captured = self._capsys.readouterr()
        return Ran(status, captured.out, captured.err)


@pytest.fixture
def toolway(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEMO_API_KEY", KEY)
    monkeypatch.setenv("DEMO_VISITOR_KEY", f"{KEY}-too")
    return Shell(capsys)


def configuration(text: str) -> Path:
    path = Path("toolway.yaml")
    path.write_text(text, encoding="utf-8")
    return path


def test_the_version_is_one_line(toolway: Shell) -> None:
    ran = toolway("--version")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("toolway ")
    assert ran.out.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["check", "--colour"], ["call"], ["export"]])
def test_wrong_usage_is_2_and_told_without_a_trace(toolway: Shell, arguments: list[str]) -> None:
    ran = toolway(*arguments)
    assert ran.status == 2
    assert "Usage" in ran.out + ran.err
    assert "Traceback" not in ran.err


def test_init_writes_a_file_and_replaces_it_only_by_force(toolway: Shell) -> None:
    assert toolway("init").status == 0
    first = Path("toolway.yaml").read_text(encoding="utf-8")
    again = toolway("init", str(DEMO / "shop.yaml"))
    assert (again.status, again.err) == (2, "toolway: toolway.yaml is there already; --force replaces it\n")
    assert Path("toolway.yaml").read_text(encoding="utf-8") == first
    assert toolway("init", str(DEMO / "shop.yaml"), "--force").status == 0
    assert Path("toolway.yaml").read_text(encoding="utf-8") != first


def test_what_init_writes_around_a_document_passes_check(toolway: Shell) -> None:
    Path("api").mkdir()
    Path("api/shop.yaml").write_text((DEMO / "shop.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    toolway("init", "api/shop.yaml")
    assert (
        yaml.safe_load(Path("toolway.yaml").read_text(encoding="utf-8"))["apis"][0]["spec"] == "api/shop.yaml"
    )
    ran = toolway("check")
    assert ran.status == 0
    assert "ListProducts" in ran.out
    assert "toolway.yaml: good" in ran.out


def test_import_prints_the_report_and_the_entry(toolway: Shell) -> None:
    ran = toolway("import", str(DEMO / "conference.yaml"), "--id", "talks", "--prefix", "/talks")
    assert ran.status == 0
    assert "9 operations taken" in ran.out
    entry = yaml.safe_load(ran.out[ran.out.index("\napis:") :])["apis"]
    assert entry == [{"id": "talks", "spec": str(DEMO / "conference.yaml"), "prefix": "/talks"}]


def test_import_for_programs_is_the_report_alone(toolway: Shell) -> None:
    report = toolway("import", str(DEMO / "conference.yaml"), "--output", "json").json()
    assert [operation["id"] for operation in report["operations"]][:2] == ["FindSpeakers", "GetSpeaker"]
    assert report["set_aside"] == []


def test_import_adds_to_a_configuration_and_keeps_its_text(toolway: Shell) -> None:
    path = configuration("# mine\nroutes: []  # none\n")
    assert toolway("import", str(DEMO / "shop.yaml"), "-c", str(path), "--prefix", "/shop").status == 0
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# mine\nroutes: []  # none\n")
    assert toolway("check").status == 0
    twice = toolway("import", str(DEMO / "shop.yaml"), "-c", str(path))
    assert twice.status == 2
    assert 'there already is an api "conference-shop"' in twice.err
    assert path.read_text(encoding="utf-8") == text


def test_import_of_what_is_no_document_is_2_with_the_reason(toolway: Shell) -> None:
    configuration("routes: []\n")
    ran = toolway("import", "toolway.yaml")
    assert ran.status == 2
    assert "not an OpenAPI document" in ran.err


def test_check_tells_every_mistake_with_its_place(toolway: Shell) -> None:
    configuration("routes:\n  - uri: /a\n    upstream_id: nowhere\n  - ury: /b\nupstream: []\n")
    ran = toolway("check")
    assert (ran.status, ran.out) == (2, "")
    lines = ran.err.splitlines()
    assert any(line.startswith("error: toolway.yaml:3:") and "nowhere" in line for line in lines)
    assert any(line.startswith("error: toolway.yaml:4:") and "uri" in line for line in lines)
    assert any(line.startswith("error: toolway.yaml:5:") and "upstreams" in line for line in lines)


def test_check_for_programs_has_problems_and_costs(toolway: Shell) -> None:
    good = toolway("check", "-c", str(DEMO / "toolway.yaml"), "--output", "json")
    (app,) = good.json()["apps"]
    assert good.status == 0
    assert app["tokens"] == sum(tool["tokens"] for tool in app["tools"]) > 0
    configuration("routes: 1\n")
    bad = toolway("check", "--output", "json")
    assert bad.status == 2
    assert bad.json()["problems"][0]["line"] == 1


def test_a_missing_configuration_is_2(toolway: Shell) -> None:
    ran = toolway("check")
    assert ran.status == 2
    assert ran.err.startswith("error: toolway.yaml: ")


def test_compile_prints_the_snapshot_without_secrets(toolway: Shell) -> None:
    ran = toolway("compile", "-c", str(DEMO / "toolway.yaml"))
    assert ran.status == 0
    assert {"conference:GetSpeakerSessions", "shop:PlaceOrder"} <= {
        route["id"] for route in ran.json()["routes"]
    }
    assert KEY not in ran.out


def test_export_prints_each_format(toolway: Shell) -> None:
    def exported(*arguments: str) -> str:
        ran = toolway("export", "-c", str(DEMO / "toolway.yaml"), "--format", *arguments)
        assert ran.status == 0
        return ran.out

    assert json.loads(exported("manifest"))["schema_version"] == "v1"
    document = yaml.safe_load(exported("openapi"))
    assert document["openapi"].startswith("3.1.")
    assert json.loads(exported("openapi", "--output", "json")) == document
    assert {tool["name"] for tool in json.loads(exported("mcp-tools", "conference"))} >= {
        "GetSpeakerTopics",
        "PlaceOrder",
    }
    assert {tool["type"] for tool in json.loads(exported("openai-tools"))} == {"function"}


def test_export_of_an_unknown_app_names_those_there_are(toolway: Shell) -> None:
    ran = toolway("export", "shop", "-c", str(DEMO / "toolway.yaml"), "--format", "manifest")
    assert (ran.status, ran.err) == (2, 'toolway: there is no app "shop"; the configuration has conference\n')


def test_import_reads_an_address(toolway: Shell) -> None:
    with served(conference.application(), "conference") as port:
        ran = toolway("import", f"http://127.0.0.1:{port}/openapi.yaml")
    assert ran.status == 0
    (entry,) = yaml.safe_load(ran.out[ran.out.index("\napis:") :])["apis"]
    assert entry["spec"] == f"http://127.0.0.1:{port}/openapi.yaml"


def test_a_document_cannot_steer_the_terminal(toolway: Shell) -> None:
    Path("odd.json").write_text(
        '{"openapi": "3.1.0", "info": {"title": "a\\u001b[2J", "version": "1"}, "paths": {}}'
    )
    ran = toolway("import", "odd.json")
    assert ran.status == 0
    assert "\x1b" not in ran.out


def test_names_between_colons_and_in_brackets_stay_as_they_are(toolway: Shell) -> None:
    ran = toolway("export", "[red]:key:", "-c", str(DEMO / "toolway.yaml"), "--format", "manifest")
    assert 'no app "[red]:key:"' in ran.err


@pytest.mark.parametrize("text", ["a:b", "a:1:b", "a:1:b:c", "a:1:b:2:3"])
def test_a_wrong_connect_to_is_2(toolway: Shell, text: str) -> None:
    ran = toolway("serve", "-c", str(DEMO / "toolway.yaml"), "--connect-to", text)
    assert ran.status == 2
    assert "--connect-to takes" in ran.err


def test_what_nobody_foresaw_is_one_line_and_1(toolway: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of a sudden")

    monkeypatch.setattr("toolway.gateway.Gateway.check", broken)
    ran = toolway("check")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "toolway: ZeroDivisionError: of a sudden (TOOLWAY_DEBUG=1 shows where)\n"
    monkeypatch.setenv("TOOLWAY_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        toolway("check")


def test_a_reader_that_leaves_early_is_no_accident(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "toolway", "compile", "-c", str(DEMO / "toolway.yaml")],
        env={**os.environ, "DEMO_API_KEY": KEY, "DEMO_VISITOR_KEY": f"{KEY}-too"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert b"Traceback" not in said
    assert b"BrokenPipe" not in said
