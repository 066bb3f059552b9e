"""Texts for people and models, fitted to the limits of the formats that carry them.

Only derived texts are cut here: what an operator configured is either published as it is or reported by the
module that publishes it.
"""

from __future__ import annotations

import re

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def clamp(text: str, limit: int) -> str:
    """`text`, tidied, in at most `limit` characters, cut after a sentence or else at a word."""
    text = tidy(text)
    if len(text) <= limit:
        return text
    head = text[:limit]
    sentence = max(head.rfind(mark) for mark in (". ", "! ", "? ", ".\n"))
    if sentence >= limit // 2:
        return head[: sentence + 1]
    head = text[: limit - 1]
    if not text[limit - 1].isspace():
        # The cut is inside a word, so that the word goes too, unless the whole text is one word.
        words = re.match(r"(.*\S)\s", head, re.DOTALL)
        head = words.group(1) if words else head
    return head.rstrip(" \n,;:-(") + ELLIPSIS


def tidy(text: str) -> str:
    """`text` without trailing and repeated blanks; paragraphs stay apart."""
    lines = [re.sub(r"[ \t\r\f\v\u00a0]+", " ", line).strip() for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def phrase(identifier: str) -> str:
    """`getSpeakerSessions` or `get_speaker-sessions` as `Get speaker sessions`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", identifier)
    words = [
        word if word.isupper() and len(word) > 1 else word.lower()
        for word in re.split(r"[\s_.-]+", spaced)
        if word
    ]
    text = " ".join(words)
    return text[:1].upper() + text[1:]
