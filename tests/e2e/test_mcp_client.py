"""The official MCP client in both eras of the protocol, against the demo's configuration and APIs."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from toolway.demo import conference, shop
from toolway.demo.serving import served

from .serving import serving
from .things import KEY, VISITOR_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from .serving import Gateway

Era = Literal["legacy", "auto"]
ERAS: dict[str, Era] = {"2025-11-25": "legacy", "2026-07-28": "auto"}
ORDER = {"name": "Ada", "items": [{"product_id": "rubber-duck"}]}

each_era = pytest.mark.parametrize("version", list(ERAS))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("demo")
    for name in ("toolway.yaml", "logo.png", "conference.yaml", "shop.yaml"):
        shutil.copy(str(files("toolway.demo").joinpath(name)), folder)
    with (
        served(conference.application(), "conference") as conference_port,
        served(shop.application(), "shop") as shop_port,
    ):
        environment = {
            "DEMO_PORT": "0",
            "DEMO_METRICS_PORT": "0",
            "DEMO_CONFERENCE_PORT": str(conference_port),
            "DEMO_SHOP_PORT": str(shop_port),
            "DEMO_API_KEY": KEY,
            "DEMO_VISITOR_KEY": VISITOR_KEY,
        }
        with serving(folder / "toolway.yaml", environment=environment) as gateway:
            yield gateway


@asynccontextmanager
async def connected(
    gateway: Gateway, version: str, headers: dict[str, str] | None = None, path: str = "/mcp"
) -> AsyncIterator[Client]:
    async with httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http:
        transport = streamable_http_client(gateway.origin + path, http_client=http)
        async with Client(transport, mode=ERAS[version], read_timeout_seconds=30) as client:
            yield client


def text_of(result: Any) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


@each_era
@pytest.mark.parametrize("path", ["/mcp", "/apps/conference/mcp"])
def test_the_client_connects_and_lists_the_tools_of_the_app(
    gateway: Gateway, version: str, path: str
) -> None:
    async def scene() -> None:
        async with connected(gateway, version, {"apikey": KEY}, path) as client:
            assert client.protocol_version == version
            assert client.instructions is not None
            assert "conference" in client.instructions
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert {"FindSpeakers", "GetSpeakerSessions", "PlaceOrder"} <= set(tools)
            assert "GetProduct" not in tools
            hints = tools["PlaceOrder"].annotations
            assert hints is not None
            assert hints.read_only_hint is False
            assert tools["GetSpeaker"].input_schema["required"] == ["id"]
        for headers in ({}, {"apikey": VISITOR_KEY}, {"apikey": "made-up"}):
            async with connected(gateway, version, headers, path) as client:
                assert {tool.name for tool in (await client.list_tools()).tools} == {*tools} - {"PlaceOrder"}

    play(scene)


@each_era
def test_the_client_calls_and_gets_what_the_api_answers(gateway: Gateway, version: str) -> None:
    async def scene() -> None:
        async with connected(gateway, version) as client:
            result = await client.call_tool("GetSpeakerSessions", {"id": 1})
            assert not result.is_error
            direct = gateway.http.get("/speaker/1/sessions").json()
            assert json.loads(text_of(result)) == direct

    play(scene)


@each_era
def test_the_client_is_told_of_refusals_as_results(gateway: Gateway, version: str) -> None:
    async def scene() -> None:
        async with connected(gateway, version) as client:
            missing = await client.call_tool("GetSpeaker", {"id": 100_000})
            assert missing.is_error
            assert "404" in text_of(missing)
            wrong = await client.call_tool("GetSpeaker", {"id": "first"})
            assert wrong.is_error
            assert "`id`" in text_of(wrong)
            refused = await client.call_tool("PlaceOrder", ORDER)
            assert refused.is_error
            assert "Missing API key in request" in text_of(refused)

    play(scene)


@each_era
def test_the_client_s_key_in_a_header_opens_what_it_guards(gateway: Gateway, version: str) -> None:
    async def scene() -> None:
        async with connected(gateway, version, {"apikey": KEY}) as client:
            placed = await client.call_tool("PlaceOrder", ORDER)
            assert not placed.is_error, text_of(placed)
            assert json.loads(text_of(placed))["status"] == "placed"
        async with connected(gateway, version, {"apikey": "made-up"}) as client:
            refused = await client.call_tool("PlaceOrder", ORDER)
            assert refused.is_error
            assert "Invalid API key in request" in text_of(refused)
        async with connected(gateway, version, {"apikey": VISITOR_KEY}) as client:
            refused = await client.call_tool("PlaceOrder", ORDER)
            assert refused.is_error
            assert "(role_missing)" in text_of(refused)
            assert "it needs the role buyer" in text_of(refused)

    play(scene)


@each_era
def test_the_client_raises_for_an_unknown_tool(gateway: Gateway, version: str) -> None:
    async def scene() -> None:
        async with connected(gateway, version) as client:
            with pytest.raises(MCPError, match="FindSpeaker") as raised:
                await client.call_tool("FindSpeaker", {})
            assert raised.value.code == -32602

    play(scene)


@each_era
def test_many_calls_at_once_each_get_their_own_answer(gateway: Gateway, version: str) -> None:
    async def scene() -> None:
        async with connected(gateway, version) as client:
            calls = [client.call_tool("GetSpeaker", {"id": number}) for number in range(1, 41)]
            results = await asyncio.gather(*calls)
            assert [json.loads(text_of(result))["id"] for result in results] == list(range(1, 41))

    play(scene)
