"""Tells results as text for the terminal: a block for each row, the budgets, and what was not measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benches.load.figures import Check, Memory, Report, Result, Single

_TITLES = ("server", "conns", "CPU us/req", "ratio", "req/s", "p50 ms", "p99 ms", "idle MB", "peak MB")


def columns(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Text in columns: the first to the left, others to the right."""
    widths = [max(len(line[at]) for line in [titles, *lines]) for at in range(len(titles))]
    return [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [titles, *lines]
    ]


def row_table(title: str, results: Sequence[Result], memory: Sequence[Memory]) -> str:
    """One row's servers at each number of connections. Memory stands on a server's first line."""
    held = {one.server: one for one in memory}
    order = list(dict.fromkeys(result.server for result in results))
    lines: list[list[str]] = []
    for server in order:
        own = [result for result in results if result.server == server]
        for at, result in enumerate(own):
            line = [server if at == 0 else "", str(result.connections), *_figures(result)]
            kept = held.get(server) if at == 0 else None
            line += [_megabytes(kept.idle_bytes), _megabytes(kept.peak_bytes)] if kept else ["", ""]
            lines.append(line)
    return "\n".join([f"\n{title}", *(f"  {line}" for line in columns(_TITLES, lines))])


def _figures(result: Result) -> list[str]:
    if result.void:
        return ["void", "", "", "", result.void]
    figures = result.figures
    return [
        f"{figures.cpu_microseconds:,.2f}",
        f"{result.ratio:.2f}" if result.ratio is not None else "",
        f"{figures.requests_per_second:,.0f}",
        f"{figures.p50_milliseconds:.2f}",
        f"{figures.p99_milliseconds:.2f}",
    ]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f}"


def singles_table(singles: Sequence[Single]) -> str:
    """The figures that no load belongs to."""
    lines = [
        [single.row, single.server, single.what, _number(single.value, single.unit)] for single in singles
    ]
    return "\n".join(
        ["\nother figures", *(f"  {line}" for line in columns(("row", "server", "what", ""), lines))]
    )


def checks_table(checks: Sequence[Check]) -> str:
    """The budgets, each `ok` or `OVER`."""
    lines = [
        [one.row, one.what, _number(one.measured, one.unit), _number(one.at_most, one.unit), one.verdict]
        for one in checks
    ]
    titles = ("row", "budget of toolway, at 64 connections", "measured", "at most", "")
    return "\n".join(["\nbudgets", *(f"  {line}" for line in columns(titles, lines))])


def _number(value: float, unit: str) -> str:
    digits = 0 if value == int(value) else 3 if value < 0.1 else 2 if value < 100 else 0
    return f"{value:,.{digits}f} {unit}".rstrip()


def ending(report: Report) -> str:
    """What stands below the rows."""
    parts = []
    if report.singles:
        parts.append(singles_table(report.singles))
    if report.checks:
        parts.append(checks_table(report.checks))
    if report.not_measured:
        reasons = (f"  {name}: {reason}" for name, reason in report.not_measured.items())
        parts.append("\n".join(["\nnot measured", *reasons]))
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    versions = ", ".join(f"{name} {value}" for name, value in report.versions.items())
    parts.append(f"\nmachine: {machine}\nversions: {versions}")
    return "\n".join(parts)
