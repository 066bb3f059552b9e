"""Parameters of operations: what each means, looks like and is read by, once for all that have it."""

from __future__ import annotations

import math

from toolway.admin.answers import Refusal
from toolway.admin.operation import Parameter
from toolway.admin.reading import LEAST_PAGE, MOST_PAGE, PAGES_MOST, page_number, page_size


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 10**9:
        raise Refusal(400, "invalid argument ttl: should be a number")
    return seconds


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise Refusal(400, "invalid argument yaml: should be true or false")
    return text == "true"


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refusal(400, "invalid argument against: should be the number of a revision")
    return int(text)


PAGE = Parameter(
    "page",
    "Which page, from 1; with page_size.",
    {"type": "integer", "minimum": 1, "maximum": PAGES_MOST},
    page_number,
)
PAGE_SIZE = Parameter(
    "page_size",
    "How many a page has. Without it all are given.",
    {"type": "integer", "minimum": LEAST_PAGE, "maximum": MOST_PAGE},
    page_size,
)
NAME = Parameter("name", "Only those whose name has this text.", {"type": "string"})
LABEL = Parameter("label", "Only those with a label of this name.", {"type": "string"})
URI = Parameter("uri", "Only those of which a uri has this text.", {"type": "string"})
FORCE = Parameter("force", "`true` deletes also what others use.", {"type": "string"})
TTL = Parameter(
    "ttl",
    "Seconds after which the resource is deleted; 0: it stays.",
    {"type": "number", "minimum": 0, "maximum": 10**9},
    _seconds,
)
YAML = Parameter("yaml", "YAML instead of JSON, for `openapi`.", {"type": "boolean"}, _flag)
AGAINST = Parameter(
    "against",
    "The other revision; 0 is the empty configuration.",
    {"type": "integer", "minimum": 0},
    _revision,
)
IF_MATCH = Parameter(
    "If-Match",
    "The modifiedIndex that the resource must have; 409 where it has another.",
    {"type": "string"},
    place="header",
)
IF_NONE_MATCH = Parameter(
    "If-None-Match", "`*`: there must be no such resource yet; 409 else.", {"type": "string"}, place="header"
)
