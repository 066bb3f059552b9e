"""The table of kinds: references, what is filled in, and what is never stored."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from toolway.config import Source, parse
from toolway.config.kinds import KINDS

SCHEMAS = json.loads((Path(__file__).parents[2] / "golden" / "plugin_schemas.json").read_text())
NODES = {"nodes": {"127.0.0.1:80": 1}}


@pytest.mark.parametrize(
    ("kind", "identifier", "value", "references"),
    [
        (
            "routes",
            "1",
            {"uri": "/", "service_id": 3, "upstream_id": "u", "plugin_config_id": "p"},
            [("upstreams", "u"), ("services", "3"), ("plugin_configs", "p")],
        ),
        ("services", "1", {"upstream": {"tls": {"client_cert_id": 7}}}, [("ssls", "7")]),
        ("upstreams", "1", {"tls": {"client_cert_id": "c"}}, [("ssls", "c")]),
        ("consumers", "jack", {"username": "jack", "group_id": "g"}, [("consumer_groups", "g")]),
        ("credentials", "jack/one", {"plugins": {}}, [("consumers", "jack")]),
        ("apps", "a", {"operations": ["shop:*", "*:get", "!pets:*", "shop:one"]}, [("apis", "shop")]),
        ("apis", "a", {"upstream_id": 1}, [("upstreams", "1")]),
        ("ssls", "1", {"key": "$secret://vault/1/ssl/key"}, [("secrets", "vault/1")]),
        ("routes", "1", {"service_id": True, "upstream_id": None, "upstream": [], "plugins": 1}, []),
    ],
)
def test_references_are_found_in_resources_as_they_are_written(
    kind: str, identifier: str, value: dict[str, Any], references: list[tuple[str, str]]
) -> None:
    assert KINDS[kind].references(identifier, value) == references


def test_defaults_of_apisix_are_filled_in_where_nothing_is_said() -> None:
    route = KINDS["routes"].completed({"uri": "/", "status": 0, "upstream": {"type": "chash", **NODES}})
    assert (route["priority"], route["status"]) == (0, 0)
    assert route["upstream"] == {
        "type": "chash",
        "scheme": "http",
        "hash_on": "vars",
        "pass_host": "pass",
        **NODES,
    }
    assert KINDS["upstreams"].completed(NODES)["type"] == "roundrobin"
    assert KINDS["services"].completed({}) == {}
    assert KINDS["routes"].completed(route) == route


def test_what_is_filled_in_changes_nothing() -> None:
    for section, entry in (
        ("routes", {"id": "1", "uri": "/", "upstream": NODES}),
        ("upstreams", {"id": "1", **NODES}),
    ):
        written, completed = (
            parse(Source.of_data({section: [value]}, folder=Path()), plugin_schemas=SCHEMAS)
            for value in (entry, KINDS[section].completed(entry))
        )
        assert getattr(written, section) == getattr(completed, section)


def test_an_api_key_is_stored_as_its_digest() -> None:
    key = "a-key-that-is-long-enough-1234"
    settings = {"key": key, "_meta": {"disable": True}}
    plugins: dict[str, Any] = {"key-auth": settings, "limit-count": {"key": "remote_addr"}}
    for kind in ("consumers", "credentials"):
        stored = KINDS[kind].completed({"plugins": plugins})
        assert stored["plugins"] == {
            "key-auth": {
                "_meta": {"disable": True},
                "key_sha256": hashlib.sha256(key.encode()).hexdigest(),
                "key_hint": "1234",
            },
            "limit-count": {"key": "remote_addr"},
        }
        assert KINDS[kind].completed(stored) == stored
    assert settings["key"] == key


def test_a_password_is_stored_as_a_hash_that_fits_it_alone() -> None:
    value = {"plugins": {"basic-auth": {"username": "jack", "password": "open sesame"}}}
    stored = [KINDS["credentials"].completed(value)["plugins"]["basic-auth"] for _ in range(2)]
    assert all(set(settings) == {"username", "password_hash"} for settings in stored)
    first, second = (settings["password_hash"] for settings in stored)
    assert first != second, "the same salt twice"
    assert PasswordHasher().verify(first, "open sesame")
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(first, "open")
    again = KINDS["credentials"].completed({"plugins": {"basic-auth": stored[0]}})
    assert again["plugins"]["basic-auth"] == stored[0]


def test_a_short_key_gives_no_hint_and_a_reference_stays() -> None:
    short = KINDS["consumers"].completed({"plugins": {"key-auth": {"key": "auth-one"}}})
    assert set(short["plugins"]["key-auth"]) == {"key_sha256"}
    for key in ("$env://KEY", "$file://key", "$secret://vault/1/a/b", "", 7, None):
        value = {"plugins": {"key-auth": {"key": key}}}
        assert KINDS["consumers"].completed(value) == value
    odds: list[dict[str, Any]] = [{"plugins": []}, {"plugins": {"key-auth": "a"}}]
    for odd in odds:
        assert KINDS["consumers"].completed(odd) == odd


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: str(kind.name))
def test_every_kind_describes_itself(kind: Any) -> None:
    schema = kind.model.model_json_schema()
    assert kind.id_field in schema["properties"]
    assert set(kind.model.model_fields) <= set(kind.entry.model_fields)


def test_ids_are_what_apisix_takes() -> None:
    assert KINDS["routes"].id_pattern.fullmatch("a-b_C.1")
    assert not KINDS["routes"].id_pattern.fullmatch("*invalid")
    assert KINDS["credentials"].id_pattern.fullmatch("jack/one")
    assert not KINDS["credentials"].id_pattern.fullmatch("one")
    assert KINDS["secrets"].id_pattern.fullmatch("vault/test")
