"""The load: wrk for HTTP/1.1, h2load for HTTP/2, and what they print.

An answer other than 2xx, an answer that is not the expected one, and a broken connection are errors.
"""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.load.installing import program
from benches.load.processes import ServerError, run_on_core

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STREAMS = 8
"""Concurrent streams of one HTTP/2 connection."""
TIMEOUT_SECONDS = 30

SCRIPT = """\
-- Posts the file that the first argument names. With a second one, an answer without it is a wrong one.
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(arguments)
  wrong = 0
  local file = io.open(arguments[1], "rb")
  wrk.method, wrk.body = "POST", file:read("*a")
  file:close()
  expected = arguments[2]
  if not expected then response = nil end
end
function response(status, headers, body)
  if not body:find(expected, 1, true) then wrong = wrong + 1 end
end
function done()
  local sum = 0
  for _, thread in ipairs(threads) do sum = sum + thread:get("wrong") end
  print("Wrong answers: " .. sum)
end
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked again and again."""

    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    """Posted where there is one."""
    expected: str | None = None
    """Text that every answer must have; looked at only where a body is posted."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a load generator saw."""

    requests: int
    requests_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    errors: int


def wrk(request: Request, connections: int, seconds: int, core: int, folder: Path) -> Load:
    """Loads by HTTP/1.1, each connection asking again once it was answered. Raises ServerError."""
    command = [
        program("wrk"),
        "--latency",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        f"--timeout={TIMEOUT_SECONDS}s",
    ]
    for name, value in request.headers.items():
        command += ["-H", f"{name}: {value}"]
    if request.body is None:
        command.append(request.url)
    else:
        script, body = folder / "post.lua", folder / "post.body"
        script.write_text(SCRIPT)
        body.write_bytes(request.body)
        command += ["-s", str(script), request.url, "--", str(body)]
        command += [request.expected] if request.expected else []
    return parse_wrk(run_on_core(core, command, timeout=seconds + 2 * TIMEOUT_SECONDS))


def h2load(request: Request, concurrent: int, seconds: int, core: int, folder: Path) -> Load:
    """Loads by HTTP/2 with `concurrent` requests under way, up to 8 on a connection. Raises ServerError."""
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    streams = min(STREAMS, concurrent)
    command = [
        program("h2load"),
        f"-c{concurrent // streams}",
        f"-m{streams}",
        f"-D{seconds}",
        f"--log-file={log}",
    ]
    for name, value in request.headers.items():
        command += ["-H", f"{name}: {value}"]
    output = run_on_core(core, [*command, request.url], timeout=seconds + 2 * TIMEOUT_SECONDS)
    return parse_h2load(output, log.read_text())


def parse_wrk(output: str) -> Load:
    """Reads what wrk prints. Raises ServerError for what it does not."""
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    wrong = re.search(r"Wrong answers: (\d+)", output)
    errors = sum(int(count) for match in (refused, sockets, wrong) if match for count in match.groups())
    return Load(
        int(_found(r"(\d+) requests in", output)),
        float(_found(r"Requests/sec:\s+([\d.]+)", output)),
        milliseconds(_found(r"\b50%\s+([\d.]+\w+)", output)),
        milliseconds(_found(r"\b99%\s+([\d.]+\w+)", output)),
        errors,
    )


def parse_h2load(output: str, log: str) -> Load:
    """Reads what h2load prints, and its log: start, status and microseconds of each request, by tabs.

    Requests that were under way at the end are neither done nor errors.
    """
    numbers = _match(
        r"requests: .* done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout",
        output,
    )
    succeeded, failed, _errored, timeout = (int(number) for number in numbers.groups())
    statuses = _match(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    wrong = sum(int(count) for count in statuses.groups()[1:])
    times = sorted(int(line.split("\t")[2]) / 1e3 for line in log.splitlines())
    if len(times) < 2:
        raise ServerError(f"h2load logged no requests:\n{output}")
    quantiles = statistics.quantiles(times, n=100, method="inclusive")
    rate = float(_found(r"finished in [\d.]+\w+, ([\d.]+) req/s", output))
    return Load(succeeded, rate, quantiles[49], quantiles[98], max(failed, wrong, timeout))


def milliseconds(text: str) -> float:
    """A time as wrk prints it: `731.00us`, `1.20ms`, `1.05s`, `2.00m`."""
    for unit, factor in (("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    return float(text)


def _match(pattern: str, output: str) -> re.Match[str]:
    match = re.search(pattern, output)
    if match is None:
        raise ServerError(f"the load generator printed something unknown:\n{output}")
    return match


def _found(pattern: str, output: str) -> str:
    return _match(pattern, output)[1]
