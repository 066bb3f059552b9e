"""The command line of the benchmark, `python -m benches.load`: chooses rows, runs them, writes results."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benches.load import table
from benches.load.applying import run_apply
from benches.load.chart import chart
from benches.load.figures import BUDGET_CONNECTIONS, Report
from benches.load.installing import ENVIRONMENT, install
from benches.load.machine import describe
from benches.load.processes import Server, ServerError
from benches.load.rows import APPLY, IDLE, IMPORT, TOOLWAY, Row, rows
from benches.load.run import Options, run_row
from benches.load.servers import PEERS, make_certificate, start_upstream, version
from benches.load.single import run_idle, run_import

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

RESULTS = Path(__file__).parents[1] / "results"
CONNECTIONS = (1, 8, BUDGET_CONNECTIONS, 512)
ENDING = (signal.SIGINT, signal.SIGTERM)
LONGEST_SECONDS = 21 * 60
"""No row begins later than this, so that a run on a slow machine ends as well."""


def main() -> int:
    """Runs what was asked for: 0; 1 where figures are void or something could not be run; 130 interrupted."""
    all_rows = {row.name: row for row in rows()}
    names = [*all_rows, APPLY, IMPORT, IDLE]
    arguments = option_parser(names).parse_args()
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    seconds = arguments.seconds or (1 if arguments.quick else 2)
    connections = (BUDGET_CONNECTIONS,) if arguments.quick else CONNECTIONS
    options = Options(rounds, seconds, connections, arguments.peers)
    for number in ENDING:
        signal.signal(number, _interrupt)
    try:
        report = _run(arguments.only, options)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    print(table.ending(report))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "load.json").write_text(json.dumps(asdict(report), indent=2) + "\n")
    (RESULTS / "load.svg").write_text(chart(report, {row.name: row.work for row in all_rows.values()}))
    print(f"\nwritten: {RESULTS / 'load.json'}, {RESULTS / 'load.svg'}")
    failed = [reason for reason in report.not_measured.values() if not reason.startswith("not served yet")]
    return 1 if failed or any(result.void for result in report.results) else 0


def option_parser(names: list[str]) -> argparse.ArgumentParser:
    """The options; `names` are the rows to choose from."""
    parser = argparse.ArgumentParser(
        prog="make bench", description="Compares Toolway with its peers; see docs/benchmark.md."
    )
    parser.add_argument("--quick", action="store_true", help="one short round at 64 connections")
    parser.add_argument(
        "--only",
        type=_chosen(names),
        default=frozenset(names),
        metavar="ROW,...",
        help=f"of {', '.join(names)}",
    )
    parser.add_argument(
        "--peers",
        type=_chosen(list(PEERS)),
        default=frozenset(PEERS),
        metavar="PEER,...",
        help=f"of {', '.join(PEERS)}",
    )
    parser.add_argument(
        "--seconds", type=_positive, help="of a load at 64 connections; else half as long (2)"
    )
    parser.add_argument("--rounds", type=_positive, help="of which the median is taken (3)")
    return parser


def _chosen(known: list[str]) -> Callable[[str], frozenset[str]]:
    def chosen(text: str) -> frozenset[str]:
        names = frozenset(text.split(","))
        if unknown := sorted(names - set(known)):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
        return names

    return chosen


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("a whole number from 1")
    return number


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # Once: what was started is being ended from here on, and a second one must not keep it from that.
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(chosen: frozenset[str], options: Options) -> Report:
    began = time.monotonic()
    install({"nginx", "wrk", "taskset", "h2load"}.union(*(PEERS[name].programs for name in options.peers)))
    if not ENVIRONMENT.is_dir() and options.peers & {"envoy", "caddy", "fastmcp"}:
        raise ServerError(f"{ENVIRONMENT.parent} is missing: run make bench, or choose other --peers")
    measured_peers = options.peers | {"nginx"}
    report = Report(
        describe(), {name: version(PEERS[name].version()) for name in PEERS if name in measured_peers}
    )
    with tempfile.TemporaryDirectory(prefix="toolway-bench-") as name:
        folder = Path(name)
        # nginx's workers are another user, and read the 100 kB from there.
        folder.chmod(0o755)
        make_certificate(folder)
        upstream = start_upstream(folder)
        try:
            for row, work in _plan(chosen, options, folder, upstream, report):
                if time.monotonic() - began > LONGEST_SECONDS:
                    report.not_measured[row] = "the time was over"
                else:
                    work()
        finally:
            upstream.stop()
    return report


def _plan(
    chosen: frozenset[str], options: Options, folder: Path, upstream: Server, report: Report
) -> Iterator[tuple[str, Callable[[], None]]]:
    """The chosen rows, those with budgets first, each with what measures it into `report`."""
    loads = [row for row in rows() if row.name in chosen]
    for row in loads:
        if row.limits:
            yield row.name, partial(_run_and_tell, row, options, folder, upstream, report)
    alone = TOOLWAY in options.peers
    if APPLY in chosen:
        yield APPLY, partial(run_apply, options.rounds, options.peers, folder, upstream, report)
    if IMPORT in chosen and alone:
        yield IMPORT, partial(run_import, options.rounds, folder, report)
    if IDLE in chosen and alone:
        yield IDLE, partial(run_idle, folder, report)
    for row in loads:
        if not row.limits:
            yield row.name, partial(_run_and_tell, row, options, folder, upstream, report)


def _run_and_tell(row: Row, options: Options, folder: Path, upstream: Server, report: Report) -> None:
    run_row(row, options, folder, upstream, report)
    results = [result for result in report.results if result.row == row.name]
    memory = [held for held in report.memory if held.row == row.name]
    print(table.row_table(f"{row.name}: {row.work}", results, memory), flush=True)


if __name__ == "__main__":
    sys.exit(main())
