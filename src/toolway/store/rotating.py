"""Replacing the master key: all that is sealed, in the history too, is sealed anew in one transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select, text, tuple_, update

from toolway.store.tables import changes, sealing_keys
from toolway.store.writing import register_key

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from toolway.store.sealing import Sealer

_BATCH = 1000
_PLACE = (changes.c.revision, changes.c.position)


def seal_anew(connection: Connection, sealer: Sealer) -> int:
    """Seals with the first key what others sealed: how many secrets. Raises MasterKeyError."""
    if connection.dialect.name == "postgresql":
        # Readers go on; a writer that sealed with an old key meanwhile would undo the work.
        connection.execute(text("LOCK TABLE toolway_revisions, toolway_changes IN SHARE ROW EXCLUSIVE MODE"))
    count = 0
    after = (0, 0)
    while True:
        rows = connection.execute(
            select(*_PLACE, changes.c.kind, changes.c.id, changes.c.secrets)
            .where(changes.c.secrets.is_not(None), tuple_(*_PLACE) > after)
            .order_by(*_PLACE)
            .limit(_BATCH)
        ).all()
        renewed = []
        for row in rows:
            old = json.loads(row.secrets)
            new = sealer.sealed_anew(row.kind, row.id, old)
            moved = sum(new[pointer] != token for pointer, token in old.items())
            if moved:
                count += moved
                place = {"at_revision": row.revision, "at_position": row.position}
                renewed.append({**place, "sealed": json.dumps(new, separators=(",", ":"))})
        if renewed:
            connection.execute(_UPDATE, renewed)
        if len(rows) < _BATCH:
            break
        after = (rows[-1].revision, rows[-1].position)
    register_key(connection, sealer.key_id)
    connection.execute(delete(sealing_keys).where(sealing_keys.c.id != sealer.key_id))
    return count


_UPDATE = (
    update(changes)
    .where(changes.c.revision == bindparam("at_revision"), changes.c.position == bindparam("at_position"))
    .values(secrets=bindparam("sealed"))
)
