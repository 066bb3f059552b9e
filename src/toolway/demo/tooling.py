"""The last chapters of the play: the official MCP client against `/mcp`, once in each era of the protocol.

A client before 2026 starts with `initialize`; a later one with `server/discover` and no handshake. Both meet
the same tools, the same key and the same limit as plain HTTP, since a call is an exchange of its own through
the operation's route.
"""

from __future__ import annotations

import json
import re
import textwrap
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from toolway.demo.play import KEY_HEADER, ORDER, SEARCH, SEARCHES, SPEAKER, Deviation, expect
from toolway.demo.screen import WIDTH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from toolway.demo.play import Stage
    from toolway.demo.screen import Screen

ERAS: dict[str, Literal["legacy", "auto"]] = {"2025-11-25": "legacy", "2026-07-28": "auto"}
"""The protocol versions of the play with the client's word for each; `auto` asks `server/discover`."""


class McpPlay:
    """An MCP client of one era."""

    def __init__(self, screen: Screen, stage: Stage, version: str) -> None:
        self._screen = screen
        self._stage = stage
        self._version = version

    async def perform(self) -> None:
        """Connects, lists, asks, orders and runs into the limit. Raises Deviation."""
        self._screen.step(f"Connect as a client that speaks MCP {self._version}.")
        start = "initialize" if ERAS[self._version] == "legacy" else "server/discover"
        self._screen.request(f"POST /mcp  {start}")
        async with self._connected({}) as client:
            self._screen.answer(f"protocol {client.protocol_version}")
            expect(client.protocol_version == self._version, f"the server agrees on {self._version}")
            expect(bool(client.instructions), "the server says what it is for")
            self._screen.passed("connected")
            await self._list(client, is_buyer=False)
            await self._ask(client)
            self._screen.step("Order two mugs, without showing a key.")
            refusal = await self._call(client, "PlaceOrder", ORDER, error=True)
            expect("Missing API key in request" in refusal, "the model is told that the key is missing")
            self._screen.passed("refused as a result with isError that the model can read")
            await self._exhaust(client)
        async with self._connected({KEY_HEADER: self._stage.visitor_key}) as client:
            self._screen.step("Order them over a connection that has the key of a visitor.")
            self._screen.request(f"{KEY_HEADER}: {'*' * 8}")
            refusal = await self._call(client, "PlaceOrder", ORDER, error=True)
            expect("it needs the role buyer" in refusal, "the model is told which role it takes")
            self._screen.passed("refused: a visitor may look at orders and place none")
        async with self._connected({KEY_HEADER: self._stage.key}) as client:
            await self._list(client, is_buyer=True)
            self._screen.step("Order them over a connection that has the key of a buyer.")
            self._screen.request(f"{KEY_HEADER}: {'*' * 8}")
            placed = json.loads(await self._call(client, "PlaceOrder", ORDER))
            expect(placed.get("total_cents") == 2400, "two mugs cost 24.00 EUR")
            self._screen.passed(f"{placed['id']} is placed")

    @asynccontextmanager
    async def _connected(self, headers: dict[str, str]) -> AsyncIterator[Client]:
        async with httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http:
            transport = streamable_http_client(f"{self._stage.origin}/mcp", http_client=http)
            async with Client(transport, mode=ERAS[self._version], read_timeout_seconds=30) as client:
                yield client

    async def _list(self, client: Client, *, is_buyer: bool) -> None:
        who = "a buyer" if is_buyer else "somebody without a key"
        self._screen.step(f"Which tools are there for {who}?")
        self._screen.request("POST /mcp  tools/list")
        tools = (await client.list_tools()).tools
        names = [tool.name for tool in tools]
        self._screen.answer(f"{len(tools)} tools", textwrap.fill(", ".join(names), WIDTH))
        wanted = {"FindSpeakers", "GetSpeakerSessions", "GetSpeakerTopics", "FindSessions"}
        expect(wanted <= set(names), f"{', '.join(sorted(wanted - set(names)))} is a tool")
        expect("GetProduct" not in names, "there is no tool that the app does not select")
        expect(("PlaceOrder" in names) is is_buyer, "PlaceOrder is a tool for buyers, and for nobody else")
        for tool in tools:
            hints = tool.annotations
            expect(bool(tool.title and tool.description and hints), f"{tool.name} has title, text and hints")
            assert hints is not None
            expect(
                hints.read_only_hint is (tool.name != "PlaceOrder"), f"{tool.name} says whether it only reads"
            )
        changing = "only PlaceOrder changes something" if is_buyer else "none of them changes anything"
        self._screen.passed(f"each with a title, a description and hints; {changing}")

    async def _ask(self, client: Client) -> None:
        self._screen.step(f"Who is {SPEAKER}, which sessions are theirs, and what about?")
        found = json.loads(await self._call(client, "FindSpeakers", {"name": SPEAKER}))["speakers"]
        expect([speaker["name"] for speaker in found] == [SPEAKER], "one speaker of this name is found")
        number = {"id": found[0]["id"]}
        sessions = json.loads(await self._call(client, "GetSpeakerSessions", number))["sessions"]
        topics = json.loads(await self._call(client, "GetSpeakerTopics", number))["topics"]
        spoken = {name for session in sessions for name in session["topics"]}
        expect(
            bool(spoken) and {topic["name"] for topic in topics} == spoken,
            "the topics are those of the sessions",
        )
        self._screen.passed(f"{len(sessions)} sessions about {', '.join(sorted(spoken))}")

    async def _exhaust(self, client: Client) -> None:
        self._screen.step("Search the sessions until the same limit as before refuses.")
        self._screen.request(f"POST /mcp  tools/call FindSessions {json.dumps(SEARCH)}")
        # As over HTTP: the window may end in between, once at most.
        for _ in range(2 * SEARCHES + 1):
            result = await client.call_tool("FindSessions", SEARCH)
            if result.is_error:
                break
        else:
            raise Deviation(
                f"{2 * SEARCHES + 1} searches in a row were all answered; the limit is {SEARCHES}"
            )
        text = _text(result.content)
        self._screen.answer("isError", text, good=False)
        expect("Too many searches" in text, "the model is told that it searches too much")
        expect(re.search(r"\d+ seconds?", text) is not None, "the model is told how long to wait")
        self._screen.passed("refused, and the model is told to wait")

    async def _call(
        self, client: Client, tool: str, arguments: dict[str, Any], *, error: bool = False
    ) -> str:
        self._screen.request(f"POST /mcp  tools/call {tool} {json.dumps(arguments, ensure_ascii=False)}")
        result = await client.call_tool(tool, arguments)
        text = _text(result.content)
        outcome = "isError" if result.is_error else "result"
        self._screen.answer(outcome, _value(text), good=not result.is_error)
        expect(bool(result.is_error) is error, f"{tool} {'is refused' if error else 'succeeds'}")
        return text


def _text(content: Any) -> str:
    return "\n".join(block.text for block in content if isinstance(block, TextContent))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
