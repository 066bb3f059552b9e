"""The report as text and as a picture."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from benches.load.chart import chart
from benches.load.figures import Measurement, Memory, Report, Single, check, results
from benches.load.rows import YARDSTICK
from benches.load.table import ending, row_table

SVG = "{http://www.w3.org/2000/svg}"


def measurement(cpu: float, errors: int = 0) -> Measurement:
    return Measurement(cpu, 12345.6, 1.234, 5.678, 100_000, errors)


@pytest.fixture
def report() -> Report:
    measured = {
        YARDSTICK: [measurement(20.0)],
        "caddy": [measurement(120.0)],
        "envoy": [measurement(60.0, errors=3)],
        "toolway": [measurement(23.0)],
    }
    return Report(
        machine={"processor": "Made & Sold <Fast>", "cores": "2", "kernel": "6.1"},
        versions={"nginx": "1.22.1", "toolway": "0.1.0"},
        results=results("plain", 64, measured, YARDSTICK) + results("plain", 512, measured, YARDSTICK),
        memory=[Memory("plain", "toolway", 67_000_000, 73_000_000)],
        singles=[Single("import", "toolway", "1,000 operations", 0.85, "s")],
        checks=[
            check("plain", "CPU time to that of nginx bare", 1.15, 1.2, "x"),
            check("apply", "failed", 7, 0, ""),
        ],
        not_measured={"jwt: toolway": "it answered 401"},
    )


def test_a_row_is_told_in_columns(report: Report) -> None:
    assert row_table("plain: a plain route", report.results, report.memory).splitlines() == [
        "",
        "plain: a plain route",
        "  server      conns  CPU us/req  ratio   req/s  p50 ms    p99 ms  idle MB  peak MB",
        "  nginx bare     64       20.00   1.00  12,346    1.23      5.68",
        "                512       20.00   1.00  12,346    1.23      5.68",
        "  caddy          64      120.00   6.00  12,346    1.23      5.68",
        "                512      120.00   6.00  12,346    1.23      5.68",
        "  envoy          64        void                         3 errors",
        "                512        void                         3 errors",
        "  toolway        64       23.00   1.15  12,346    1.23      5.68       67       73",
        "                512       23.00   1.15  12,346    1.23      5.68",
    ]


def test_the_ending_tells_budgets_and_what_is_missing(report: Report) -> None:
    lines = ending(report).splitlines()
    assert [line.split()[-1] for line in lines if line.startswith(("  plain", "  apply"))] == ["ok", "OVER"]
    assert "  jwt: toolway: it answered 401" in lines
    assert lines[-1] == "versions: nginx 1.22.1, toolway 0.1.0"


def test_an_empty_report_is_told_without_tables() -> None:
    assert ending(Report()).split() == ["machine:", "versions:"]


def test_the_picture_is_well_formed_and_names_what_counts(report: Report) -> None:
    root = ElementTree.fromstring(chart(report, {"plain": "a plain route"}))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "plain: a plain route" in texts
    assert "Made & Sold <Fast>, 2 cores, Linux 6.1" in texts
    assert texts.count("toolway") == 1, "the bars are those at 64 connections"
    assert "envoy" not in texts, "void figures have no bar"


def test_bars_end_with_the_scale_and_their_numbers_do_not(report: Report) -> None:
    root = ElementTree.fromstring(chart(report, {}))
    bars = [element for element in root.iter(f"{SVG}rect") if "bar" in element.get("class", "")]
    widths = [float(bar.get("width", "")) for bar in bars]
    assert widths == [105.0, 420.0, 120.8]
    assert len(list(root.iter(f"{SVG}path"))) == 1
    assert "6.00" in [element.text for element in root.iter(f"{SVG}text")]


def test_everything_lies_within_the_picture(report: Report) -> None:
    root = ElementTree.fromstring(chart(report, {}))
    height = float(root.get("height", ""))
    assert all(0 < float(element.get("y", "")) < height for element in root.iter(f"{SVG}text"))
