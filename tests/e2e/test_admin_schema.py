"""Schemathesis on the Admin API's own document, with every check that it has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .live import KEY, live

ROOT = Path(__file__).parents[2]
EVERYTHING = "TOOLWAY_SCHEMATHESIS"
"""Set: all kinds are tried, which takes minutes. They are rows of one table, so a few stand for all."""
SOME = r"/admin/(routes|consumers/\{username\}/credentials|plugins|schema|revisions|bulk|plan|apply|openapi)"


@pytest.mark.timeout(1800)
def test_every_check_of_schemathesis_passes(tmp_path: Path) -> None:
    with live(tmp_path / "data") as gateway:
        command = [str(Path(sys.executable).with_name("schemathesis"))]
        command += ["--config-file", str(ROOT / "schemathesis.toml"), "run"]
        command += [f"{gateway.admin_url}/apisix/admin/openapi.json", "--header", f"X-API-KEY: {KEY}"]
        command += ["--max-examples", "3", "--seed", "1", "--no-color"]
        if not os.environ.get(EVERYTHING):
            command += ["--include-path-regex", SOME]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1700, check=False)
        assert not [
            line for line in gateway.gateway.said.so_far() if "an operation of the Admin API failed" in line
        ]
    assert ran.returncode == 0, ran.stdout[-8000:]
