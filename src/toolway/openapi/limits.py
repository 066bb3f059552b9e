"""How much an OpenAPI document may cost to read.

`text`, `source`, `fetch`, `resolve`, `schema` and `operations` hold to it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one call of `read`. Beyond any of them the document is refused as a whole."""

    bytes: int = 10_000_000
    """Of all files of the document together, unpacked, with YAML aliases written out."""
    depth: int = 100
    """Mappings and lists inside one another."""
    nodes: int = 1_000_000
    """Values in one file, aliases written out; also schemas converted in the whole document."""
    references: int = 500_000
    """Times that a `$ref` is followed."""
    operations: int = 5_000
    files: int = 100
    """Files or URLs that make up the document."""
    redirects: int = 5
    """Followed for one URL."""
    seconds: float = 30.0
    """For one URL, redirects included."""
