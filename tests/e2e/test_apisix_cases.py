"""Recorded behaviour of Apache APISIX, replayed: what its Admin API, router and nodes answered."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trustme

from vault.server import vault_server

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
# What differs: APISIX's own words for errors, its schemas and its readable secrets; counters, which begin
# anew there with each case; unknown fields, values and plugins; credentials, which do not go upstream.
STATUSES = 0.95
WHOLE, WHOLE_OF_PLUGINS = 0.85, 0.9

VAULT_PORT, VAULT_TOKEN = 8200, "root"
VAULT_FIELDS = (
    ("test.com.crt", "", "CERT"),
    ("test.com.key", "", "KEY"),
    ("test.com.2.crt", "2", "CERT"),
    ("test.com.2.key", "2", "KEY"),
)


def secrets() -> dict[str, str]:
    """What cases find in the environment, and in the Vault that they ask."""
    found = {"VAULT_TOKEN": VAULT_TOKEN}
    for name in ("TEST", "TEST2"):
        own = trustme.CA().issue_cert("test.com")
        found[f"{name}_CERT"] = own.cert_chain_pems[0].bytes().decode()
        found[f"{name}_KEY"] = own.private_key_pem.bytes().decode()
    return found


@pytest.mark.timeout(300)
def test_statuses_and_answers_are_those_of_apisix(tmp_path: Path) -> None:
    runner = shared("cases") / "run.py"
    results = tmp_path / "results.json"
    environment = secrets()
    with (
        vault_server(VAULT_PORT, VAULT_TOKEN) as vault,
        live(tmp_path / "data", environment=environment) as gateway,
    ):
        pair = {name: environment[f"TEST{which}_{kind}"] for name, which, kind in VAULT_FIELDS}
        vault.secrets |= {"kv/apisix/ssl": pair, "kv/apisix/jack": {"secret_key": "my-secret-key"}}
        command = [sys.executable, str(runner), "--files", FILES, "--admin-key", KEY]
        command += ["--proxy", gateway.gateway.origin, "--admin", gateway.admin_url]
        command += ["--without-plugins", MISSING, "--json", str(results), "--settle", "0", "--report"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert results.exists(), ran.stderr
    found = json.loads(results.read_text())
    ran_cases = [result for result in found["results"] if "skipped" not in result]
    for is_of_plugin, whole in ((False, WHOLE), (True, WHOLE_OF_PLUGINS)):
        cases = [case for case in ran_cases if case["file"].startswith("t/plugin/") is is_of_plugin]
        failed = [(case["case"], case["failures"][0]) for case in cases if not case["ok"]]
        assert sum(case["status_ok"] for case in cases) >= STATUSES * len(cases), failed
        assert len(cases) - len(failed) >= whole * len(cases), failed
