"""Keys that Toolway makes: `tw_`, 30 random letters and digits (178 bits), and 6 that are the CRC-32 of all
before them.

The prefix lets scanners find a key that leaked, and the checksum lets them and the gateway tell one from text
that only looks like it. The engine checks the same (`plugins/key_auth/made.rs`).
"""

from __future__ import annotations

import secrets
import zlib

PREFIX = "tw_"
RANDOM = 30
CHECKSUM = 6
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def made_key() -> str:
    """A new key."""
    start = PREFIX + "".join(secrets.choice(_DIGITS) for _ in range(RANDOM))
    return start + _checksum(start)


def may_be_key(text: str) -> bool:
    """Whether a text has the checksum that a key with the prefix must have; keys of others need none."""
    if not text.startswith(PREFIX):
        return True
    start, end = text[:-CHECKSUM], text[-CHECKSUM:]
    return len(start) > len(PREFIX) and end == _checksum(start)


def _checksum(text: str) -> str:
    rest = zlib.crc32(text.encode())
    digits = ""
    for _ in range(CHECKSUM):
        rest, digit = divmod(rest, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
