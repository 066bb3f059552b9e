"""The command line from a shell, on the demo's documents: init, import, check, call and export."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from typing import TYPE_CHECKING

import jsonschema_rs
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from toolway.demo import conference, shop
from toolway.demo.serving import served

from .serving import run, serving
from .things import KEY, VISITOR_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Where the demo's two APIs are."""
    with (
        served(conference.application(), "conference") as conference_port,
        served(shop.application(), "shop") as shop_port,
    ):
        yield conference_port, shop_port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the demo's documents and nothing else."""
    for name in ("conference.yaml", "shop.yaml"):
        shutil.copy(str(files("toolway.demo").joinpath(name)), tmp_path)
    return tmp_path


@pytest.fixture
def environment(folder: Path, ports: tuple[int, int]) -> dict[str, str]:
    """The demo's configuration in the folder, and what it needs of the environment."""
    for name in ("toolway.yaml", "logo.png"):
        shutil.copy(str(files("toolway.demo").joinpath(name)), folder)
    return {
        "DEMO_PORT": "0",
        "DEMO_METRICS_PORT": "0",
        "DEMO_CONFERENCE_PORT": str(ports[0]),
        "DEMO_SHOP_PORT": str(ports[1]),
        "DEMO_API_KEY": KEY,
        "DEMO_VISITOR_KEY": VISITOR_KEY,
    }


def answer_of(ran: CompletedProcess[str]) -> str:
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    assert "\x1b" not in ran.stdout
    return ran.stdout


def test_from_a_document_to_a_call_with_init_import_and_serve(folder: Path, ports: tuple[int, int]) -> None:
    assert run("init", "conference.yaml", cwd=folder).returncode == 0
    added = run("import", "shop.yaml", "--id", "shop", "--prefix", "/shop", "-c", "toolway.yaml", cwd=folder)
    assert added.returncode == 0, added.stderr
    written = yaml.safe_load((folder / "toolway.yaml").read_text())
    assert [api["id"] for api in written["apis"]] == ["conference-api", "shop"]
    checked = run("check", cwd=folder)
    assert checked.returncode == 0, checked.stderr
    text = (folder / "toolway.yaml").read_text()
    path = folder / "toolway.yaml"
    data = yaml.safe_load(text)
    data["gateway"] = {"listen": ["127.0.0.1:0"], "admin": None, "metrics": None, "control": None}
    path.write_text(yaml.safe_dump(data))
    elsewhere = [
        argument
        for before, now in zip((5000, 5001), ports, strict=True)
        for argument in ("--connect-to", f"127.0.0.1:{before}:127.0.0.1:{now}")
    ]
    with serving(path, *elsewhere) as gateway:
        assert gateway.http.get("/speaker/1").json()["name"] == "Amara Abara"
        assert gateway.http.get("/shop/products").status_code == 200
    called = run("call", data["apps"][0]["id"], "GetSpeaker", "id=1", *elsewhere, cwd=folder)
    assert json.loads(answer_of(called))["name"] == "Amara Abara"


def test_init_does_not_overwrite_a_file(folder: Path) -> None:
    (folder / "toolway.yaml").write_text("routes: []\n")
    ran = run("init", "conference.yaml", cwd=folder)
    assert ran.returncode == 2
    assert "--force" in ran.stderr
    assert (folder / "toolway.yaml").read_text() == "routes: []\n"


def test_init_without_a_document_writes_what_check_finds_good_once_there_is_one(folder: Path) -> None:
    assert run("init", cwd=folder).returncode == 0
    missing = run("check", cwd=folder)
    assert missing.returncode == 2
    assert "openapi.yaml" in missing.stderr
    (folder / "conference.yaml").rename(folder / "openapi.yaml")
    checked = run("check", cwd=folder)
    assert checked.returncode == 0, checked.stderr


def test_import_reports_operations_and_schemes(folder: Path) -> None:
    report = json.loads(answer_of(run("import", "conference.yaml", "--output", "json", cwd=folder)))
    assert report["set_aside"] == []
    assert {operation["id"] for operation in report["operations"]} >= {"FindSpeakers", "GetSpeakerSessions"}
    said = answer_of(run("import", "conference.yaml", cwd=folder))
    assert "9 operations taken" in said
    assert "apis:" in said


def test_import_sets_one_bad_operation_aside_with_its_reason_and_keeps_the_rest(folder: Path) -> None:
    document = yaml.safe_load((folder / "shop.yaml").read_text())
    document["paths"]["/broken"] = {
        "get": {"parameters": [{"$ref": "#/components/parameters/Nowhere"}], "responses": {}}
    }
    (folder / "broken.json").write_text(json.dumps(document))
    report = json.loads(answer_of(run("import", "broken.json", "--output", "json", cwd=folder)))
    assert len(report["operations"]) == 4
    aside = report["set_aside"]
    assert [entry["operation"] for entry in aside] == ["GET /broken"]
    assert "Nowhere" in aside[0]["reason"]
    assert aside[0]["at"].startswith("/paths/~1broken/get")


def test_import_of_what_is_no_document_is_told(folder: Path) -> None:
    (folder / "no.yaml").write_text("just: text\n")
    ran = run("import", "no.yaml", cwd=folder)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert "no.yaml" in ran.stderr


def test_call_prints_what_a_model_gets(folder: Path, environment: dict[str, str]) -> None:
    ran = run("call", "conference", "GetSpeakerTopics", "id=1", cwd=folder, environment=environment)
    assert json.loads(answer_of(ran))["speaker"] == {"id": 1, "name": "Amara Abara"}


def test_call_holds_the_plugins_of_the_route(folder: Path, environment: dict[str, str]) -> None:
    order = ["call", "conference", "PlaceOrder", "name=Ada", 'items=[{"product_id": "rubber-duck"}]']
    refused = run(*order, cwd=folder, environment=environment)
    assert refused.returncode == 1
    assert "Missing API key in request" in refused.stdout
    placed = run(*order, "-H", f"apikey: {KEY}", cwd=folder, environment=environment)
    assert json.loads(answer_of(placed))["status"] == "placed"


def test_export_prints_what_the_gateway_publishes(folder: Path, environment: dict[str, str]) -> None:
    environment = {**environment, "DEMO_BASE_URL": "https://gateway.example"}

    def exported(*arguments: str) -> str:
        return answer_of(run("export", "--format", *arguments, cwd=folder, environment=environment))

    with serving(folder / "toolway.yaml", environment=environment) as gateway:
        assert json.loads(exported("manifest")) == gateway.http.get("/.well-known/ai-plugin.json").json()
        assert exported("openapi", "--public") == gateway.http.get("/openapi.yaml").text
        buyer = {"apikey": KEY}
        assert exported("openapi") == gateway.http.get("/openapi.yaml", headers=buyer).text
        document = json.loads(exported("openapi", "--output", "json"))
        assert document == gateway.http.get("/openapi.json", headers=buyer).json()
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        listed = gateway.http.post("/mcp", json=asked, headers=buyer)
        assert json.loads(exported("mcp-tools", "--role", "buyer")) == listed.json()["result"]["tools"]
    OpenAPIV31SpecValidator(document).validate()
    functions = json.loads(exported("openai-tools"))
    assert {entry["type"] for entry in functions} == {"function"}
    for entry in functions:
        jsonschema_rs.meta.validate(entry.get("function", entry)["parameters"])


def test_the_version_is_told() -> None:
    assert answer_of(run("--version")).strip()
