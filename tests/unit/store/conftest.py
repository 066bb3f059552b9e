"""A store for each test: an empty one on SQLite and one on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from toolway.store import Store

from .stores import sealer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be: a folder, and a URL."""
    if request.param == "sqlite":
        return str(tmp_path / "data")
    url: str = request.getfixturevalue("postgresql").new_schema()
    return url


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    """An open store without anything in it."""
    with Store.open(place, sealer=sealer()) as opened:
        yield opened
