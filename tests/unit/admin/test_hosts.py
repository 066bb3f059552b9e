"""The Host header: addresses, localhost and configured names are let in, whatever their port."""

from __future__ import annotations

import pytest

from toolway.admin.hosts import Hosts, is_loopback

HOSTS = Hosts(["admin.example.com"])


@pytest.mark.parametrize(
    "header",
    [
        "127.0.0.1:9180",
        "localhost",
        "LOCALHOST:9180",
        "[::1]:9180",
        "192.0.2.7",
        "admin.example.com:443",
        "admin.example.com.",
    ],
)
def test_own_names_are_let_in(header: str) -> None:
    assert HOSTS.allows(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "attacker.example",
        "127.0.0.1.attacker.example",
        "localhost:9180:1",
        "localhost@attacker.example",
        "[::1",
        "[::1]x",
        "[localhost]",
    ],
)
def test_other_names_are_not(header: str) -> None:
    assert not HOSTS.allows(header)


def test_loopback_addresses_are_known() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost", "[::1]")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.1", "gateway.example")))
