"""Run by alembic, which looks for it here: applies the versions over the connection that `migrating` has."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], version_table=context.config.attributes["table"]
)
context.run_migrations()
