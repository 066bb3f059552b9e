"""docs/benchmark.md tells the rows, servers and options that the benchmark has."""

from __future__ import annotations

from benches.load.__main__ import CONNECTIONS, option_parser
from benches.load.rows import APPLY, IDLE, IMPORT, TOOLWAY, rows
from benches.load.servers import PEERS

from .pages import DOCS, section, table
from .pages import rows as table_rows

PAGE = DOCS / "benchmark.md"
PROXIES = {"nginx", "haproxy", "envoy", "caddy", "toolway"}


def test_every_row_is_told_with_the_servers_that_take_part() -> None:
    told = {}
    for name, row in table(PAGE, "Rows").items():
        servers = row.cells[2].lower()
        told[name] = PROXIES if servers == "all proxies" else set(servers.split(", "))
    configurations = {row.name: row.configuration for row in rows()} | {APPLY: "apply"}
    expected = {
        name: {peer.name for peer in PEERS.values() if peer.can(configuration)}
        for name, configuration in configurations.items()
    }
    assert told == expected | {IMPORT: {TOOLWAY}, IDLE: {TOOLWAY}}


def test_every_server_is_told() -> None:
    told = [row.cells[0].lower() for row in table_rows(section(PAGE, "How each server is configured"))]
    assert told == list(PEERS)


def test_every_option_is_told() -> None:
    told = set(table(PAGE, "The benchmark"))
    actions = option_parser([])._actions
    assert told == {name for action in actions for name in action.option_strings} - {"-h", "--help"}


def test_the_connections_are_told() -> None:
    others = [str(number) for number in CONNECTIONS if number != 64]
    assert (
        f"at {', '.join(others[:-1])} and {others[-1]}" in table(PAGE, "The benchmark")["--seconds"].cells[2]
    )
