"""A node of an upstream as a process of its own, which can be killed and started anew: `node.py PORT
JOURNAL`.

It answers every request with `{"ok":true}`, `/large` with far more than the buffers on the way take. The body
of each POST is one line of the journal before it is answered, so that nothing that was done is forgotten when
the process is killed.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 16777216\r\n\r\n"
PIECE = b"x" * 65_536


@contextmanager
def node(port: int, journal: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A node on the port, 0 for a free one, and its port; killed at the end of the block."""
    command = [sys.executable, __file__, str(port), str(journal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


async def serve(port: int, journal: str) -> None:
    """Serves until the process is ended; prints the port once it listens."""
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                if head.startswith(b"post "):
                    length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                    os.write(file, await reader.readexactly(length) + b"\n")
                if not head.startswith(b"get /large "):
                    writer.write(ANSWER)
                    continue
                writer.write(LARGE)
                for _ in range(16_777_216 // len(PIECE)):
                    writer.write(PIECE)
                    await writer.drain()
        except (OSError, EOFError):
            # The gateway has closed the connection.
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
