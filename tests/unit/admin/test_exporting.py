"""Exports of a store, read beside the gateway that has it and applied to another one."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from toolway import cli
from toolway.config.kinds import KINDS

from .gateway import KEY, UPSTREAM, AdminUnderTest, administered

if TYPE_CHECKING:
    from pathlib import Path


def fill(admin: AdminUnderTest) -> None:
    """One of most kinds, with secrets of all sorts."""
    own = trustme.CA().issue_cert("a.test")
    pair = {
        "cert": own.cert_chain_pems[0].bytes().decode(),
        "key": own.private_key_pem.bytes().decode(),
        "snis": ["a.test"],
    }
    admin.put("/ssls/1", pair)
    admin.put("/upstreams/u", {**UPSTREAM, "labels": {"applied-by": "somebody", "kept": "yes"}})
    admin.put("/consumer_groups/g", {"plugins": {}})
    admin.put("/routes/1", {"uri": "/x/${not}", "upstream_id": "u", "plugins": {"key-auth": {}}})
    admin.put(
        "/consumers/jack",
        {
            "username": "jack",
            "group_id": "g",
            "plugins": {
                "basic-auth": {"username": "jack", "password": "the-password-of-jack"},
                "hmac-auth": {"key_id": "jack", "secret_key": "the-secret-of-jack"},
            },
        },
    )
    key = {"plugins": {"key-auth": {"key": "the-key-of-jack-123456"}}}
    admin.put("/consumers/jack/credentials/laptop", key)


def state(admin: AdminUnderTest) -> dict[str, Any]:
    """Everything in the store with its secrets, without what differs from gateway to gateway."""
    left = ("create_time", "update_time", "labels")
    return {
        f"{kind}/{each.id}": {name: item for name, item in each.value.items() if name not in left}
        for kind in KINDS
        for each in admin.store.scan(kind)
    }


def apply(admin: AdminUnderTest, file: Path) -> int:
    address = f"http://{admin.open_admin.server.address}"
    return cli.run(["apply", "-f", str(file), "--admin", address])


@pytest.fixture
def export(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TOOLWAY_ADMIN_KEY", KEY)
    monkeypatch.delenv("TOOLWAY_MASTER_KEY", raising=False)

    def exported(*options: str) -> Path:
        assert cli.run(["store", "export", "--data", str(tmp_path / "one"), *options]) == 0
        file = tmp_path / "export.yaml"
        file.write_text(capsys.readouterr().out)
        return file

    return exported


def test_an_export_with_sealed_secrets_makes_another_gateway_the_same(tmp_path: Path, export: Any) -> None:
    with administered(tmp_path / "one") as one:
        fill(one)
        file = export()
        text = file.read_text()
        for secret in ("the-password-of-jack", "the-secret-of-jack", "the-key-of-jack", "PRIVATE KEY"):
            assert secret not in text
        assert "somebody" not in text
        (tmp_path / "two").mkdir()
        shutil.copy(tmp_path / "one" / "master.key", tmp_path / "two")
        with administered(tmp_path / "two") as two:
            assert apply(two, file) == 0
            assert state(two) == state(one)
            assert state(two)["consumers/jack"]["plugins"]["hmac-auth"]["secret_key"] == "the-secret-of-jack"
            assert two.get("/upstreams/u")["value"]["labels"] == {"kept": "yes", "applied-by": "toolway"}


def test_sealed_secrets_open_with_their_master_key_and_at_their_places_only(
    tmp_path: Path, export: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with administered(tmp_path / "one") as one:
        fill(one)
        file = export()
        with administered(tmp_path / "other") as other:
            assert apply(other, file) == 2
            told = capsys.readouterr().err
            for place in ("key: ", "password_hash: ", "secret_key: "):
                line = 1 + [place in line for line in file.read_text().splitlines()].index(True)
                assert f"export.yaml:{line}:" in told
            assert state(other) == {}
        data = json.loads(export("-o", "json").read_text())
        jack = data["consumers"][0]
        moved = one.call("PUT", "/consumers/jill", {"plugins": jack["plugins"]})
        assert moved.status_code == 400
        assert {problem["code"] for problem in moved.json()["problems"]} >= {"secret-missing"}
        assert one.call("PUT", "/consumers/jack", {"plugins": jack["plugins"]}).status_code == 200


def test_an_export_without_secrets_keeps_those_that_are_stored(tmp_path: Path, export: Any) -> None:
    with administered(tmp_path / "one") as one:
        fill(one)
        before = state(one)
        file = export("--secrets", "left-out")
        assert "$sealed://" not in file.read_text()
        assert apply(one, file) == 0
        assert state(one) == before
        with administered(tmp_path / "other") as other:
            assert apply(other, file) == 2


def test_a_file_with_sealed_secrets_is_not_served(tmp_path: Path, export: Any) -> None:
    with administered(tmp_path / "one") as one:
        fill(one)
        file = export()
    assert cli.run(["check", "-c", str(file)]) == 2
