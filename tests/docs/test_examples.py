"""Every example of a configuration in README.md and docs/ is a whole file that the gateway would serve.

The OpenAPI documents that examples name are the demo's; environment values, files of secrets and what secret
managers have are made up.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
import trustme

from toolway import openapi
from toolway.compile import compile as compile_configuration
from toolway.config import load, parse
from toolway.secret_managers import ManagedSecrets, VaultSettings

from .pages import DOCS, README, Block, blocks

if TYPE_CHECKING:
    from pathlib import Path

engine = pytest.importorskip("toolway._engine")

PAGES = [README, *sorted(DOCS.glob("*.md"))]
BLOCKS = [block for page in PAGES for block in blocks(page)]
EXAMPLES = [block for block in BLOCKS if block.language == "yaml"]
AUTHORITY = trustme.CA()
ISSUED = AUTHORITY.issue_cert("shop.example.com")
PEM = {
    "CERTIFICATE": ISSUED.cert_chain_pems[0].bytes().decode(),
    "PRIVATE_KEY": ISSUED.private_key_pem.bytes().decode(),
    "CA": AUTHORITY.cert_pem.bytes().decode(),
}
"""By the end of a variable's name."""
DOCUMENTS = ("conference.yaml", "shop.yaml")


class MadeUp(ManagedSecrets):
    """Has every secret."""

    def read(self, settings: VaultSettings, path: str, key: str) -> str:
        return f"{settings.prefix}/{path}/{key}"


def place(block: Block) -> str:
    return f"{block.page}:{block.line}"


def environment_of(text: str) -> dict[str, str]:
    """A value for each name that has no default."""
    names = re.findall(r"\$\{([A-Z_]+)\}|\$env://([A-Z_]+)", text)
    made = {name: f"value-of-{name.lower()}" for pair in names for name in pair if name}
    return {name: PEM.get(name.partition("_")[2], value) for name, value in made.items()}


@pytest.mark.parametrize("block", EXAMPLES, ids=place)
def test_an_example_is_a_configuration_that_is_served(block: Block, tmp_path: Path) -> None:
    for document in DOCUMENTS:
        shutil.copy(str(files("toolway.demo") / document), tmp_path)
    for number, name in enumerate(re.findall(r"\$file://([\w./-]+)", block.text)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"secret-{number}\n")
    path = tmp_path / "toolway.yaml"
    path.write_text(block.text)
    source = replace(load(path, environment=environment_of(block.text)), managed=MadeUp())
    assert source.data, "an example is a whole file"
    configuration = parse(source, plugin_schemas=json.loads(engine.plugin_schemas()))
    read = {api.id: openapi.read(api.spec, base=tmp_path) for api in configuration.apis}
    compiled = compile_configuration(configuration, read)
    engine.check(compiled.text())


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=place)
def test_an_example_in_python_is_python(block: Block) -> None:
    ast.parse(block.text)


def test_every_block_says_its_language() -> None:
    assert {block.language for block in BLOCKS} <= {"yaml", "sh", "python", "text", "json"}
