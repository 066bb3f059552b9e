"""Serves an ASGI application on a loopback port from a thread of this process; for the demo's own APIs.

The socket listens before the thread starts, so a client that connects is never refused and nobody has to wait
for readiness. The gateway is not served this way: it is a process of its own.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette


@contextmanager
def served(application: Starlette, name: str, port: int = 0) -> Iterator[int]:
    """Serves `application` within the block; gives the port, a free one for 0. Raises OSError."""
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(
        uvicorn.Config(
            application, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name=name, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
