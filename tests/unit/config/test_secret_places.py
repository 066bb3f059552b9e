"""Where secrets stand in resources: by the models, and by the plugins' schemas."""

from __future__ import annotations

from typing import Any

import pytest

from toolway.config.secret import Secret
from toolway.config.secret_places import SecretPlaces, secret_tree, veiled

SCHEMAS = {
    "hmac": {
        "schema": {
            "type": "object",
            "properties": {
                "key_id": {"type": "string"},
                "secret_key": {"type": "string", "writeOnly": True},
                "others": {"type": "array", "items": {"$ref": "#/$defs/Other"}},
                "choice": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Other"}]},
            },
            "$defs": {
                "Other": {
                    "type": "object",
                    "properties": {
                        "secret": {"type": "string", "writeOnly": True},
                        "inner": {"$ref": "#/$defs/Other"},
                    },
                }
            },
        }
    },
    "plain": {"schema": {"type": "object", "properties": {"key": {"type": "string"}}}},
}
PLACES = SecretPlaces(SCHEMAS)


@pytest.mark.parametrize(
    ("kind", "value", "places"),
    [
        (
            "ssls",
            {"cert": "c", "key": "k", "certs": ["c"], "keys": ["k", "k"]},
            ["/key", "/keys/0", "/keys/1"],
        ),
        ("upstreams", {"tls": {"client_cert": "c", "client_key": "k"}}, ["/tls/client_key"]),
        ("routes", {"upstream": {"tls": {"client_key": "k"}}}, ["/upstream/tls/client_key"]),
        ("secrets", {"uri": "u", "token": "t"}, ["/token"]),
        (
            "consumers",
            {"plugins": {"hmac": {"key_id": "a", "secret_key": "s"}, "plain": {"key": "k"}}},
            ["/plugins/hmac/secret_key"],
        ),
        ("global_rules", {"plugins": {"hmac": {"secret_key": "s"}}}, ["/plugins/hmac/secret_key"]),
        (
            "apis",
            {"operations": {"GET /a": {"plugins": {"hmac": {"secret_key": "s"}}}}},
            ["/operations/GET ~1a/plugins/hmac/secret_key"],
        ),
        (
            "routes",
            {"plugins": {"hmac": {"others": [{"secret": "s"}], "choice": {"secret": "s"}}}},
            ["/plugins/hmac/others/0/secret", "/plugins/hmac/choice/secret"],
        ),
        ("ssls", {"key": "$env://KEY", "keys": ["$file://k", "$secret://vault/1/a/b", ""]}, []),
        ("ssls", {"key": 7, "keys": "k", "client": None}, []),
        ("unknown", {"key": "k"}, []),
    ],
)
def test_secret_texts_are_found(kind: str, value: dict[str, Any], places: list[str]) -> None:
    assert PLACES(kind, value) == places


def test_secret_texts_of_settings_do_not_print() -> None:
    settings = {
        "key_id": "a",
        "secret_key": "s",
        "others": [{"secret": "s", "plain": "p"}, 7],
        "choice": None,
    }
    assert veiled(secret_tree(SCHEMAS["hmac"]["schema"]), settings) == {
        "key_id": "a",
        "secret_key": Secret("s"),
        "others": [{"secret": Secret("s"), "plain": "p"}, 7],
        "choice": None,
    }
