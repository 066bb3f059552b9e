"""Fixtures for all tests: servers that are started once, where a test first asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from databases.postgresql import Server, server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server; tests that stop it start it again."""
    with server() as running:
        yield running
