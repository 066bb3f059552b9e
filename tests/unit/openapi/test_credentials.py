"""What an API wants by its security schemes becomes settings that the gateway can use."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from toolway.openapi import read, report
from toolway.openapi.credentials import suggestions

from .documents import document, swagger

CLIENT_CREDENTIALS = {
    "type": "oauth2",
    "flows": {"clientCredentials": {"tokenUrl": "https://id.example.com/token", "scopes": {"read": "Read"}}},
}
AUTHORIZATION_CODE = {
    "type": "oauth2",
    "flows": {
        "authorizationCode": {
            "tokenUrl": "https://id.example.com/token",
            "authorizationUrl": "https://id.example.com/authorize",
            "scopes": {},
        }
    },
}


def things(schemes: dict[str, Any], *security: Any) -> dict[str, Any]:
    """A document with an operation for each of `security`."""
    paths = {
        f"/things/{index}": {"get": {"security": requirement, "responses": {}}}
        for index, requirement in enumerate(security)
    }
    return document(paths, components={"securitySchemes": schemes})


@pytest.mark.parametrize(
    ("scheme", "wants", "settings"),
    [
        (
            {"type": "apiKey", "in": "header", "name": "X-Key"},
            "an API key in the header X-Key",
            {"header": {"X-Key": "$env://PET_STORE_KEY"}},
        ),
        (
            {"type": "apiKey", "in": "query", "name": "key"},
            "an API key in the query argument key",
            {"query": {"key": "$env://PET_STORE_KEY"}},
        ),
        (
            {"type": "apiKey", "in": "cookie", "name": "session"},
            "an API key in the cookie session",
            {"cookie": {"session": "$env://PET_STORE_KEY"}},
        ),
        ({"type": "http", "scheme": "Bearer"}, "a bearer token", {"bearer": "$env://PET_STORE_TOKEN"}),
        (
            {"type": "http", "scheme": "basic"},
            "a username and a password",
            {"basic": {"username": "$env://PET_STORE_USERNAME", "password": "$env://PET_STORE_PASSWORD"}},
        ),
        (
            CLIENT_CREDENTIALS,
            "a token of an authorization server (client credentials)",
            {
                "oauth2": {
                    "token_endpoint": "https://id.example.com/token",
                    "client_id": "$env://PET_STORE_CLIENT_ID",
                    "client_secret": "$env://PET_STORE_CLIENT_SECRET",
                    "scope": "read",
                }
            },
        ),
        (AUTHORIZATION_CODE, "a token of the user who calls", {"pass_through": ["Authorization"]}),
        (
            {"type": "openIdConnect", "openIdConnectUrl": "https://id.example.com"},
            "a token of the user who calls",
            {"pass_through": ["Authorization"]},
        ),
    ],
)
def test_each_scheme_suggests_what_meets_it(scheme: Any, wants: str, settings: Any) -> None:
    [found] = suggestions(read(things({"own": scheme}, [{"own": ["read"]}])), "pet-store")
    assert (found.schemes, found.operations, found.wants) == (("own",), 1, wants)
    assert found.settings == settings
    assert yaml.safe_load(found.yaml) == {"plugins": {"upstream-credential": settings}}


def test_the_most_common_requirement_comes_first_and_open_operations_want_nothing() -> None:
    schemes = {
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "app": {"type": "apiKey", "in": "header", "name": "X-App"},
        "token": {"type": "http", "scheme": "bearer"},
        "other": {"type": "mutualTLS"},
    }
    both: list[dict[str, list[str]]] = [{"key": [], "app": []}]
    found = suggestions(
        read(things(schemes, [{"token": []}], both, [{"other": []}, *both], [{"key": []}, {}])), "Pets"
    )
    assert [(one.schemes, one.operations) for one in found] == [(("key", "app"), 2), (("token",), 1)]
    header = {"X-Key": "$env://PETS_KEY_KEY", "X-App": "$env://PETS_APP_KEY"}
    assert found[0].settings == {"header": header}
    assert found[0].wants == "an API key in the header X-Key and an API key in the header X-App"


def test_a_document_of_swagger_is_understood_too() -> None:
    scheme = {"type": "oauth2", "flow": "application", "tokenUrl": "https://id.example.com/t", "scopes": {}}
    source = swagger(
        {"/things": {"get": {"security": [{"own": []}], "responses": {}}}},
        securityDefinitions={"own": scheme},
    )
    [found] = suggestions(read(source), "things")
    assert found.settings["oauth2"]["token_endpoint"] == "https://id.example.com/t"


def test_one_scheme_that_is_described_and_never_required_is_meant() -> None:
    key = {"type": "apiKey", "in": "header", "name": "X-Key"}
    [found] = suggestions(read(things({"key": key}, [])), "things")
    assert (found.schemes, found.operations) == (("key",), 0)
    assert suggestions(read(things({"key": key, "other": key}, [])), "things") == []


@pytest.mark.parametrize(
    "scheme",
    [
        {"type": "apiKey", "in": "body", "name": "key"},
        {"type": "apiKey", "in": {}, "name": "key"},
        {"type": "apiKey", "in": "header", "name": 7},
        {"type": "apiKey", "in": "header"},
        {"type": "http", "scheme": "digest"},
        {"type": "http"},
        {"type": "mutualTLS"},
        {"type": "nonsense"},
    ],
)
def test_what_cannot_be_met_suggests_nothing(scheme: Any) -> None:
    assert suggestions(read(things({"own": scheme}, [{"own": []}])), "things") == []


@pytest.mark.parametrize(
    "flows", [None, [], {"clientCredentials": {"tokenUrl": "/token"}}, {"clientCredentials": 7}]
)
def test_without_a_whole_token_url_the_user_s_token_is_meant(flows: Any) -> None:
    scheme = {"type": "oauth2", "flows": flows}
    [found] = suggestions(read(things({"own": scheme}, [{"own": []}])), "things")
    assert found.settings == {"pass_through": ["Authorization"]}


def test_whatever_names_a_document_has_the_line_is_yaml() -> None:
    name = 'X: "${HOME}" {\n\x1b true'
    scheme = {"type": "apiKey", "in": "header", "name": name}
    [found] = suggestions(read(things({"own": scheme}, [{"own": []}])), "1 \x00 ünï")
    [header] = yaml.safe_load(found.yaml)["plugins"]["upstream-credential"]["header"].items()
    assert header == ('X: "$${HOME}" { true', "$env://API_1_N_KEY")


def test_the_report_has_settings_to_paste() -> None:
    key = {"type": "apiKey", "in": "header", "name": "X-Key"}
    told = report(read(things({"key": key}, [{"key": []}])), "shop")
    assert told["upstream_credentials"] == [
        {
            "schemes": ["key"],
            "operations": 1,
            "wants": "an API key in the header X-Key",
            "plugins": {"upstream-credential": {"header": {"X-Key": "$env://SHOP_KEY"}}},
            "yaml": "plugins: {upstream-credential: {header: {X-Key: $env://SHOP_KEY}}}",
        }
    ]
