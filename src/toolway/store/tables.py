"""The tables of the newest schema, as queries name them. `migrations` makes them; a test compares the two.

A value is stored once, in the change that wrote it; `resources` points at the change of each resource's
present state. `facets` are the texts that lists are filtered by, `links` the references between resources.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

metadata = MetaData()

revisions = Table(
    "toolway_revisions",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),  # Microseconds since 1970.
    Column("actor", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("size", Integer, nullable=False),
)

changes = Table(
    "toolway_changes",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("value", Text),  # JSON with "***" in place of secrets; none: deleted.
    Column("secrets", Text),  # JSON: pointer -> sealed secret.
    Column("refers", Text),  # JSON: the references, pairs of kind and id.
    Index("toolway_changes_of", "kind", "id", "revision", unique=True),
)

resources = Table(
    "toolway_resources",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("created_index", BigInteger, nullable=False),
    Column("created_position", Integer, nullable=False),
    Column("modified_index", BigInteger, nullable=False),
    Column("modified_position", Integer, nullable=False),
    Index("toolway_resources_in_order", "kind", "created_index", "created_position", unique=True),
)


def _found(name: str, *columns: str) -> Table:
    """A table of texts that is read both ways: by all of them, and by kind and id."""
    texts = (Column(column, Text, primary_key=True) for column in columns)
    return Table(name, metadata, *texts, Index(f"{name}_of", "kind", "id"))


facets = _found("toolway_facets", "kind", "field", "text", "id")

links = _found("toolway_links", "to_kind", "to_id", "kind", "id")

sealing_keys = Table("toolway_sealing_keys", metadata, Column("id", Text, primary_key=True))
"""The ids of the master keys that sealed what the database holds."""
