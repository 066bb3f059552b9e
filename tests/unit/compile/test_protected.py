"""Metadata of protected resources, as it is read off an app's plugins."""

from __future__ import annotations

from typing import Any

import pytest

from toolway.compile.protected import issuer, leading_to, metadata

MCP = "https://api.example.com/mcp"
OPENID: dict[str, Any] = {
    "client_id": "a",
    "discovery": "https://id.example/.well-known/openid-configuration",
}


@pytest.mark.parametrize(
    ("discovery", "expected"),
    [
        ("https://id.example/.well-known/openid-configuration", "https://id.example"),
        ("https://id.example/realms/a/.well-known/openid-configuration", "https://id.example/realms/a"),
        ("https://id.example/.well-known/oauth-authorization-server", "https://id.example"),
        ("https://id.example/.well-known/oauth-authorization-server/a/b", "https://id.example/a/b"),
        ("https://id.example:8443/discovery.json", "https://id.example:8443"),
    ],
)
def test_an_issuer_is_read_off_the_url_of_its_document(discovery: str, expected: str) -> None:
    assert issuer(discovery) == expected


@pytest.mark.parametrize(
    "plugins", [{}, {"key-auth": {}}, {"multi-auth": {"auth_plugins": [{"key-auth": {}}]}}]
)
def test_without_tokens_of_a_provider_there_is_no_metadata(plugins: dict[str, Any]) -> None:
    assert metadata(plugins, MCP) is None
    assert leading_to(MCP, plugins) == plugins


def test_metadata_names_servers_and_scopes_each_once() -> None:
    second = {**OPENID, "required_scopes": ["read", "write"]}
    third = {**OPENID, "claim_validator": {"issuer": {"valid_issuers": ["https://other.example"]}}}
    several = [{"key-auth": {}}, {"openid-connect": second}, {"openid-connect": third}]
    assert metadata({"openid-connect": OPENID, "multi-auth": {"auth_plugins": several}}, MCP) == {
        "resource": MCP,
        "authorization_servers": ["https://id.example", "https://other.example"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["read", "write"],
    }


def test_refusals_lead_to_the_metadata_unless_they_lead_elsewhere() -> None:
    own = {**OPENID, "resource_metadata": "https://elsewhere.example"}
    several = {"multi-auth": {"auth_plugins": [{"key-auth": {}}, {"openid-connect": OPENID}]}}
    assert leading_to("https://m", {"openid-connect": own, "cors": {}}) == {"openid-connect": own, "cors": {}}
    led = {**OPENID, "resource_metadata": "https://m"}
    assert leading_to("https://m", several) == {
        "multi-auth": {"auth_plugins": [{"key-auth": {}}, {"openid-connect": led}]}
    }
