"""The Admin API on a real socket, over a live gateway on a store of its own; one for each file of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .gateway import AdminUnderTest, administered

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminUnderTest]:
    """A gateway that the tests of one file share."""
    with administered(tmp_path_factory.mktemp("data")) as gateway:
        yield gateway


@pytest.fixture
def admin(running: AdminUnderTest) -> AdminUnderTest:
    """The gateway without any resource."""
    running.empty()
    return running
