"""The entrance: every request passes it before anything else looks at it. An ASGI application around another.

In this order: the Host (DNS rebinding), the key (wrong ones wait), the body (bounded in bytes and time). A
body is not read for someone without a key. Browsers' requests from other origins are given no permission: no
CORS header is ever sent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from toolway.admin.answers import Refusal
from toolway.admin.attempts import Attempts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from toolway.admin.hosts import Hosts
    from toolway.admin.keys import Key, Keys

logger = logging.getLogger("toolway.admin")

PAUSE_SECONDS = 30.0
"""How long a client may pause within a body."""
BODY_SECONDS = 300.0
"""How long a whole body may take."""
HEADER = "X-API-KEY"


class Entrance:
    """Lets a request in with `scope["state"]`: `key` (a Key) and `body` (bytes)."""

    def __init__(
        self,
        application: ASGIApp,
        keys: Keys,
        hosts: Hosts,
        *,
        body_bytes: int,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`wait` is how an answer to a wrong key is made late, in seconds."""
        self._application = application
        self._keys = keys
        self._hosts = hosts
        self._body_bytes = body_bytes
        self._wait = wait
        self._attempts = Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Whatever goes wrong is answered in one way, and never with how."""
        if scope["type"] != "http":
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
            self._check_host(headers)
            key = await self._key(scope, headers)
            body = await self._body(headers, receive)
            scope["state"] = {"key": key, "body": body}
            await self._application(scope, receive, noted)
        except Refusal as refusal:
            await refusal.answer().response()(scope, receive, send)
        except Exception:
            # The outermost edge: the reason goes to the log, never to the client.
            logger.exception("an operation of the Admin API failed")
            if begun:
                raise
            failure = Refusal(500, "the gateway failed to do this; its log says why")
            await failure.answer().response()(scope, receive, send)

    def _check_host(self, headers: list[tuple[bytes, str]]) -> None:
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._hosts.allows(hosts[0]):
            raise Refusal(
                403, "this Host is not one of the Admin API; names are listed in gateway.admin.hosts"
            )

    async def _key(self, scope: Scope, headers: list[tuple[bytes, str]]) -> Key:
        address = (scope.get("client") or ("unknown", 0))[0]
        if self._attempts.is_turned_away(address):
            raise Refusal(429, "too many wrong keys from this address", headers={"retry-after": "5"})
        presented = [value for name, value in headers if name == HEADER.lower().encode()]
        if not presented:
            raise _unauthorized("missing apikey")
        key = self._keys.find(presented[0]) if len(presented) == 1 else None
        if key is not None:
            self._attempts.succeeded(address)
            return key
        seconds = self._attempts.failed(address, time.monotonic())
        logger.warning("a wrong key was presented to the Admin API from %s", address)
        try:
            await self._wait(seconds)
        finally:
            self._attempts.answered(address)
        raise _unauthorized("wrong apikey")

    async def _body(self, headers: list[tuple[bytes, str]], receive: Receive) -> bytes:
        lengths = [value for name, value in headers if name == b"content-length"]
        if lengths and lengths[0].isdigit() and int(lengths[0][:20]) > self._body_bytes:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        deadline = time.monotonic() + BODY_SECONDS
        while True:
            message = await _received(receive, deadline)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return b"".join(parts)

    def _too_large(self) -> Refusal:
        return Refusal(
            413, f"the body is larger than {self._body_bytes:,} bytes", headers={"connection": "close"}
        )


async def _received(receive: Receive, deadline: float) -> dict[str, Any]:
    seconds = min(PAUSE_SECONDS, deadline - time.monotonic())
    try:
        message = await asyncio.wait_for(receive(), max(seconds, 0.001))
    except TimeoutError:
        raise Refusal(408, "the body did not come in time", headers={"connection": "close"}) from None
    if message["type"] == "http.disconnect":
        raise Refusal(400, "invalid request body: it broke off")
    return dict(message)


def _unauthorized(reason: str) -> Refusal:
    return Refusal(401, "failed to check token", more={"description": reason})
