"""Load on a gateway: clients on one event loop that ask again and again, each on a kept connection, and note
what went wrong.

A request has failed where its connection ends before the whole answer, or where nobody takes the connection.
A client that is told `Connection: close` makes a new connection, as every HTTP client does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Told:
    """An answer."""

    status: int
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes
    seconds: float
    """From the request's last byte to the answer's."""


def get(target: str = "/") -> bytes:
    """A GET request."""
    return f"GET {target} HTTP/1.1\r\nHost: gateway.test\r\n\r\n".encode()


def post(target: str, body: bytes) -> bytes:
    """A POST request."""
    head = f"POST {target} HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Told:
    """Sends one request and reads its answer, which must have a length."""
    loop = asyncio.get_running_loop()
    writer.write(request)
    begun = loop.time()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Told(int(line.split()[1]), headers, body, loop.time() - begun)


@dataclass(slots=True)
class Client:
    """One client. With `fresh_after` it makes a new connection after so many requests; `pause` is how many
    seconds it waits between two.
    """

    port: int
    requests: Callable[[], bytes] = get
    fresh_after: int = 0
    pause: float = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    told: Callable[[bytes, Told], None] = lambda request, told: None
    """Is told every answer."""
    is_told_to_end: bool = False
    """Whether the client ends with the first answer that closes its connection."""
    _waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)
    """Who waits for which number of answers."""
    _has_ended: bool = False

    async def ask_until(self, done: asyncio.Event) -> None:
        """Asks until `done`; each request that has begun is waited for."""
        try:
            while not done.is_set():
                if await self._use_connection(done):
                    return
        except (OSError, EOFError, TimeoutError) as error:
            self.failures.append(f"after {len(self.seconds)} answers: {error!r}")
        finally:
            self._has_ended = True
            for _, event in self._waiting:
                event.set()

    async def answered(self, count: int) -> None:
        """Waits for `count` more answers, or for the client's end."""
        event = asyncio.Event()
        self._waiting.append((len(self.seconds) + count, event))
        if not self._has_ended:
            await event.wait()

    async def _use_connection(self, done: asyncio.Event) -> bool:
        """Asks on one connection. Whether the client is at its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            count = 0
            while not done.is_set() and (not self.fresh_after or count < self.fresh_after):
                request = self.requests()
                async with asyncio.timeout(PATIENCE_SECONDS):
                    told = await exchange(reader, writer, request)
                count += 1
                self.statuses[told.status] += 1
                self.seconds.append(told.seconds)
                self.told(request, told)
                for number, event in self._waiting:
                    if number == len(self.seconds):
                        event.set()
                if told.headers.get("connection") == "close":
                    return self.is_told_to_end
                if self.pause:
                    await asyncio.sleep(self.pause)
            return False
        finally:
            writer.close()


@asynccontextmanager
async def under_load(clients: Iterable[Client]) -> AsyncIterator[None]:
    """The clients ask within the block, which is entered once each has had an answer."""
    clients = list(clients)
    done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.ask_until(done))
        try:
            await answered(clients, 1)
            yield
        finally:
            done.set()


async def answered(clients: Iterable[Client], count: int) -> None:
    """Waits until each client has had `count` more answers, or is at its end."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(client.answered(count) for client in clients))


def failures(clients: Iterable[Client]) -> list[str]:
    """What went wrong with any of the clients."""
    return [failure for client in clients for failure in client.failures]


def statuses(clients: Iterable[Client]) -> Counter[int]:
    """How many answers had which status."""
    return sum((client.statuses for client in clients), Counter())
