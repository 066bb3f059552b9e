"""`toolway keys` at a running gateway: keys that get in, are seen to be used, are replaced and revoked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from .live import KEY, LiveGateway, live
from .serving import LISTEN, serving, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .upstream import Upstream


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    with live(tmp_path_factory.mktemp("keys") / "data") as gateway:
        route = {"uri": "/*", "plugins": {"key-auth": {}}, "upstream": {"nodes": {recorder.node: 1}}}
        assert gateway.curl("PUT", "/routes/all", json.dumps(route)).status_code == 201
        for name in ("jack", "jill"):
            assert gateway.curl("PUT", f"/consumers/{name}", "{}").status_code == 201
        yield gateway


def keys(gateway: LiveGateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "toolway", "keys", *arguments, "--admin", gateway.admin_url],
        env={**os.environ, "TOOLWAY_ADMIN_KEY": KEY},
        capture_output=True,
        text=True,
    )


def well(ran: subprocess.CompletedProcess[str]) -> str:
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def listed(gateway: LiveGateway, consumer: str) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in json.loads(well(keys(gateway, "list", consumer, "-o", "json")))}


def status(gateway: LiveGateway, key: str) -> int:
    return gateway.http.get("/", headers={"apikey": key}).status_code


def test_a_key_is_shown_once_gets_in_and_is_seen_to_be_used(gateway: LiveGateway) -> None:
    ran = keys(gateway, "create", "jack", "--id", "laptop", "--expires", "90d")
    key = well(ran).strip()
    assert re.fullmatch(r"tw_[0-9A-Za-z]{36}", key)
    assert key not in ran.stderr
    before = listed(gateway, "jack")["laptop"]
    assert (before["hint"], before["last_used_at"], before["is_disabled"]) == (key[-4:], None, False)
    assert datetime.fromisoformat(before["expires_at"]) > datetime.now(UTC)
    assert status(gateway, key) == 200
    used = listed(gateway, "jack")["laptop"]["last_used_at"]
    assert used % 60 == 0
    told = gateway.curl("GET", "/consumers/jack/credentials/laptop")
    assert (told.json()["last_used_at"], told.json()["key_hint"]) == (used, key[-4:])
    assert key not in told.text
    # A change elsewhere, and one of the consumer itself, leave it as it is.
    assert gateway.curl("PATCH", "/consumers/jack", '{"desc": "Jack"}').status_code == 200
    assert listed(gateway, "jack")["laptop"]["last_used_at"] == used
    table = well(keys(gateway, "list"))
    assert re.search(rf"jack +laptop +\.\.\.{key[-4:]} ", table)
    assert key not in table


def test_the_upstream_is_told_which_key_it_was(gateway: LiveGateway, upstream: Upstream) -> None:
    key = json.loads(well(keys(gateway, "create", "jill", "--id", "phone", "-o", "json")))["key"]
    assert status(gateway, key) == 200
    told = {name.lower(): value for name, value in upstream.next().headers}
    assert (told["x-consumer-username"], told["x-credential-identifier"]) == ("jill", "phone")
    assert key not in str(told)


def test_a_key_is_rotated_with_an_overlap_and_revoked_at_once(gateway: LiveGateway) -> None:
    old = well(keys(gateway, "create", "jack", "--id", "old")).strip()
    new = json.loads(well(keys(gateway, "rotate", "jack", "old", "--overlap", "1h", "-o", "json")))
    assert (status(gateway, old), status(gateway, new["key"])) == (200, 200)
    assert listed(gateway, "jack")["old"]["expires_at"] is not None
    assert listed(gateway, "jack")[new["id"]]["expires_at"] is None
    replaced = well(keys(gateway, "rotate", "jack", new["id"], "--overlap", "0s")).strip()
    assert (status(gateway, new["key"]), status(gateway, replaced)) == (401, 200)
    well(keys(gateway, "revoke", "jack", "old", "--disable"))
    assert status(gateway, old) == 401
    assert listed(gateway, "jack")["old"]["is_disabled"] is True
    well(keys(gateway, "revoke", "jack", "old"))
    assert "old" not in listed(gateway, "jack")


def test_a_mistyped_key_is_refused_like_any_other(gateway: LiveGateway) -> None:
    key = well(keys(gateway, "create", "jill")).strip()
    assert status(gateway, key) == 200
    assert status(gateway, key[:-1] + ("a" if key[-1] != "a" else "b")) == 401


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "nobody"], "nobody"),
        (["create", "jack", "--expires", "soon"], "--expires takes a span"),
        (["create", "jack", "--expires", "2020-01-01"], "--expires takes a span"),
        (["rotate", "jack", "none"], "404"),
        (["rotate", "jack", "none", "--overlap", "1y"], "--overlap takes a span"),
        (["revoke", "jack", "none"], "404"),
        (["list", "nobody"], "404"),
    ],
)
def test_what_cannot_be_done_is_told(gateway: LiveGateway, arguments: list[str], said: str) -> None:
    ran = keys(gateway, *arguments)
    assert ran.returncode != 0
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_an_id_is_not_taken_twice(gateway: LiveGateway) -> None:
    key = well(keys(gateway, "create", "jill", "--id", "once")).strip()
    again = keys(gateway, "create", "jill", "--id", "once")
    assert (again.returncode, again.stdout) == (1, "")
    assert status(gateway, key) == 200


def test_without_a_gateway_the_entry_for_a_file_is_printed(recorder: Upstream, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "toolway", "keys", "create", "jack", "--offline", "--id", "laptop"]
    out = well(subprocess.run(command, capture_output=True, text=True))
    key = re.findall(r"tw_[0-9A-Za-z]{36}", out)[0]
    (entry,) = yaml.safe_load(out)
    assert key not in json.dumps(entry)
    route = {"id": "all", "uri": "/*", "plugins": {"key-auth": {}}, "upstream": {"nodes": {recorder.node: 1}}}
    consumers = [{"username": "jack", "credentials": [entry]}]
    write(tmp_path / "toolway.yaml", {"gateway": LISTEN, "routes": [route], "consumers": consumers})
    with serving(tmp_path / "toolway.yaml") as served:
        assert served.http.get("/", headers={"apikey": key}).status_code == 200
        assert served.http.get("/", headers={"apikey": key[:-1]}).status_code == 401


def test_a_mistyped_key_in_a_file_is_told_without_being_shown(tmp_path: Path) -> None:
    plugins = {"key-auth": {"key": "tw_not-one-that-was-made"}}
    write(tmp_path / "toolway.yaml", {"consumers": [{"username": "jack", "plugins": plugins}]})
    command = [sys.executable, "-m", "toolway", "check", "-c", str(tmp_path / "toolway.yaml")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "expected a key with the checksum that belongs to it" in ran.stderr
    assert "not-one" not in ran.stderr + ran.stdout
