"""Recorded behaviour of Apache APISIX, replayed: what its Admin API, router and nodes answered."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trustme

from .live import KEY, live
from .shared import shared

if TYPE_CHECKING:
    from pathlib import Path

FILES = ",".join(
    [
        *("t/admin/*", "t/router/*", "t/node/*", "t/plugin/*-auth*"),
        *("t/plugin/acl*", "t/plugin/consumer-restriction*", "t/plugin/cors*", "t/plugin/csrf*"),
    ]
)
MISSING = "fault-injection,limit-req"
"""Plugins that Toolway does not have, without which their cases mean nothing."""
# What differs: APISIX's own words for errors and its readable secrets; counters, which begin anew there with
# each case; a Vault that is not there, which is refused at once; unknown fields and values.
STATUSES = 0.95
WHOLE = 0.85


def certificates() -> dict[str, str]:
    """What a case about `$env://` finds in the environment."""
    found = {}
    for name in ("TEST", "TEST2"):
        own = trustme.CA().issue_cert("test.com")
        found[f"{name}_CERT"] = own.cert_chain_pems[0].bytes().decode()
        found[f"{name}_KEY"] = own.private_key_pem.bytes().decode()
    return found


@pytest.mark.timeout(300)
def test_statuses_and_answers_are_those_of_apisix(tmp_path: Path) -> None:
    runner = shared("cases") / "run.py"
    results = tmp_path / "results.json"
    with live(tmp_path / "data", environment=certificates()) as gateway:
        command = [sys.executable, str(runner), "--files", FILES, "--admin-key", KEY]
        command += ["--proxy", gateway.gateway.origin, "--admin", gateway.admin_url]
        command += ["--without-plugins", MISSING, "--json", str(results), "--settle", "0", "--report"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert results.exists(), ran.stderr
    found = json.loads(results.read_text())
    totals = found["totals"]
    failed = [
        (result["case"], result["failures"][0])
        for result in found["results"]
        if "skipped" not in result and not result["ok"]
    ]
    assert totals["status_ok"] >= STATUSES * totals["cases"], failed
    assert totals["all_ok"] >= WHOLE * totals["cases"], failed
