"""Bodies: what is JSON and can be kept is read, everything else is refused with a reason."""

from __future__ import annotations

import pytest

from toolway.admin.answers import Refusal
from toolway.admin.bodies import MAXIMUM_DEPTH, decode


def nested(depth: int) -> bytes:
    return b"[" * depth + b"1" + b"]" * depth


def test_json_is_read() -> None:
    text = '{"a": [1, 2.5, true, null, "\\u00e9\\ud83d\\ude00"]}'
    assert decode(text.encode()) == {"a": [1, 2.5, True, None, "é😀"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "it is not JSON"),
        (b"\xff", "it is not UTF-8 text"),
        (b'{"a": 1, "a": 2}', "the key 'a' twice"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[1e999]", "a number is too large"),
        (b"[" + b"9" * 301 + b"]", "a number is too large"),
        (b'["\\ud800"]', "half of a surrogate pair"),
        (b'{"\\udc00": 1}', "half of a surrogate pair"),
        (b'[["\\u0000"]]', "U+0000"),
        (nested(MAXIMUM_DEPTH + 1), "nested deeper"),
        (nested(1_000_000), "nested deeper"),
    ],
)
def test_what_cannot_be_kept_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        decode(content)
    assert refused.value.status == 400
    assert refused.value.message.startswith("invalid request body: ")
    assert reason in refused.value.message


def test_the_greatest_depth_is_read() -> None:
    assert decode(nested(MAXIMUM_DEPTH)) is not None
