"""Many clients that do next to nothing, as a process of their own: `crowd.py PORT IDLE SLOW`.

Each idle one has had one answer and keeps its connection. Of the slow ones a third each sends a head, sends a
body, and reads an answer of `/large`, a few bytes a second. Prints "ready" once all are there; at the end of
the standard input it looks after them and prints how many idle connections were lost and how many slow ones.
"""

from __future__ import annotations

import asyncio
import resource
import sys

HEAD = b"GET /slow HTTP/1.1\r\nHost: gateway.test\r\n"
BODY = b"POST /slow HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 100000\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
AT_ONCE = 100
"""Connections that are made at the same time."""
PACE_SECONDS = 1.0
"""How often a slow one does something: what makes it slow."""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def idle(port: int) -> Connection:
    """A connection that has had an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
    return reader, writer


async def slow(port: int, number: int) -> Connection:
    """A connection that has begun something."""
    # A small limit, so that what is not read stays with the gateway.
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write((HEAD, BODY, LARGE)[number % 3])
    return reader, writer


async def go_on(connection: Connection, number: int) -> None:
    """Goes on with it, slowly, until it is ended; a head that was begun is not finished for long."""
    reader, writer = connection
    while True:
        await asyncio.sleep(PACE_SECONDS)
        if number % 3 == 2:
            await reader.readexactly(16_384)
        else:
            writer.write(b"X" if number % 3 else b"X-Slow: 1\r\n")
            await writer.drain()


async def run(port: int, idle_ones: int, slow_ones: int) -> None:
    """Makes the connections, waits for the end of the input, and counts."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(number: int) -> Connection:
        async with turns:
            return await (idle(port) if number < idle_ones else slow(port, number))

    connections = await asyncio.gather(*(in_turn(number) for number in range(idle_ones + slow_ones)))
    going = [
        asyncio.create_task(go_on(connection, number))
        for number, connection in enumerate(connections[idle_ones:], idle_ones)
    ]
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    lost = sum(reader.at_eof() for reader, _ in connections[:idle_ones])
    print(lost, sum(task.done() for task in going), flush=True)
    for task in going:
        task.cancel()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(run(*(int(argument) for argument in sys.argv[1:])))
