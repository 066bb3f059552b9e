"""Secrets in a Vault: read in both versions of its engine, remembered, refreshed, kept while it is away."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from toolway.secret_managers import ManagedSecrets, ManagerError
from toolway.secret_managers import managed as managed_module
from toolway.secret_managers.vault import Vault
from vault.server import TOKEN, VaultServer, settings_of, vault_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    with vault_server() as server:
        server.secrets["kv1/apisix/jack"] = {"auth-key": "sesame", "port": 8080, "flag": True, "empty": ""}
        server.secrets["teams/kv2/apisix/jack"] = {"auth-key": "sesame two"}
        yield server


@pytest.fixture
def managed() -> Iterator[ManagedSecrets]:
    secrets = ManagedSecrets()
    yield secrets
    secrets.close()


def test_a_secret_of_version_1_is_read_with_token_and_namespace(
    vault: VaultServer, managed: ManagedSecrets
) -> None:
    settings = settings_of(vault, namespace="team/a")
    assert managed.read(settings, "jack", "auth-key") == "sesame"
    assert managed.read(settings, "jack", "port") == "8080"
    assert vault.asked == ["/v1/kv1/apisix/jack"]
    assert vault.headers[0]["X-Vault-Token"] == TOKEN
    assert vault.headers[0]["X-Vault-Namespace"] == "team/a"


@pytest.mark.parametrize("tells_mounts", [True, False])
def test_a_secret_of_version_2_is_read_wherever_the_engine_is_mounted(
    vault: VaultServer, managed: ManagedSecrets, tells_mounts: bool
) -> None:
    vault.tells_mounts = tells_mounts
    if not tells_mounts:
        # Then the first part of the prefix is taken for the mount, and the path as APISIX has it works.
        with pytest.raises(ManagerError, match="is not there"):
            managed.read(settings_of(vault, "teams/kv2/apisix"), "jack", "auth-key")
        assert managed.read(settings_of(vault, "teams/kv2/data/apisix"), "jack", "auth-key") == "sesame two"
        return
    settings = settings_of(vault, "teams/kv2/apisix/")
    assert managed.read(settings, "jack", "auth-key") == "sesame two"
    vault.secrets["teams/kv2/apisix/jill"] = {"k": "v"}
    vault.asked.clear()
    assert managed.read(settings, "jill", "k") == "v"
    assert vault.asked == ["/v1/teams/kv2/data/apisix/jill"]


def test_a_path_may_have_any_signs_but_leads_nowhere_else(
    vault: VaultServer, managed: ManagedSecrets
) -> None:
    vault.secrets["kv1/apisix/a%20b/%C3%BC%3F"] = {"k": "v"}
    assert managed.read(settings_of(vault), "a b/ü?", "k") == "v"
    for path in ("../other/jack", "a/../../jack", "./jack", "a//b", "", "jack\n"):
        with pytest.raises(ManagerError, match="is not a path in a Vault"):
            managed.read(settings_of(vault), path, "k")
    assert len(vault.asked) == 1


@pytest.mark.parametrize(
    ("path", "key", "message"),
    [
        ("nobody", "k", "the secret kv1/apisix/nobody is not there in the Vault 127.0.0.1"),
        ("jack", "no-key", r'the secret jack in the Vault .* has no key "no-key"'),
        ("jack", "flag", 'the key "flag" of the secret jack .* is no text, or empty'),
        ("jack", "empty", 'the key "empty" of the secret jack .* is no text, or empty'),
    ],
)
def test_what_is_missing_is_told(
    vault: VaultServer, managed: ManagedSecrets, path: str, key: str, message: str
) -> None:
    with pytest.raises(ManagerError, match=message) as told:
        managed.read(settings_of(vault), path, key)
    assert "sesame" not in str(told.value)


def test_a_deleted_secret_of_version_2_is_told_as_such(vault: VaultServer, managed: ManagedSecrets) -> None:
    vault.secrets["teams/kv2/apisix/gone"] = {}
    with pytest.raises(ManagerError, match="the secret teams/kv2/apisix/gone was deleted"):
        managed.read(settings_of(vault, "teams/kv2/apisix"), "gone", "k")


def test_a_token_that_may_not_read_is_told_and_not_shown(vault: VaultServer, managed: ManagedSecrets) -> None:
    settings = settings_of(vault, token="s.wrong")
    with pytest.raises(ManagerError, match="does not let the token read kv1/apisix/jack") as told:
        managed.read(settings, "jack", "auth-key")
    assert "s.wrong" not in f"{told.value}{settings!r}{managed!r}"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (503, b'{"errors":["Vault is sealed"]}', r"is sealed or in maintenance \(503\)"),
        (500, b"oops", "answers 500 for kv1/apisix/jack"),
        (429, b"{}", "answers 429"),
        (200, b"<html>a portal", "what answers at 127.0.0.1:[0-9]+ is not a Vault"),
        (200, b"[1]", "is not a Vault"),
        (200, b'{"data": [1]}', "answers 200 for"),
        (200, b"x" * (2 << 20), "answers more than 1048576 bytes"),
        (301, b"", "answers 301"),
    ],
)
def test_an_answer_that_is_no_secret_is_told(
    vault: VaultServer, managed: ManagedSecrets, status: int, body: bytes, message: str
) -> None:
    vault.answer = (status, {}, body)
    with pytest.raises(ManagerError, match=message):
        managed.read(settings_of(vault), "jack", "auth-key")


def test_a_standby_that_redirects_is_followed_once(vault: VaultServer, managed: ManagedSecrets) -> None:
    with vault_server() as standby:
        standby.answer = (307, {"Location": f"{vault.uri}/v1/kv1/apisix/jack"}, b"")
        assert managed.read(settings_of(standby), "jack", "auth-key") == "sesame"
        vault.answer = (307, {"Location": f"{standby.uri}/v1/kv1/apisix/jack"}, b"")
        with pytest.raises(ManagerError, match="redirects more than once"):
            managed.read(settings_of(standby), "jill", "auth-key")
        standby.answer = (307, {"Location": "ftp://127.0.0.1/"}, b"")
    assert len(vault.asked) == 2


def test_many_keys_of_one_secret_are_one_request(vault: VaultServer, managed: ManagedSecrets) -> None:
    vault.secrets["kv1/apisix/many"] = {f"k{number}": f"v{number}" for number in range(50)}
    for number in range(50):
        assert managed.read(settings_of(vault), "many", f"k{number}") == f"v{number}"
    assert len(vault.asked) == 1


def test_a_key_that_was_added_later_is_found_without_waiting(
    vault: VaultServer, managed: ManagedSecrets
) -> None:
    managed.read(settings_of(vault), "jack", "auth-key")
    vault.secrets["kv1/apisix/jack"]["new"] = "value"
    assert managed.read(settings_of(vault), "jack", "new") == "value"


def test_a_change_is_seen_by_the_next_refresh_and_told_once(
    vault: VaultServer, managed: ManagedSecrets
) -> None:
    told: list[str] = []
    managed.start(lambda: told.append(managed.read(settings_of(vault), "jack", "auth-key")))
    managed.read(settings_of(vault), "jack", "auth-key")
    assert not managed.refresh()
    vault.secrets["kv1/apisix/jack"] = {"auth-key": "changed"}
    assert managed.read(settings_of(vault), "jack", "auth-key") == "sesame"
    assert managed.refresh()
    assert not managed.refresh()
    assert told == ["changed"]


def test_the_background_sees_changes_by_itself(vault: VaultServer) -> None:
    seen = threading.Event()
    secrets = ManagedSecrets(refresh_seconds=0.01)
    secrets.start(seen.set)
    assert secrets.read(settings_of(vault), "jack", "auth-key") == "sesame"
    vault.secrets["kv1/apisix/jack"] = {"auth-key": "changed"}
    assert seen.wait(30)
    assert secrets.read(settings_of(vault), "jack", "auth-key") == "changed"
    secrets.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "toolway-secrets"]


def test_a_listener_that_fails_does_not_end_the_background(
    vault: VaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    seen = threading.Event()
    failed = threading.Event()
    secrets = ManagedSecrets(refresh_seconds=0.01)

    def listener() -> None:
        failed.set()
        if vault.secrets["kv1/apisix/jack"]["auth-key"] == "second":
            seen.set()
        raise RuntimeError("broken listener")

    secrets.start(listener)
    secrets.read(settings_of(vault), "jack", "auth-key")
    vault.secrets["kv1/apisix/jack"] = {"auth-key": "first"}
    assert failed.wait(30)
    vault.secrets["kv1/apisix/jack"] = {"auth-key": "second"}
    assert seen.wait(30)
    secrets.close()
    assert "it goes on" in caplog.text


def test_what_was_read_is_kept_while_the_vault_is_away_and_followed_when_it_is_back(
    managed: ManagedSecrets, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed_module, "_AWAY_SECONDS", 0)
    caplog.set_level(logging.INFO, "toolway.secret_managers")
    first = VaultServer()
    settings = settings_of(first)
    first.secrets["kv1/apisix/jack"] = {"auth-key": "sesame"}
    assert managed.read(settings, "jack", "auth-key") == "sesame"
    first.stop()
    for _ in range(3):
        assert not managed.refresh()
        assert managed.read(settings, "jack", "auth-key") == "sesame"
    with pytest.raises(ManagerError, match=f"the Vault 127.0.0.1:{first.port} is not reached"):
        managed.read(settings, "jill", "auth-key")
    with pytest.raises(ManagerError, match=r'has no key "other" \(the Vault .* is not reached'):
        managed.read(settings, "jack", "other")
    again = VaultServer(first.port)
    again.secrets["kv1/apisix/jack"] = {"auth-key": "after"}
    assert managed.refresh()
    assert managed.read(settings, "jack", "auth-key") == "after"
    again.stop()
    told = [record.getMessage() for record in caplog.records]
    assert len([message for message in told if "what it told before is used on" in message]) == 1
    assert len([message for message in told if "is read from the Vault" in message]) == 1
    assert "sesame" not in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_value_once_read_is_not_lost_by_what_a_vault_answers_later(
    vault: VaultServer, managed: ManagedSecrets, status: int
) -> None:
    managed.read(settings_of(vault), "jack", "auth-key")
    vault.answer = (status, {}, json.dumps({"errors": []}).encode())
    managed.refresh()
    assert managed.read(settings_of(vault), "jack", "auth-key") == "sesame"


def test_a_vault_that_does_not_answer_is_given_up_and_not_asked_for_each_secret(vault: VaultServer) -> None:
    secrets = ManagedSecrets(vault=Vault(seconds=0.05))
    vault.hold.clear()
    for name in ("one", "two", "three"):
        with pytest.raises(ManagerError, match="does not answer in time"):
            secrets.read(settings_of(vault), name, "k")
    assert len(vault.asked) == 1
    secrets.close()


def test_what_could_not_be_had_is_told_once_the_vault_has_it(
    vault: VaultServer, managed: ManagedSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed_module, "_AWAY_SECONDS", 0)
    told: list[str] = []
    managed.start(lambda: told.append("changed"))
    vault.answer = (503, {}, b"{}")
    with pytest.raises(ManagerError, match="sealed"):
        managed.read(settings_of(vault), "jack", "auth-key")
    assert not managed.refresh()
    vault.answer = None
    assert managed.refresh()
    assert not managed.refresh()
    assert told == ["changed"]
    assert managed.read(settings_of(vault), "jack", "auth-key") == "sesame"


def test_what_is_not_there_is_not_looked_for_again(vault: VaultServer, managed: ManagedSecrets) -> None:
    with pytest.raises(ManagerError, match="is not there"):
        managed.read(settings_of(vault), "nobody", "k")
    vault.asked.clear()
    assert not managed.refresh()
    assert not vault.asked


def test_what_no_manager_needs_any_more_is_forgotten(vault: VaultServer, managed: ManagedSecrets) -> None:
    old, new = settings_of(vault, namespace="old"), settings_of(vault)
    managed.read(old, "jack", "auth-key")
    managed.read(new, "jack", "auth-key")
    managed.keep_only([new])
    vault.headers.clear()
    managed.refresh()
    assert [headers.get("X-Vault-Namespace") for headers in vault.headers] == [None]
