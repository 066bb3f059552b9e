"""The first schema: revisions, changes, resources with facets and links, ids of master keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Makes all tables."""
    op.create_table(
        "toolway_revisions",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
    )
    op.create_table(
        "toolway_changes",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("value", sa.Text),
        sa.Column("secrets", sa.Text),
        sa.Column("refers", sa.Text),
    )
    op.create_index("toolway_changes_of", "toolway_changes", ["kind", "id", "revision"], unique=True)
    op.create_table(
        "toolway_resources",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_index", sa.BigInteger, nullable=False),
        sa.Column("created_position", sa.Integer, nullable=False),
        sa.Column("modified_index", sa.BigInteger, nullable=False),
        sa.Column("modified_position", sa.Integer, nullable=False),
    )
    order = ["kind", "created_index", "created_position"]
    op.create_index("toolway_resources_in_order", "toolway_resources", order, unique=True)
    _create_pairs("toolway_facets", ["kind", "field", "text", "id"])
    _create_pairs("toolway_links", ["to_kind", "to_id", "kind", "id"])
    op.create_table("toolway_sealing_keys", sa.Column("id", sa.Text, primary_key=True))


def _create_pairs(name: str, columns: list[str]) -> None:
    op.create_table(name, *(sa.Column(column, sa.Text, primary_key=True) for column in columns))
    op.create_index(f"{name}_of", name, ["kind", "id"])
