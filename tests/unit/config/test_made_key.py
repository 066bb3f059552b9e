"""Keys that Toolway makes, which it and scanners can tell from other text."""

from __future__ import annotations

import re

from toolway.config.made_key import made_key, may_be_key


def test_a_key_has_prefix_randomness_and_its_checksum() -> None:
    keys = {made_key() for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        assert re.fullmatch(r"tw_[0-9A-Za-z]{36}", key)
        assert may_be_key(key)


def test_the_checksum_is_the_one_that_the_engine_wants() -> None:
    assert may_be_key("tw_0123456789abcdefghijABCDEFGHIJ1fqWVP")


def test_a_changed_key_is_none() -> None:
    key = made_key()
    for wrong in (key[:-1], key + "a", key[:10] + ("a" if key[10] != "a" else "b") + key[11:], "tw_", "tw_1"):
        assert not may_be_key(wrong)


def test_keys_of_others_need_no_checksum() -> None:
    assert may_be_key("jack-key")
    assert may_be_key("")
