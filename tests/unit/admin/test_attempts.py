"""Failed attempts: each makes the next answer later, within bounds, and only for where it came from."""

from __future__ import annotations

from toolway.admin.attempts import FIRST_SECONDS, FREE, LONGEST_SECONDS, WAITING_MOST, Attempts


def test_answers_to_wrong_keys_come_later_and_later() -> None:
    attempts = Attempts()
    waits = []
    for number in range(20):
        waits.append(attempts.failed("192.0.2.1", float(number)))
        attempts.answered("192.0.2.1")
    assert waits[:FREE] == [0.0] * FREE
    assert waits[FREE : FREE + 3] == [FIRST_SECONDS, FIRST_SECONDS * 2, FIRST_SECONDS * 4]
    assert waits[-1] == LONGEST_SECONDS


def test_a_right_key_and_time_make_them_forgotten() -> None:
    attempts = Attempts()
    for _ in range(FREE):
        attempts.failed("192.0.2.1", 0.0)
    attempts.succeeded("192.0.2.1")
    assert attempts.failed("192.0.2.1", 1.0) == 0
    for _ in range(FREE):
        attempts.failed("192.0.2.1", 1.0)
    assert attempts.failed("192.0.2.1", 1000.0) == 0


def test_who_has_too_many_waiting_is_turned_away_until_they_are_answered() -> None:
    attempts = Attempts()
    for _ in range(WAITING_MOST):
        assert not attempts.is_turned_away("2001:db8::1")
        attempts.failed("2001:db8::1", 0.0)
    assert attempts.is_turned_away("2001:db8::1")
    assert attempts.is_turned_away("2001:db8::ffff")
    assert not attempts.is_turned_away("2001:db8:0:1::1")
    attempts.answered("2001:db8::2")
    assert not attempts.is_turned_away("2001:db8::1")


def test_addresses_do_not_pile_up() -> None:
    attempts = Attempts()
    for number in range(30_000):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        attempts.failed(address, 0.0)
        attempts.answered(address)
    assert len(attempts._records) <= 10_000
