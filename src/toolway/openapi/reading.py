"""What every step of reading one document shares: root, references, schema pool and notices.

Made by `read`, passed to every function that reads a part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolway.openapi.place import Notices
    from toolway.openapi.resolve import Resolver
    from toolway.openapi.schema import SchemaPool


@dataclass(frozen=True, slots=True)
class Reading:
    """One call of `read`, under way."""

    version: str
    root: dict[str, Any]
    resolver: Resolver
    pool: SchemaPool
    notices: Notices

    @property
    def swagger(self) -> bool:
        """Whether the document is Swagger 2.0."""
        return self.version.startswith("2")

    @property
    def url(self) -> str | None:
        """Where the root document was fetched from; relative servers start there."""
        return self.resolver.sources.url
