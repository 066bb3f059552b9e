"""Medians, ratios, void figures and budgets."""

from __future__ import annotations

from benches.load.figures import Measurement, Memory, check, median, results
from benches.load.rows import YARDSTICK, Ask, Limit, Row, checks

ROW = Row(
    "work",
    "some work",
    "work",
    reference=("toolway, one", "plain", Ask()),
    limits=(Limit(1.2, YARDSTICK), Limit(1.05, "toolway, one")),
    more_megabytes=100,
)


def measurement(cpu: float, *, requests: int = 1000, errors: int = 0) -> Measurement:
    return Measurement(cpu, 1e6 / cpu, cpu / 10, cpu / 5, requests, errors)


def test_the_median_is_taken_figure_by_figure_and_errors_are_added() -> None:
    rounds = [
        Measurement(10.0, 300.0, 1.0, 9.0, 100, 0),
        Measurement(30.0, 100.0, 2.0, 7.0, 100, 1),
        Measurement(20.0, 200.0, 3.0, 8.0, 100, 2),
    ]
    assert median(rounds) == Measurement(20.0, 200.0, 2.0, 8.0, 300, 3)


def test_ratios_are_to_the_yardstick_of_the_same_row() -> None:
    found = results("work", 64, {YARDSTICK: [measurement(20.0)], "toolway": [measurement(30.0)]}, YARDSTICK)
    assert {one.server: one.ratio for one in found} == {YARDSTICK: 1.0, "toolway": 1.5}


def test_one_error_voids_a_server_and_leaves_it_without_a_ratio() -> None:
    rounds = [measurement(30.0), measurement(30.0, errors=1)]
    found = results("work", 64, {YARDSTICK: [measurement(20.0)], "toolway": rounds}, YARDSTICK)
    assert [(one.void, one.ratio) for one in found] == [(None, 1.0), ("1 errors", None)]


def test_an_error_of_the_yardstick_leaves_nobody_a_ratio() -> None:
    measured = {YARDSTICK: [measurement(20.0, errors=4)], "toolway": [measurement(30.0)]}
    assert [one.ratio for one in results("work", 64, measured, YARDSTICK)] == [None, None]


def test_fewer_than_two_answers_for_each_connection_are_too_few() -> None:
    found = results("work", 64, {YARDSTICK: [measurement(20.0, requests=127)]}, YARDSTICK)
    assert found[0].void == "only 127 answers"


def test_a_server_that_was_not_measured_has_no_line() -> None:
    assert [
        one.server for one in results("work", 512, {YARDSTICK: [measurement(20.0)], "slow": []}, YARDSTICK)
    ] == [YARDSTICK]


def test_a_budget_holds_up_to_its_limit() -> None:
    assert check("work", "time", 50.0, 50, "ms").verdict == "ok"
    assert check("work", "time", 50.1, 50, "ms").verdict == "OVER"


def test_budgets_compare_at_64_connections_only() -> None:
    found = []
    for connections, cpu in ((8, 99.0), (64, 23.0), (512, 99.0)):
        measured = {
            YARDSTICK: [measurement(20.0, requests=2000)],
            "toolway": [measurement(cpu, requests=2000)],
        }
        found += results("work", connections, measured, YARDSTICK)
    told = checks(ROW, found, [])
    assert [(one.measured, one.verdict) for one in told] == [(1.15, "ok")]


def test_budgets_against_a_reference_tell_time_and_memory() -> None:
    measured = {"toolway": [measurement(22.0)], "toolway, one": [measurement(20.0)]}
    memory = [Memory("work", "toolway", 250_000_000, 0), Memory("work", "toolway, one", 70_000_000, 0)]
    told = checks(ROW, results("work", 64, measured, YARDSTICK), memory)
    assert [(one.measured, one.unit, one.verdict) for one in told] == [
        (1.1, "x", "OVER"),
        (180.0, "MB", "OVER"),
    ]


def test_a_void_figure_meets_no_budget() -> None:
    measured = {YARDSTICK: [measurement(20.0)], "toolway": [measurement(1.0, errors=1)]}
    assert checks(ROW, results("work", 64, measured, YARDSTICK), []) == []
