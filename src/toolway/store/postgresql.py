"""PostgreSQL 13 or newer by URL, with psycopg. Several gateways may share one database.

Parameters of the URL are libpq's (TLS: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`). A server that does not
answer a connection, a network that is cut, and a lock that another keeps are given up after seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from toolway.store.database import Database
from toolway.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Dialect

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_MINIMUM_VERSION = 130000
_PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "application_name": "toolway",
}
"""Unless the URL says otherwise: seconds, the last but one milliseconds."""

# What is acknowledged is on the disk, whatever the server's default.
_DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
_SESSION = ("SET lock_timeout = '10s'", "SET idle_in_transaction_session_timeout = '60s'", _DURABLE)


def parsed(text: str) -> URL:
    """The URL with what it does not say filled in. Raises StoreUnavailable, without the text."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The text may hold a password, and so may the error.
        raise StoreUnavailable(
            "the URL of the store is not one: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from None
    url = url.set(drivername="postgresql+psycopg")
    return url.update_query_dict({key: value for key, value in _PATIENCE.items() if key not in url.query})


def displayed(url: URL) -> str:
    """What people know the database by: nothing of the URL that may be secret."""
    host = url.host or str(url.query.get("host", "")) or "localhost"
    port = f":{url.port}" if url.port else ""
    return f"the PostgreSQL database {url.database or url.username or ''} on {host}{port}"


def open_postgresql(text: str, *, read_only: bool = False) -> Database:
    """The database at the URL `text`; it is connected to when it is first used. Raises StoreUnavailable."""
    url = parsed(text)
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_timeout=10, max_overflow=20)
    event.listen(engine, "connect", _prepare)
    reads = engine.execution_options(isolation_level="REPEATABLE READ")
    name = displayed(url)
    return Database(engine, name=name, reads=reads, read_only=f"{name} is only read" if read_only else "")


def conninfo(text: str) -> dict[str, Any]:
    """What psycopg's own connect takes, for a connection beside the pool."""
    url = parsed(text)
    dialect: Dialect = url.get_dialect()()
    return dict(dialect.create_connect_args(url)[1])


def _prepare(connection: Any, _record: Any) -> None:
    if connection.info.server_version < _MINIMUM_VERSION:
        found = connection.info.server_version // 10000
        connection.close()
        raise StoreUnavailable(f"the database is PostgreSQL {found}; Toolway needs 13 or newer")
    connection.autocommit = True
    for statement in _SESSION:
        connection.execute(statement)
    connection.autocommit = False
