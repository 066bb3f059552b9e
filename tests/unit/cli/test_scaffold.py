"""New configurations are whole YAML, and an entry is added without touching a character of what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from toolway.openapi.model import Document, Operation, SetAside
from toolway.scaffold import ScaffoldError, api_entry, configuration_text, identifier, with_api

DOCUMENT = Document(
    version="3.0.1",
    title='Pets: the "API" # of us',
    api_version="1.0",
    description="Keeps pets\nin ${HOME}.",
    servers=("https://pets.example/v1",),
    operations=(
        Operation(id="ListPets", method="GET", path="/pets"),
        Operation(id="AddPet", method="POST", path="/pets"),
    ),
    schemas={},
    security_schemes={},
    set_aside=(SetAside("GET /x", "bad", "/paths/~1x/get"),),
)
ENTRY = api_entry("pets", "pets.yaml", DOCUMENT)


def loaded(text: str) -> Any:
    return yaml.safe_load(text)


def test_a_configuration_for_a_document_selects_what_only_reads() -> None:
    configuration = loaded(configuration_text("pets.yaml", DOCUMENT))
    assert configuration["apis"] == [{"id": "pets-the-api-of-us", "spec": "pets.yaml"}]
    assert configuration["apps"][0]["operations"] == ["pets-the-api-of-us:ListPets"]
    assert configuration["apps"][0]["description_for_human"] == "Keeps pets in $${HOME}."
    assert len(configuration["apps"][0]["name_for_human"]) <= 20


def test_a_configuration_shows_how_to_select_what_changes_something() -> None:
    assert '# - "pets-the-api-of-us:AddPet"  # POST /pets\n' in configuration_text("pets.yaml", DOCUMENT)


def test_an_example_is_whole_yaml_and_no_line_is_too_long() -> None:
    text = configuration_text()
    assert loaded(text)["apps"][0]["operations"] == ["example:*"]
    assert max(len(line) for line in text.splitlines()) <= 120


def test_control_characters_of_a_document_do_not_spoil_the_file() -> None:
    nasty = replace(DOCUMENT, title="A\x1b[31m\x00 \U0001f600\u2028\n: {", description="d\x07\x85\ud800\nok")
    configuration = loaded(configuration_text("pets\x1b.yaml", nasty))
    assert configuration["apis"][0]["spec"] == "pets.yaml"
    assert configuration["apps"][0]["description_for_model"].split() == ["d", "ok"]


def test_an_entry_shows_how_the_api_gets_the_credential_that_it_wants() -> None:
    scheme = {"type": "apiKey", "in": "header", "name": "X-Key"}
    wanting = replace(DOCUMENT, security_schemes={"key": scheme})
    entry = api_entry("pets", "pets.yaml", wanting)
    assert "  # It wants an API key in the header X-Key. This shows it one, whatever clients send:\n" in entry
    assert "  # plugins: {upstream-credential: {header: {X-Key: $env://PETS_KEY}}}\n" in entry
    assert loaded(entry) == loaded(ENTRY)


def test_a_document_without_servers_gets_an_upstream() -> None:
    without = Document(
        version="2.0",
        title="T",
        api_version="1",
        description="",
        servers=(),
        operations=(),
        schemas={},
        security_schemes={},
    )
    assert loaded(api_entry("t", "t.yaml", without))[0]["upstream"] == {"nodes": {"127.0.0.1:8080": 1}}


@pytest.mark.parametrize(("title", "expected"), [("Conference API", "conference-api"), ("***", "api")])
def test_an_id_comes_from_a_title(title: str, expected: str) -> None:
    assert identifier(title) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing but words\n",
        "routes: []",
        "apis:\n",
        "apis:\nroutes: []\n",
        "apis: []  # none yet\nroutes: []\n",
        "apis:\n  - id: one\n    spec: a.yaml\n",
        "apis:\n  - id: one\n    spec: a.yaml  # the end",
        "apis:\n- id: one\n  spec: a.yaml\n\n# About routes.\nroutes: []\n",
        "apis:\n    - id: one\n      spec: {openapi: 3.1.0,\n        info: {}}\n# About apps.\napps: []\n",
        "apis:\n  - id: one\n    desc: |\n      # not a comment\n\n      text\n\n\n# About apps.\napps: []\n",
        "apis:\n  - id: one\n    desc: >-\n      text",
        "routes: []\napis:\n  - id: one\n    operations:\n      '*':\n        plugins:\n          cors: {}\n",
        "upstreams: []\n#END\n",
        "apis:\n- id: one\n  spec: a.yaml\n  # upstream: {}\n\n# About apps.\napps: []\n",
    ],
)
def test_an_entry_is_added_after_the_last_one_and_nothing_else_changes(text: str) -> None:
    extended = with_api(text, ENTRY, "pets")
    before, after = loaded(text) or {}, loaded(extended)
    assert after.pop("apis") == [*(before.pop("apis", None) or []), {"id": "pets", "spec": "pets.yaml"}]
    assert after == before
    kept = extended.splitlines()
    for line in text.splitlines():
        if line.strip() and line != "apis: []  # none yet":
            assert line in kept
    assert extended.endswith("#END\n") == text.endswith("#END\n")


def test_an_entry_stands_right_behind_the_list_and_before_the_next_heading() -> None:
    text = "apis:\n  - id: one\n    spec: a.yaml\n\n# About routes.\nroutes: []\n"
    text = text.replace("a.yaml\n", "a.yaml\n    # prefix: /one\n")
    added = "".join(f"  {line}" for line in ENTRY.splitlines(keepends=True))
    assert with_api(text, ENTRY, "pets") == text.replace("/one\n", "/one\n" + added)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apis:\n  - id: pets\n    spec: a.yaml\n", "already"),
        ("apis: [{id: one, spec: a.yaml}]\n", "block list"),
        ("- a\n", "not a mapping"),
        ("a: [\n", "not YAML"),
    ],
)
def test_a_file_that_cannot_be_extended_is_told(text: str, message: str) -> None:
    with pytest.raises(ScaffoldError, match=message):
        with_api(text, ENTRY, "pets")
