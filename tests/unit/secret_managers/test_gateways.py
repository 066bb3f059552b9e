"""Secrets of a Vault in gateways, on files and live: followed when they change, kept while it is away."""

from __future__ import annotations

import http.client
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("toolway._engine")

from toolway import _engine
from toolway.config.models import GatewaySettings
from toolway.config.secret_places import SecretPlaces
from toolway.gateway import Gateway
from toolway.live import LiveGateway
from toolway.problem import ConfigurationError
from toolway.secret_managers import ManagedSecrets, managed
from toolway.store import Change, Sealer, Store
from vault.server import TOKEN, VaultServer, vault_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTEN: dict[str, Any] = {
    "listen": ["127.0.0.1:0"],
    "admin": None,
    "tls": None,
    "metrics": None,
    "control": None,
    "access_log": None,
}
ROUTE: dict[str, Any] = {
    "uri": "/closed",
    "plugins": {"key-auth": {}},
    "upstream": {"nodes": {"127.0.0.1:9": 1}},
}
REFERENCE = "$secret://vault/1/jack/auth-key"
JACK = {"username": "jack", "plugins": {"key-auth": {"key": REFERENCE}}}


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultServer]:
    monkeypatch.setattr(managed, "_AWAY_SECONDS", 0)
    monkeypatch.setenv("VAULT_TOKEN_OF_TESTS", TOKEN)
    with vault_server() as server:
        server.secrets["teams/kv2/apisix/jack"] = {"auth-key": "first-key"}
        yield server


def manager(vault: VaultServer, **others: Any) -> dict[str, Any]:
    token = "$ENV://VAULT_TOKEN_OF_TESTS"
    return {"uri": vault.uri, "prefix": "teams/kv2/apisix", "token": token, **others}


def is_let_in(gateway: Gateway | LiveGateway, key: str) -> bool:
    """Whether who has the key passes; what is behind is not there."""
    host, _, port = gateway.listen_addresses[0].rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", "/closed", headers={"apikey": key})
    status = connection.getresponse().status
    connection.close()
    assert status in (401, 502)
    return status == 502


def test_a_file_refers_to_a_vault_and_a_change_there_is_live(
    vault: VaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "toolway.yaml"
    configuration: dict[str, Any] = {
        "gateway": LISTEN,
        "secrets": [{"id": "vault/1", **manager(vault)}],
        "consumers": [JACK],
        "routes": [ROUTE],
    }
    path.write_text(json.dumps(configuration))
    gateway = Gateway(path)
    gateway.start()
    secrets = gateway._reader.managed
    try:
        assert is_let_in(gateway, "first-key")
        vault.secrets["teams/kv2/apisix/jack"] = {"auth-key": "second-key"}
        assert secrets.refresh()
        assert is_let_in(gateway, "second-key")
        assert not is_let_in(gateway, "first-key")
        vault.answer = (503, {}, b"{}")
        assert not secrets.refresh()
        configuration["routes"].append({**ROUTE, "uri": "/other"})
        path.write_text(json.dumps(configuration))
        assert gateway.reload()
        assert is_let_in(gateway, "second-key")
    finally:
        gateway.stop(1)
    assert "second-key" not in caplog.text
    assert TOKEN not in caplog.text


def test_a_secret_that_is_not_there_is_a_problem_at_its_place(vault: VaultServer, tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    keys = [
        "$secret://vault/1/jill/k",
        "$secret://vault/2/jack/k",
        "$secret://vault/1/k",
        "$secret://aws/1/a/b",
    ]
    consumers = [
        {"username": f"c{number}", "plugins": {"key-auth": {"key": key}}} for number, key in enumerate(keys)
    ]
    secrets = [{"id": "vault/1", **manager(vault)}]
    path.write_text(json.dumps({"gateway": LISTEN, "secrets": secrets, "consumers": consumers}, indent=1))
    with pytest.raises(ConfigurationError) as refused:
        Gateway.check(path)
    assert [(problem.pointer, problem.code) for problem in refused.value.problems] == [
        (f"/consumers/{number}/plugins/key-auth/key", "secret-missing") for number in range(4)
    ]
    assert [problem.message for problem in refused.value.problems] == [
        f"the secret teams/kv2/apisix/jill is not there in the Vault 127.0.0.1:{vault.port}",
        'there is no secret manager "vault/2"',
        "the reference is not of the form $secret://vault/ID/PATH/KEY",
        'there is no secret manager "aws/1"',
    ]


@contextmanager
def live_gateway(folder: Path, secrets: ManagedSecrets) -> Iterator[tuple[LiveGateway, Store]]:
    places = SecretPlaces(json.loads(_engine.plugin_schemas()))
    with Store.open(folder, sealer=Sealer.load(folder, {}, places)) as store:
        settings = GatewaySettings.model_validate(LISTEN)
        gateway = LiveGateway(store, settings, folder=folder, managed=secrets, environment=os.environ)
        gateway.start()
        try:
            yield gateway, store
        finally:
            gateway.stop(1)


def test_a_live_gateway_reads_follows_and_outlives_a_vault(vault: VaultServer, tmp_path: Path) -> None:
    secrets = ManagedSecrets()
    with live_gateway(tmp_path, secrets) as (gateway, store):
        gateway.write(
            [
                Change("secrets", "vault/1", {"id": "vault/1", **manager(vault)}),
                Change("consumers", "jack", {"username": "jack"}),
                Change("credentials", "jack/1", {"id": "1", "plugins": {"key-auth": {"key": REFERENCE}}}),
                Change("routes", "1", {"id": "1", **ROUTE}),
            ],
            actor="test",
        )
        stored = store.get("credentials", "jack/1")
        assert stored is not None
        assert stored.value["plugins"]["key-auth"] == {"key": REFERENCE}
        assert is_let_in(gateway, "first-key")
        vault.secrets["teams/kv2/apisix/jack"] = {"auth-key": "second-key"}
        assert secrets.refresh()
        assert is_let_in(gateway, "second-key")
        vault.answer = (503, {}, b"{}")
        assert not secrets.refresh()
        gateway.write([Change("routes", "2", {"id": "2", **ROUTE, "uri": "/b"})], actor="test")
        assert is_let_in(gateway, "second-key")
        jill = Change("consumers", "jill", {"username": "jill"})
        wrong = {"id": "1", "plugins": {"key-auth": {"key": "$secret://vault/1/jill/auth-key"}}}
        with pytest.raises(ConfigurationError, match=r"is sealed or in maintenance \(503\)") as refused:
            gateway.write([jill, Change("credentials", "jill/1", wrong)], actor="test")
        assert [problem.pointer for problem in refused.value.problems] == [
            "/credentials/jill~11/plugins/key-auth/key"
        ]
        assert is_let_in(gateway, "second-key")


def test_a_gateway_that_starts_while_its_vault_is_away_lets_in_once_it_is_back(
    vault: VaultServer, tmp_path: Path
) -> None:
    with live_gateway(tmp_path, ManagedSecrets()) as (gateway, _):
        gateway.write(
            [
                Change("secrets", "vault/1", {"id": "vault/1", **manager(vault)}),
                Change(
                    "consumers", "jack", {"username": "jack", "plugins": {"key-auth": {"key": REFERENCE}}}
                ),
                Change("routes", "1", {"id": "1", **ROUTE}),
            ],
            actor="test",
        )
    vault.answer = (503, {}, b"{}")
    secrets = ManagedSecrets()
    with live_gateway(tmp_path, secrets) as (gateway, _):
        assert not is_let_in(gateway, "first-key")
        vault.answer = None
        assert secrets.refresh()
        assert is_let_in(gateway, "first-key")


def test_a_new_token_replaces_the_old_one(vault: VaultServer, tmp_path: Path) -> None:
    secrets = ManagedSecrets()
    with live_gateway(tmp_path, secrets) as (gateway, _):
        gateway.write(
            [
                Change("secrets", "vault/1", {"id": "vault/1", **manager(vault, namespace="old")}),
                Change(
                    "consumers", "jack", {"username": "jack", "plugins": {"key-auth": {"key": REFERENCE}}}
                ),
                Change("routes", "1", {"id": "1", **ROUTE}),
            ],
            actor="test",
        )
        gateway.write(
            [Change("secrets", "vault/1", {"id": "vault/1", **manager(vault, namespace="new")})], actor="test"
        )
        vault.headers.clear()
        secrets.refresh()
        assert {headers["X-Vault-Namespace"] for headers in vault.headers} == {"new"}
        assert is_let_in(gateway, "first-key")
