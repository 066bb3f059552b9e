"""Runs rows: starts their servers, loads each in turn, takes the medians.

Each server runs alone under load, though all of a row are up. The order is rotated from round to round, so
that what changes on the machine in between does not always meet the same one.
"""

from __future__ import annotations

import http.client
import ssl
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.load import generators
from benches.load.figures import BUDGET_CONNECTIONS, Measurement, Memory, Report, results
from benches.load.processes import Server, ServerError, used_microseconds
from benches.load.rows import TOOLWAY, YARDSTICK, Ask, Row, checks
from benches.load.servers import LOAD_CORE, PEERS, start

if TYPE_CHECKING:
    from pathlib import Path

CREDENTIALS = frozenset({"apikey", "authorization"})


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line chose."""

    rounds: int
    seconds: int
    """Of each load at the connections of the budgets; at others half as many."""
    connections: tuple[int, ...]
    peers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Subject:
    """A server of a row and what it is asked."""

    label: str
    server: Server
    ask: Ask
    patience: int
    most_connections: int


def note(text: str) -> None:
    """Tells on the terminal what goes on, apart from the figures."""
    print(f"... {text}", file=sys.stderr, flush=True)


def run_row(row: Row, options: Options, folder: Path, upstream: Server, report: Report) -> None:
    """Measures a row into `report`. Raises ServerError where a server cannot be measured at all."""
    note(f"{row.name}: {row.work}")
    own = folder / row.name
    own.mkdir()
    for name in ("server.pem", "server.key", "both.pem"):
        (own / name).write_bytes((folder / name).read_bytes())
    with ExitStack() as stack:
        subjects = _started(row, options, own, upstream, stack, report)
        idle = {subject.label: subject.server.resident_bytes() for subject in subjects}
        for subject in subjects:
            load(subject, min(max(options.connections), subject.most_connections), 1, own)
        for connections in options.connections:
            seconds = options.seconds if connections == BUDGET_CONNECTIONS else max(1, options.seconds // 2)
            measured: dict[str, list[Measurement]] = {subject.label: [] for subject in subjects}
            taking_part = [subject for subject in subjects if connections <= subject.most_connections]
            for turn in range(options.rounds):
                shift = turn % max(1, len(taking_part))
                for subject in taking_part[shift:] + taking_part[:shift]:
                    note(f"{row.name}: {subject.label}, {connections} connections, round {turn + 1}")
                    measured[subject.label].append(
                        measure(subject, connections, seconds * subject.patience, own)
                    )
            report.results += results(row.name, connections, measured, YARDSTICK)
        report.memory += [
            Memory(row.name, subject.label, idle[subject.label], subject.server.peak_bytes())
            for subject in subjects
        ]
    report.checks += checks(row, report.results, report.memory)


def _started(
    row: Row, options: Options, folder: Path, upstream: Server, stack: ExitStack, report: Report
) -> list[Subject]:
    """The servers of a row, each of which has answered rightly."""
    wanted = []
    if row.configuration != "plain":
        wanted.append((YARDSTICK, "nginx", "plain", row.bare))
    for peer in PEERS.values():
        if peer.name not in options.peers and not (row.configuration == "plain" and peer.name == "nginx"):
            continue
        if not peer.can(row.configuration):
            continue
        label = YARDSTICK if (row.configuration, peer.name) == ("plain", "nginx") else peer.name
        wanted.append((label, peer.name, row.configuration, row.ask))
    if row.reference and TOOLWAY in options.peers:
        label, configuration, ask = row.reference
        wanted.append((label, TOOLWAY, configuration, ask))
    subjects = []
    for label, name, configuration, ask in wanted:
        began = time.monotonic()
        try:
            server = start(PEERS[name], configuration, label, folder, upstream)
            stack.callback(server.stop)
            probe(server, ask)
        except ServerError as error:
            report.not_measured[f"{row.name}: {label}"] = str(error)
            continue
        note(f"{row.name}: {label} serves after {time.monotonic() - began:.1f} s")
        subjects.append(Subject(label, server, ask, PEERS[name].patience, PEERS[name].most_connections))
    return subjects


def probe(server: Server, ask: Ask) -> None:
    """Asks once, with and without credentials, and looks at the answers. Raises ServerError."""
    status, body = answer(server.port, ask)
    if status != 200 or ask.answer not in body:
        raise ServerError(f"it answered {status}: {body[:200]}\n{server.said()}".strip())
    bare = tuple((name, value) for name, value in ask.headers if name.lower() not in CREDENTIALS)
    if bare == ask.headers:
        return
    without = Ask(ask.path, bare, ask.body, ask.answer, ask.tls, ask.generator)
    status, body = answer(server.port, without)
    if status == 200 and ask.answer in body:
        raise ServerError("it served a request without credentials")


def answer(port: int, ask: Ask) -> tuple[int, str]:
    """Status and body of one answer by HTTP/1.1. Raises ServerError where there is none."""
    connection: http.client.HTTPConnection
    if ask.tls:
        # The certificate was made for this run by an authority that is thrown away.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST" if ask.body else "GET", ask.path, ask.body, dict(ask.headers))
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(f"it did not answer: {error}") from error
    finally:
        connection.close()


def request(port: int, ask: Ask) -> generators.Request:
    """What a load generator is told."""
    expected = ask.answer if ask.body and ask.path == "/mcp" else None
    url = f"{'https' if ask.tls else 'http'}://127.0.0.1:{port}{ask.path}"
    return generators.Request(url, dict(ask.headers), ask.body, expected)


def load(subject: Subject, connections: int, seconds: int, folder: Path) -> generators.Load:
    """Loads a server from the load's core."""
    generate = generators.wrk if subject.ask.generator == "wrk" else generators.h2load
    return generate(request(subject.server.port, subject.ask), connections, seconds, LOAD_CORE, folder)


def measure(subject: Subject, connections: int, seconds: int, folder: Path) -> Measurement:
    """One load and what the server spent on it."""
    before = subject.server.usage()
    seen = load(subject, connections, seconds, folder)
    used = used_microseconds(before, subject.server.usage())
    return Measurement(
        used / max(seen.requests, 1),
        seen.requests_per_second,
        seen.p50_milliseconds,
        seen.p99_milliseconds,
        seen.requests,
        seen.errors,
    )
