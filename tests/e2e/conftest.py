"""What the end-to-end tests start: gateways, and upstreams for them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from .serving import serving, write
from .upstream import upstream as upstream_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .serving import Gateway
    from .upstream import Upstream


class Serve(Protocol):
    """Starts a gateway on a configuration, which ends with the test."""

    def __call__(
        self,
        configuration: str | dict[str, Any],
        *arguments: str,
        environment: dict[str, str] | None = None,
    ) -> Gateway: ...


@pytest.fixture(scope="module")
def recorder() -> Iterator[Upstream]:
    """The recording upstream that the tests of one file share."""
    with upstream_server() as server:
        yield server


@pytest.fixture
def upstream(recorder: Upstream) -> Upstream:
    """A recording upstream that has received nothing, and answers `{"ok":true}`."""
    recorder.begin_anew()
    return recorder


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts gateways on configurations; they end with the test, by SIGTERM and with 0."""
    with ExitStack() as stack:

        def start(
            configuration: str | dict[str, Any],
            *arguments: str,
            environment: dict[str, str] | None = None,
        ) -> Gateway:
            path = tmp_path / "toolway.yaml"
            write(path, configuration)
            return stack.enter_context(serving(path, *arguments, environment=environment))

        yield start
