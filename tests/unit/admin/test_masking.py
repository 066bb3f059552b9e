"""Secrets: shown as three stars, kept where three stars are written, refused where there are none to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.admin.differences import differences
from toolway.admin.masking import restored, shown
from toolway.config.secret_places import SecretPlaces
from toolway.store import MasterKeyError

if TYPE_CHECKING:
    from toolway.problem import Problem

STORED = {
    "plugins": {"signer": {"secret": "s3cret", "name": "n"}},
    "keys": ["one", "two"],
}


def places(_kind: str, value: Any) -> list[str]:
    """The places of these tests."""
    found = []
    if isinstance(value.get("plugins", {}).get("signer", {}).get("secret"), str):
        found.append("/plugins/signer/secret")
    if "key" in value.get("plugins", {}).get("key-auth", {}):
        found.append("/plugins/key-auth/key")
    return found + [f"/keys/{index}" for index in range(len(value.get("keys", ())))]


def put_back(
    places: Any, kind: str, value: dict[str, Any], stored: dict[str, Any] | None
) -> tuple[dict[str, Any], list[Problem]]:
    """Where what is sealed with `k` opens to its pointer, and nothing else opens."""

    def opened(pointer: str, text: str) -> str:
        if text != "$sealed://k":
            raise MasterKeyError("it does not open")
        return f"opened {pointer}"

    return restored(places, kind, value, stored, opened)


def test_sealed_secrets_are_opened_where_they_stand() -> None:
    written = {
        "plugins": {"signer": {"secret": "$sealed://k"}},
        "keys": ["$sealed://other"],
        "desc": "$sealed://k",
    }
    value, wrong = put_back(places, "routes", written, None)
    assert value["plugins"]["signer"]["secret"] == "opened /plugins/signer/secret"
    assert value["desc"] == "$sealed://k"
    assert [(problem.code, problem.pointer) for problem in wrong] == [("secret-missing", "/keys/0")]


def test_secrets_are_shown_as_stars_and_the_value_stays_as_it_is() -> None:
    found = shown(places, "routes", STORED)
    assert found == {"plugins": {"signer": {"secret": "***", "name": "n"}}, "keys": ["***", "***"]}
    assert STORED["keys"] == ["one", "two"]


def test_a_digest_of_a_key_is_shown_and_written_as_the_key() -> None:
    stored = {"plugins": {"key-auth": {"key_sha256": "ab" * 32, "key_hint": "3456"}}}
    found = shown(places, "consumers", stored)
    assert found == {"plugins": {"key-auth": {"key": "***"}}}
    assert put_back(places, "consumers", found, stored) == (stored, [])


def test_a_hash_of_a_password_is_shown_and_written_as_the_password() -> None:
    secret_places = SecretPlaces({})
    stored = {"plugins": {"basic-auth": {"username": "jack", "password_hash": "$argon2id$..."}}}
    found = shown(secret_places, "consumers", stored)
    assert found == {"plugins": {"basic-auth": {"username": "jack", "password": "***"}}}
    assert put_back(secret_places, "consumers", found, stored) == (stored, [])
    other = {"plugins": {"basic-auth": {"username": "jack", "password_hash": "$2b$..."}}}
    (difference,) = differences(stored, other, found, shown(secret_places, "consumers", other))
    assert difference == {"pointer": "/plugins/basic-auth/password", "before": "***", "after": "***"}


def test_stars_keep_what_is_stored_and_other_texts_replace_it() -> None:
    written = {"plugins": {"signer": {"secret": "***", "name": "other"}}, "keys": ["***", "new"]}
    value, unknown = put_back(places, "routes", written, STORED)
    assert value == {"plugins": {"signer": {"secret": "s3cret", "name": "other"}}, "keys": ["one", "new"]}
    assert unknown == []


def test_stars_without_anything_stored_are_told_with_their_places() -> None:
    _, unknown = put_back(places, "routes", {"keys": ["***", "***", "***", "***"]}, STORED)
    assert [(problem.code, problem.pointer) for problem in unknown] == [
        ("nothing-stored", "/keys/2"),
        ("nothing-stored", "/keys/3"),
    ]


def test_stars_outside_of_secrets_are_a_text() -> None:
    assert put_back(places, "routes", {"desc": "***"}, None) == ({"desc": "***"}, [])


def test_a_changed_secret_is_told_without_being_shown() -> None:
    before = {"plugins": {"key-auth": {"key_sha256": "aa"}}, "priority": 1, "old": 1}
    after = {"plugins": {"key-auth": {"key_sha256": "bb"}}, "priority": True, "new": [1]}
    told = differences(before, after, shown(places, "c", before), shown(places, "c", after))
    assert told == [
        {"pointer": "/plugins/key-auth/key", "before": "***", "after": "***"},
        {"pointer": "/priority", "before": 1, "after": True},
        {"pointer": "/old", "before": 1},
        {"pointer": "/new", "after": [1]},
    ]
