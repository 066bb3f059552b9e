"""Figures of the run: what one load gave, the median of several, how it stands to others and to the budgets.

Pure: nothing is started or printed here.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["ok", "OVER"]

BUDGET_CONNECTIONS = 64
"""Where the budgets hold."""
FEWEST_ANSWERS = 2
"""For each connection; with fewer the figures tell more of the start and the end than of the load."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One server under one load once."""

    cpu_microseconds: float
    """For each request, of the server process and its children."""
    requests_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    requests: int
    errors: int


def median(measurements: list[Measurement]) -> Measurement:
    """The middle of several, figure by figure; requests and errors are added up."""

    def middle(figure: str) -> float:
        return float(statistics.median(getattr(one, figure) for one in measurements))

    return Measurement(
        middle("cpu_microseconds"),
        middle("requests_per_second"),
        middle("p50_milliseconds"),
        middle("p99_milliseconds"),
        sum(one.requests for one in measurements),
        sum(one.errors for one in measurements),
    )


@dataclass(frozen=True, slots=True)
class Result:
    """What a table's line says: one server in one row at one number of connections."""

    row: str
    server: str
    connections: int
    rounds: int
    figures: Measurement
    void: str | None = None
    """Why the figures do not count; none: they do."""
    ratio: float | None = None
    """CPU time to that of nginx's bare proxy in the same row at the same connections."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a server and its children."""

    row: str
    server: str
    idle_bytes: int
    """Once it served, before the load."""
    peak_bytes: int
    """The most from its start to the end of the load."""


@dataclass(frozen=True, slots=True)
class Single:
    """A figure that no load belongs to."""

    row: str
    server: str
    what: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Check:
    """A budget of the design and whether it holds."""

    row: str
    what: str
    at_most: float
    unit: str
    measured: float
    verdict: Verdict


@dataclass(slots=True)
class Report:
    """Everything that a run found."""

    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    singles: list[Single] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    not_measured: dict[str, str] = field(default_factory=dict)
    """The reason by row, or by row and server."""


def results(
    row: str, connections: int, measured: dict[str, list[Measurement]], yardstick: str
) -> list[Result]:
    """The medians of a row's servers at one number of connections, each beside `yardstick`."""
    middles = {server: median(rounds) for server, rounds in measured.items() if rounds}
    voids = {server: void(figures, connections, len(measured[server])) for server, figures in middles.items()}
    base = middles[yardstick].cpu_microseconds if yardstick in middles and not voids[yardstick] else None
    return [
        Result(
            row,
            server,
            connections,
            len(measured[server]),
            figures,
            voids[server],
            figures.cpu_microseconds / base if base and not voids[server] else None,
        )
        for server, figures in middles.items()
    ]


def void(figures: Measurement, connections: int, rounds: int) -> str | None:
    """Why figures do not count."""
    if figures.errors:
        return f"{figures.errors} errors"
    if figures.requests < FEWEST_ANSWERS * connections * rounds:
        return f"only {figures.requests} answers"
    return None


def check(row: str, what: str, measured: float, at_most: float, unit: str) -> Check:
    """A budget beside what was measured."""
    return Check(row, what, at_most, unit, measured, "ok" if measured <= at_most else "OVER")


def cpu_at_budget(found: list[Result], row: str, server: str) -> float | None:
    """CPU time per request at the connections of the budgets; none where there is none that counts."""
    for result in found:
        if (result.row, result.server, result.connections) == (row, server, BUDGET_CONNECTIONS):
            return None if result.void else result.figures.cpu_microseconds
    return None


def idle_bytes(found: list[Memory], row: str, server: str) -> int | None:
    """Memory before the load; none where it was not measured."""
    return next((one.idle_bytes for one in found if (one.row, one.server) == (row, server)), None)
