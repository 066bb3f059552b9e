"""What wrk and h2load print, as numbers."""

from __future__ import annotations

import pytest
from benches.load.generators import parse_h2load, parse_wrk
from benches.load.processes import ServerError

WRK = """\
Running 2s test @ http://127.0.0.1:18080/bench
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.68ms    1.32ms  16.32ms   79.11%
    Req/Sec    14.02k     1.08k   15.60k    70.00%
  Latency Distribution
     50%  731.00us
     75%    4.20ms
     90%    5.13ms
     99%    1.05s
  27903 requests in 2.00s, 24.30MB read
"""
WRK_END = "Requests/sec:  13951.50\nTransfer/sec:     12.15MB\n"

H2LOAD = """\
finished in 1.00s, 1000.00 req/s, 69.40KB/s
requests: 1002 total, 1007 started, 1002 done, {succeeded} succeeded, {failed} failed, 0 errored, 0 timeout
status codes: {good} 2xx, 0 3xx, 2 4xx, 0 5xx
time for request:       41us      7.03ms       761us      1.49ms    84.80%
"""
H2LOAD_LOG = "".join(f"17953289682648{number:03}\t200\t{number * 1000}\n" for number in range(1, 102))


def test_wrk_times_are_milliseconds_whatever_their_unit() -> None:
    load = parse_wrk(WRK + WRK_END)
    assert (load.p50_milliseconds, load.p99_milliseconds) == (0.731, 1050.0)
    assert (load.requests, load.requests_per_second, load.errors) == (27903, 13951.5, 0)


@pytest.mark.parametrize(
    ("line", "errors"),
    [
        ("  Non-2xx or 3xx responses: 12\n", 12),
        ("  Socket errors: connect 1, read 2, write 4, timeout 8\n", 15),
        ("Wrong answers: 3\n", 3),
        ("Wrong answers: 0\n", 0),
    ],
)
def test_each_kind_of_error_that_wrk_tells_counts(line: str, errors: int) -> None:
    assert parse_wrk(WRK + line + WRK_END).errors == errors


def test_percentiles_of_h2load_come_from_its_log() -> None:
    load = parse_h2load(
        H2LOAD.format(succeeded=1000, failed=0, good=1000).replace("2 4xx", "0 4xx"), H2LOAD_LOG
    )
    assert (load.p50_milliseconds, load.p99_milliseconds) == (51.0, 100.0)
    assert (load.requests, load.requests_per_second, load.errors) == (1000, 1000.0, 0)


def test_a_failed_request_and_its_status_are_one_error() -> None:
    assert parse_h2load(H2LOAD.format(succeeded=1000, failed=2, good=1000), H2LOAD_LOG).errors == 2


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_output_that_tells_no_figures_is_an_error(output: str) -> None:
    with pytest.raises(ServerError, match="something unknown"):
        parse_wrk(output)
    with pytest.raises(ServerError, match="something unknown"):
        parse_h2load(output, "")
