"""`make bench`: CPU time per request of Toolway beside nginx's bare proxy.

Each server runs alone under load, pinned to the first core; the load generator (wrk) and the upstream
share the second. Rounds are rotated, and the median of at least three is told. Figures stand on the terminal
and, as JSON with the machine described, in `benches/results/`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import servers
from processes import Server, require

SERVER_CORE, LOAD_CORE = 0, 1
RESULTS = Path(__file__).parent.parent / "results"
BUDGETS = {"toolway": 1.2, "toolway-plugins": 1.4}
"""The largest ratio to nginx's bare proxy at 64 connections that a row may have."""


@dataclass(frozen=True)
class Measurement:
    """One server under one load."""

    server: str
    connections: int
    cpu_microseconds: float
    requests_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    errors: int


def measure(server: Server, connections: int, seconds: float) -> Measurement:
    """Loads `server` for `seconds`. An answer other than 2xx, or a socket error, counts as an error."""
    before = server.cpu_seconds()
    command = [
        "taskset",
        "-c",
        str(LOAD_CORE),
        "wrk",
        "--latency",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:g}s",
    ]
    command += ["-H", f"apikey: {servers.API_KEY}", f"http://127.0.0.1:{server.port}/bench"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = server.cpu_seconds() - before
    requests = int(_found(r"(\d+) requests in", output))
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    errors = int(refused[1]) if refused else 0
    errors += sum(int(count) for count in sockets.groups()) if sockets else 0
    return Measurement(
        server.name,
        connections,
        used / max(requests, 1) * 1e6,
        float(_found(r"Requests/sec:\s+([\d.]+)", output)),
        _milliseconds(_found(r"50%\s+([\d.]+\w+)", output)),
        _milliseconds(_found(r"99%\s+([\d.]+\w+)", output)),
        errors,
    )


def _found(pattern: str, output: str) -> str:
    match = re.search(pattern, output)
    if match is None:
        sys.exit(f"wrk printed something unknown:\n{output}")
    return match[1]


def _milliseconds(text: str) -> float:
    for unit, factor in (("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    return float(text)


def median(measurements: list[Measurement]) -> Measurement:
    """The middle of several, figure by figure; errors are added up."""
    first = measurements[0]

    def middle(figure: str) -> float:
        return statistics.median(getattr(one, figure) for one in measurements)

    figures = ("cpu_microseconds", "requests_per_second", "p50_milliseconds", "p99_milliseconds")
    errors = sum(one.errors for one in measurements)
    return Measurement(first.server, first.connections, *(middle(figure) for figure in figures), errors)


def table(rows: list[Measurement]) -> str:
    """The figures as text, each beside nginx at the same number of connections."""
    titles = ("server", "conns", "CPU us/req", "ratio", "req/s", "p50 ms", "p99 ms")
    widths = (-16, 5, 10, 6, 8, 7, 7)
    lines = [" ".join(t.ljust(-w) if w < 0 else t.rjust(w) for t, w in zip(titles, widths, strict=True))]
    yardstick = {row.connections: row.cpu_microseconds for row in rows if row.server == "nginx"}
    for row in rows:
        ratio = row.cpu_microseconds / yardstick[row.connections]
        over = row.connections == 64 and ratio > BUDGETS.get(row.server, float("inf"))
        remark = f"  void: {row.errors} errors" if row.errors else "  over budget" if over else ""
        lines.append(
            f"{row.server:<16} {row.connections:>5} {row.cpu_microseconds:>10.2f} {ratio:>6.2f} "
            f"{row.requests_per_second:>8.0f} {row.p50_milliseconds:>7.2f} {row.p99_milliseconds:>7.2f}"
            f"{remark}"
        )
    return "\n".join(lines)


def main() -> int:
    """Runs everything. 1 where a row had errors."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--seconds", type=float, default=5, help="of load for each measurement (5)")
    parser.add_argument("--rounds", type=int, default=3, help="for each row (3)")
    parser.add_argument("--connections", default="1,8,64,512", help="numbers of connections (1,8,64,512)")
    options = parser.parse_args()
    require("nginx", "wrk", "taskset")
    found: dict[tuple[int, str], list[Measurement]] = {}
    with tempfile.TemporaryDirectory(prefix="toolway-bench-") as name:
        folder = Path(name)
        running = [servers.upstream(folder, LOAD_CORE)]
        try:
            port = running[0].port
            running.append(servers.nginx(folder, SERVER_CORE, port))
            running.append(servers.toolway(folder, SERVER_CORE, port, plugins=False))
            running.append(servers.toolway(folder, SERVER_CORE, port, plugins=True))
            subjects = running[1:]
            for connections in map(int, options.connections.split(",")):
                for turn in range(options.rounds):
                    for server in subjects[turn % len(subjects) :] + subjects[: turn % len(subjects)]:
                        print(
                            f"... {server.name}, {connections} connections, round {turn + 1}", file=sys.stderr
                        )
                        measured = measure(server, connections, options.seconds)
                        found.setdefault((connections, server.name), []).append(measured)
            memory = {server.name: server.peak_memory() for server in subjects}
        finally:
            for server in running:
                server.stop()
    rows = [median(measurements) for measurements in found.values()]
    rows.sort(key=lambda row: (row.connections, row.server))
    print(table(rows))
    for server, size in memory.items():
        print(f"peak memory of {server}: {size / 1e6:.0f} MB")
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "kernel": platform.release(), "machine": platform.machine()}
    record = {"machine": machine, "rows": [asdict(row) for row in rows], "peak_memory": memory}
    (RESULTS / "load.json").write_text(json.dumps(record, indent=2) + "\n")
    return 1 if any(row.errors for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
