"""Brings a database to the newest schema, forward only, and refuses one that a newer Toolway wrote.

Runs in the transaction of the connection it is given: either all missing versions are applied, or none.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from toolway.store.errors import NewerSchema, StoreUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger("toolway.store")

# What alembic tells of its own workings at each start is nothing to an operator.
logging.getLogger("alembic.runtime").setLevel(logging.WARNING)

_FOLDER = Path(__file__).with_name("migrations")
_TABLE = "toolway_schema"


def migrate(connection: Connection, *, read_only: bool = False) -> None:
    """Applies the versions that the database lacks. Raises NewerSchema, and whatever the database raises;
    StoreUnavailable where some are missing and it is `read_only`.
    """
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes.update(connection=connection, table=_TABLE)
    script = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection, opts={"version_table": _TABLE}).get_current_revision()
    newest = script.get_current_head()
    if present == newest:
        return
    if present is not None and present not in {version.revision for version in script.walk_revisions()}:
        raise NewerSchema(
            f"the database has schema {present}, and this Toolway knows schemas up to {newest}: "
            "run the Toolway that wrote it, or a newer one"
        )
    if read_only:
        raise StoreUnavailable(
            f"the database has schema {present or 'none'}, this Toolway needs {newest}, and it can only be "
            "read: start a gateway on it once where it can be written"
        )
    command.upgrade(config, "head")
    if present is not None:
        logger.info("the schema of the store was brought from version %s to %s", present, newest)
