"""What a gateway on a file does not load: libraries that it has no use for stay out of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files

import pytest

BUILT = """
import json, sys
from pathlib import Path
import toolway.cli
from toolway.gateway import Gateway
Gateway(Path(sys.argv[1])).build(access_log=False)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of a process that built the demo's gateway, whose app has a logo of its own."""
    demo = str(files("toolway.demo") / "toolway.yaml")
    done = subprocess.run(
        [sys.executable, "-c", BUILT, demo],
        env={**os.environ, "DEMO_API_KEY": "a-key", "DEMO_VISITOR_KEY": "another"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("library", ["asyncio", "httpx", "PIL", "sqlalchemy", "ssl", "starlette", "uvicorn"])
def test_a_file_without_an_admin_api_is_served_without(library: str, loaded: set[str]) -> None:
    assert "toolway.compile" in loaded
    assert library not in loaded
