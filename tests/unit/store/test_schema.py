"""The schema: made by migrations, brought up to date, and refused where it is of a newer Toolway."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from toolway.store import NewerSchema, Store, migrating
from toolway.store.tables import metadata

from .stores import put, sealer

if TYPE_CHECKING:
    from databases.postgresql import Server

OPENED = """
import json, sys
sys.path.append(sys.argv[2])
from stores import sealer
from toolway.store import Change, Store
with Store.open(sys.argv[1], sealer=sealer()) as store:
    store.write([Change("routes", "1", {"uri": "/a"})], base=0, actor="test")
print(json.dumps(sorted(sys.modules)))
"""

FIRST = Path(__file__).with_name("first_schema.sql")
"""A database as the first migration made it, with resources, a sealed secret and a history."""


def execute(place: str, text: str) -> None:
    """Runs statements on a store that is closed."""
    if place.startswith("postgresql://"):
        with psycopg.connect(place, autocommit=True) as server:
            server.execute(text)
        return
    file = sqlite3.connect(Path(place) / "store.db")
    file.executescript(text)
    file.close()


def test_migrations_make_the_tables_that_queries_name(place: str) -> None:
    Store.open(place, sealer=sealer()).close()
    url = place.replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url if ":" in url else f"sqlite:///{url}/store.db")
    with engine.connect() as connection:
        options = {"version_table": "toolway_schema"}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()


def test_the_newest_version_is_the_one_that_the_migrations_lead_to() -> None:
    script = ScriptDirectory(str(Path(migrating.__file__).with_name("migrations")))
    assert script.get_current_head() == migrating.NEWEST


def test_a_store_on_sqlite_that_is_up_to_date_needs_no_library_of_others(tmp_path: Path) -> None:
    Store.open(tmp_path, sealer=sealer()).close()
    command = [sys.executable, "-c", OPENED, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(json.loads(done.stdout))
    assert "sqlalchemy" in loaded
    assert not loaded & {"alembic", "mako", "psycopg", "sqlalchemy.dialects.postgresql"}


def test_a_database_of_a_newer_toolway_is_refused_and_left_alone(place: str) -> None:
    with Store.open(place, sealer=sealer()) as store:
        put(store, "routes", "1", {})
    execute(place, "UPDATE toolway_schema SET version_num = '9000'")
    for _ in range(2):
        with pytest.raises(NewerSchema, match="has schema 9000, and this Toolway knows schemas up to"):
            Store.open(place, sealer=sealer())
    execute(place, "UPDATE toolway_schema SET version_num = '1'")
    with Store.open(place, sealer=sealer()) as store:
        assert store.get("routes", "1") is not None


def test_a_database_of_the_first_schema_is_brought_up_to_date(place: str) -> None:
    if "://" not in place:
        Path(place).mkdir()
    execute(place, FIRST.read_text())
    with Store.open(place, sealer=sealer()) as store:
        assert store.revision() == 3
        resource = store.get("consumers", "jack")
        assert resource is not None
        assert resource.value == {"username": "jack", "plugins": {"hmac-auth": {"secret": "open sesame"}}}
        assert (resource.created_index, resource.modified_index) == (1, 2)
        assert store.referrers("upstreams", "1") == [("routes", "1")]
        assert [found.id for found in store.list("routes", name="first", label="env", uri="/a")[1]] == ["1"]
        assert [revision.note for revision in store.revisions()[1]] == ["third", "second", "first"]
        assert put(store, "routes", "2", {}) == 4


def test_gateways_that_start_at_once_on_an_empty_database_make_one_schema(postgresql: Server) -> None:
    place = postgresql.new_database()
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: Store.open(place, sealer=sealer()), range(4)))
    assert [store.revision() for store in stores] == [0] * 4
    for store in stores:
        store.close()
