"""Golden pairs: each `NAME.yaml` here compiles to `NAME.json`, or is refused as `NAME.errors.txt` says.

`NAME.warnings.txt` beside a snapshot holds its warnings. `UPDATE_GOLDEN=1` writes what is compared; read the
diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from toolway.compile import compile as compile_configuration
from toolway.config import CODES, load, parse
from toolway.problem import ConfigurationError

from .documents import DOCUMENTS

FOLDER = Path(__file__).parent
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ENVIRONMENT = {
    "PORT": "9443",
    "HOST": "api.example.com",
    "EMPTY": "",
    "KEY": "sesame-from-environment",
    "LEAK": "not-to-be-seen",
}
ADDRESSES = {"published.json": ("192.0.2.0/28", "2001:db8::/32")}
LOGO = b"\x89PNG\r\n\x1a\n"
SCHEMAS = json.loads((FOLDER / "plugin_schemas.json").read_text())
MADE_ELSEWHERE = {
    # These need a file of its own kind, the engine, the network or the Admin API, and are tested with what
    # finds them.
    "address-list-unreadable",
    "duplicate-plugin",
    "engine-refused",
    "file-too-large",
    "file-unreadable",
    "forbidden-field",
    "logo-unreadable",
    "nothing-stored",
    "resource-in-use",
    "spec-unreadable",
}


def compare(path: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text) if text else path.unlink(missing_ok=True)
    assert (path.read_text() if path.exists() else "") == text


@pytest.mark.parametrize("case", CASES)
def test_configuration_gives_the_snapshot_or_problems_that_its_golden_file_has(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER)
    snapshot = warnings = problems = ""
    try:
        configuration = parse(load(Path(f"{case}.yaml"), environment=ENVIRONMENT), plugin_schemas=SCHEMAS)
        documents = {api.id: DOCUMENTS[api.spec] for api in configuration.apis if isinstance(api.spec, str)}
        compiled = compile_configuration(
            configuration,
            documents,
            logos={app.id: LOGO for app in configuration.apps},
            cores=2,
            address_lists=ADDRESSES,
        )
        snapshot = json.dumps(compiled.printable, indent=2, ensure_ascii=False) + "\n"
        warnings = "".join(f"{problem}\n" for problem in compiled.warnings)
    except ConfigurationError as error:
        problems = "".join(f"{problem}\n" for problem in error.problems)
    compare(FOLDER / f"{case}.json", snapshot)
    compare(FOLDER / f"{case}.warnings.txt", warnings)
    compare(FOLDER / f"{case}.errors.txt", problems)
    for value in ("sesame", "not-to-be-seen"):
        assert value not in snapshot + warnings + problems


def test_every_code_has_a_golden_file() -> None:
    told = "".join(path.read_text() for path in FOLDER.glob("*.txt"))
    assert {code for code in CODES if f"[{code}]" not in told} == MADE_ELSEWHERE


def test_every_golden_result_has_its_configuration() -> None:
    results = {path.name.partition(".")[0] for path in FOLDER.iterdir() if path.suffix in (".json", ".txt")}
    assert results - {"plugin_schemas"} == set(CASES)
