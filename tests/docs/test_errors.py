"""Every code that a user can see stands in docs/errors.md, and nothing else does."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from toolway.apps import manifest
from toolway.apps.model import AppView
from toolway.config import CODES
from toolway.store.verifying import CODES as STORE_CODES

from .pages import DOCS, ROOT, table

if TYPE_CHECKING:
    from pathlib import Path

PAGE = DOCS / "errors.md"
ENGINE = ROOT / "crates" / "engine" / "src"
PACKAGE = ROOT / "src" / "toolway"
REQUIRED_PLACES = ("cookie", "header")
"""Where a parameter may be that GPT Actions cannot send."""


def literals(package: str, pattern: str) -> tuple[set[str], set[str]]:
    """The texts of a package's code that match as a whole, and the beginnings of those made at run time."""
    whole: set[str] = set()
    begun: set[str] = set()
    for path in sorted((PACKAGE / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if re.fullmatch(pattern, node.value):
                    whole.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                start = str(node.values[0].value)
                if start.endswith("-") and re.fullmatch(pattern, f"{start}x"):
                    begun.add(start)
    return whole - begun, begun


def rust_sources() -> list[tuple[Path, str]]:
    """The engine's files without their tests."""
    files = [path for path in sorted(ENGINE.rglob("*.rs")) if path.stem not in ("tests", "testing")]
    return [(path, path.read_text().partition("#[cfg(test)]\nmod tests {")[0]) for path in files]


def rust_codes(function: str) -> dict[str, set[str]]:
    """The texts that each `fn <function>(self) -> &'static str` can give, by file."""
    found: dict[str, set[str]] = {}
    for path, text in rust_sources():
        for body in re.findall(rf"fn {function}\(self\) -> &'static str \{{(.*?)\n    \}}", text, re.DOTALL):
            codes = set(re.findall(r'=> "([a-z_]+)"', body))
            if codes:
                found.setdefault(path.relative_to(ENGINE).as_posix(), set()).update(codes)
    return found


def test_codes_of_configurations_are_listed() -> None:
    assert set(table(PAGE, "Configuration")) == set(CODES)


def test_codes_of_the_store_are_listed() -> None:
    assert set(table(PAGE, "The store")) == set(STORE_CODES)


def test_codes_of_documents_are_listed() -> None:
    whole, begun = literals("openapi", r"openapi-[a-z-]+")
    assert not begun
    assert set(table(PAGE, "OpenAPI documents")) == whole


def test_codes_of_apps_are_listed() -> None:
    whole, begun = literals("apps", r"(manifest|actions|functions|tool)-[a-z-]+")
    made = {f"actions-required-{place}" for place in REQUIRED_PLACES} | codes_of_a_wrong_manifest()
    for start in begun:
        assert any(code.startswith(start) for code in made), start
    assert set(table(PAGE, "Apps")) == whole | made


def codes_of_a_wrong_manifest() -> set[str]:
    """Of an app with a mistake in every field."""
    wrong = AppView(
        id="wrong",
        base_url="",
        name_for_human="",
        name_for_model="",
        description_for_human="",
        description_for_model="",
        contact_email="",
        legal_info_url="",
        auth={"type": "oauth"},
        version="",
        operations=(),
    )
    return {problem.code for problem in manifest.problems(wrong)}


def test_codes_of_the_error_header_are_listed() -> None:
    codes = rust_codes("code")
    assert set(codes) == {"error.rs", "http/framing.rs", "http/path.rs"}
    assert set(table(PAGE, "The gateway's answers")) == codes["error.rs"]
    assert set(table(PAGE, "Framing")) == codes["http/framing.rs"]
    assert set(table(PAGE, "Paths")) == codes["http/path.rs"]


def test_codes_of_mcp_are_listed_with_their_numbers() -> None:
    text = (ENGINE / "mcp" / "message.rs").read_text()
    numbers = dict(re.findall(r"Code::(\w+) => (-\d+),", text))
    names = dict(re.findall(r'Code::(\w+) => "([a-z_]+)"', text))
    assert numbers
    assert set(numbers) == set(names)
    listed = {key: row.cells[1] for key, row in table(PAGE, "MCP").items()}
    assert listed == {names[kind]: number for kind, number in numbers.items()}


def test_statuses_of_the_error_header_are_those_of_the_engine() -> None:
    text = (ENGINE / "error.rs").read_text()
    codes = dict(re.findall(r'Kind::(\w+) => "([a-z_]+)"', text))
    mapping = re.search(r"fn status\(self\).*?\n    \}", text, re.DOTALL)
    assert mapping is not None
    numbers = {
        "BAD_REQUEST": "400",
        "NOT_FOUND": "404",
        "NOT_IMPLEMENTED": "501",
        "PAYLOAD_TOO_LARGE": "413",
        "REQUEST_TIMEOUT": "408",
        "URI_TOO_LONG": "414",
        "UNSUPPORTED_MEDIA_TYPE": "415",
        "SERVICE_UNAVAILABLE": "503",
        "BAD_GATEWAY": "502",
        "GATEWAY_TIMEOUT": "504",
        "INTERNAL_SERVER_ERROR": "500",
        "MISDIRECTED_REQUEST": "421",
        "UNAUTHORIZED": "401",
        "FORBIDDEN": "403",
    }
    arms = re.findall(r"((?:Kind::\w+(?:\(_\))?[ |\n]*)+)=> \{?\s*StatusCode::(\w+)", mapping[0])
    statuses = {
        codes[kind]: numbers[status]
        for kinds, status in arms
        for kind in re.findall(r"Kind::(\w+)", kinds)
        if kind in codes
    }
    listed = {key: row.cells[1] for key, row in table(PAGE, "The gateway's answers").items()}
    assert listed == statuses
