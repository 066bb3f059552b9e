"""A gateway that does otherwise than it should fails the play, chapter by chapter, without a stack trace."""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from toolway.demo.gateway_process import GatewayStartError, free_port, gateway_process
from toolway.demo.play import Stage
from toolway.demo.player import play
from toolway.demo.screen import Screen
from toolway.demo.serving import served

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request


def played(origin: str) -> tuple[bool, str]:
    stream = io.StringIO()
    good = play(Screen(Console(file=stream)), Stage(origin, origin, "key", "visitor-key"))
    return good, stream.getvalue()


async def manifest(request: Request) -> JSONResponse:
    url = f"{request.base_url}openapi.yaml"
    told = {"schema_version": "v1", "name_for_human": "C", "auth": {"type": "none"}, "api": {"url": url}}
    return JSONResponse(told, headers={"x-request-id": "1"})


async def document(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("openapi: 3.0.1\npaths: {}\n")


def test_an_old_document_and_a_missing_mcp_endpoint_each_fail_their_chapter() -> None:
    routes = [Route("/.well-known/ai-plugin.json", manifest), Route("/openapi.yaml", document)]
    with served(Starlette(routes=routes), "gateway") as port:
        good, told = played(f"http://127.0.0.1:{port}")
    assert not good
    assert "expected that the document is OpenAPI 3.1, not 3.0.1" in told
    assert told.count("NOT AS IT SHOULD BE") == 3
    assert "Traceback" not in told


def test_a_gateway_that_is_not_there_fails_every_chapter() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    good, told = played(f"http://127.0.0.1:{port}")
    assert not good
    assert told.count("NOT AS IT SHOULD BE") == 3


def test_a_taken_port_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        assert free_port(taken) > taken
    assert free_port(taken, taken=frozenset({taken})) > taken


def test_a_gateway_that_cannot_start_says_why(tmp_path: Path) -> None:
    missing = gateway_process(tmp_path / "missing.yaml", {}, tmp_path / "log", print)
    with pytest.raises(GatewayStartError, match="No such file"), missing:
        raise AssertionError("it has started without a configuration")
