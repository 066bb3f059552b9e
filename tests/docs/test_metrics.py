"""Every metric with its labels, and every field of an access log line, stands in docs/metrics.md."""

from __future__ import annotations

import re

from .pages import DOCS, ROOT, table

PAGE = DOCS / "metrics.md"
OBSERVE = ROOT / "crates" / "engine" / "src" / "observe"
LABELS = {
    "apisix_http_status": "StatusLabels",
    "apisix_http_latency": "LatencyLabels",
    "apisix_bandwidth": "LatencyLabels",
    "apisix_http_requests": None,
    "apisix_nginx_http_current_connections": "StateLabels",
    "toolway_worker_connections": "WorkerLabels",
    "toolway_connections_refused": None,
    "toolway_tls_handshake_errors": "HandshakeLabels",
    "apisix_node_info": "NodeLabels",
    "apisix_upstream_status": "UpstreamLabels",
    "toolway_address_list_read_time_seconds": "AddressListLabels",
    "toolway_errors": "ErrorLabels",
    "toolway_tool_calls": "ToolLabels",
    "toolway_invalid_requests": "InvalidLabels",
    "toolway_access_log_dropped": None,
}
"""The type of each metric's labels in the engine."""
COUNTERS = {
    "apisix_http_requests",
    "toolway_connections_refused",
    "toolway_tls_handshake_errors",
    "toolway_errors",
    "toolway_tool_calls",
    "toolway_invalid_requests",
    "toolway_access_log_dropped",
}
"""Metrics whose names get the ending that OpenMetrics demands of counters."""

SOURCES = "\n".join(path.read_text() for path in sorted(OBSERVE.rglob("*.rs")) if path.stem != "tests")


def members(name: str) -> list[str]:
    """The fields of a Rust struct."""
    found = re.search(rf"struct {name}(?:<'a>)? \{{(.*?)\n\}}", SOURCES, re.DOTALL)
    assert found is not None, name
    return [member.removeprefix("r#") for member in re.findall(r"^    (?:pub )?([\w#]+):", found[1], re.M)]


def test_every_metric_is_listed_with_its_labels() -> None:
    registered = set(re.findall(r'register\(\s*"(\w+)"', SOURCES))
    assert registered == set(LABELS)
    expected = {
        f"{name}_total" if name in COUNTERS else name: members(labels) if labels else []
        for name, labels in LABELS.items()
    }
    listed = {key: re.findall(r"`(\w+)`", row.cells[1]) for key, row in table(PAGE, "Metrics").items()}
    assert listed == expected


def test_every_field_of_the_access_log_is_listed_in_order() -> None:
    assert list(table(PAGE, "The access log")) == members("Line")
