"""Documents of real APIs behind the gateway: each is served, and a call of its tools becomes the request that
the document describes.
"""

from __future__ import annotations

import email
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jsonschema_rs
import pytest

from toolway import openapi
from toolway.cli import run as command_line

from .rpc import Rpc, text_of
from .sample_calls import CALLS
from .sample_requests import request_of
from .serving import LISTEN, serving, write
from .shared import SHARED, shared
from .things import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .sample_calls import Call
    from .serving import Gateway
    from .upstream import Received, Upstream

FOLDER = "openapi-samples"
NAMES = sorted(
    path.name for path in (SHARED / FOLDER).glob("*") if re.search(r"\.(json|yaml)(\.gz)?$", path.name)
) or [FOLDER]
"""The samples; where they are missing, one test tells so."""


def configuration(name: str, node: str, **settings: Any) -> dict[str, Any]:
    """One sample as an api, with `settings` for `oas-validator`."""
    api = {"id": "sample", "spec": str(shared(f"{FOLDER}/{name}")), "upstream": {"nodes": {node: 1}}}
    api["plugins"] = {"oas-validator": settings}
    return {"gateway": LISTEN, "apis": [api], "apps": [app("sample", "sample:*")]}


def a_path_of(template: str) -> str:
    """A path that the template of a route matches."""
    return re.sub(r"\{[^{}]*\}", "1", template).partition("#")[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_good_and_each_of_its_operations_is_served(
    name: str, upstream: Upstream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "toolway.yaml"
    # These requests have nothing but method and path.
    write(path, configuration(name, upstream.node, mode="off"))
    # The command itself without a process of its own, which would cost more than the check.
    status = command_line(["check", "-c", str(path)])
    said = capsys.readouterr()
    assert status == 0, said.err
    assert said.out.rstrip().splitlines()[-1].startswith(f"{path}: good")
    assert "[operation-set-aside]" not in said.err
    document = openapi.read(shared(f"{FOLDER}/{name}"))
    with serving(path) as gateway:
        tools = all_tools(Rpc(gateway.http))
        assert len({tool["name"] for tool in tools}) == len(document.operations)
        for operation in document.operations:
            target = a_path_of(operation.path)
            answer = gateway.http.request(operation.method, target)
            assert answer.status_code == 200, f"{operation.method} {target}: {answer.text}"
            received = upstream.only()
            assert received.method == operation.method
            base = operation.servers[0] if operation.servers else document.base_path
            assert urlsplit(received.target).path == urlsplit(base).path.rstrip("/") + target


@pytest.mark.parametrize("name", NAMES)
def test_a_request_that_the_document_allows_passes(name: str, upstream: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    write(path, configuration(name, upstream.node))
    document = openapi.read(shared(f"{FOLDER}/{name}"))
    made = [(operation, request_of(document, operation)) for operation in document.operations]
    sent = 0
    with serving(path) as gateway:
        for operation, request in made:
            if request is None:
                continue
            answer = gateway.http.request(
                request.method, request.target, headers=request.headers, content=request.body
            )
            assert answer.status_code == 200, f"{operation.id}: {request}: {answer.text}"
            assert upstream.only().body == request.body
            sent += 1
    assert sent >= 0.7 * len(made), f"{sent} of {len(made)}"


def all_tools(rpc: Rpc) -> list[dict[str, Any]]:
    tools: list[dict[str, Any]] = []
    cursor = None
    while True:
        result = rpc.legacy("tools/list", {"cursor": cursor} if cursor else {}).json()["result"]
        tools += result["tools"]
        cursor = result.get("nextCursor")
        if cursor is None:
            return tools


@pytest.fixture(scope="module", params=list(CALLS))
def sample(
    request: pytest.FixtureRequest, recorder: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Gateway]]:
    """A gateway in front of one of the samples whose calls are written down."""
    path = tmp_path_factory.mktemp("sample") / "toolway.yaml"
    write(path, configuration(request.param, recorder.node))
    with serving(path) as gateway:
        yield request.param, gateway


def test_every_call_becomes_the_request_that_the_document_describes(
    sample: tuple[str, Gateway], upstream: Upstream
) -> None:
    name, gateway = sample
    rpc = Rpc(gateway.http)
    schemas = {tool["name"]: tool["inputSchema"] for tool in all_tools(rpc)}
    assert {call.tool for call in CALLS[name]} == set(schemas)
    for call in CALLS[name]:
        jsonschema_rs.Draft202012Validator(schemas[call.tool]).validate(call.arguments)
        result = rpc.call(call.tool, call.arguments)
        assert not result["isError"], f"{call.tool}: {text_of(result)}"
        check(call, upstream.only())


def check(call: Call, received: Received) -> None:
    assert (received.method, received.target) == (call.method, call.target), call.tool
    sent = {header: received.header(header) for header in call.headers}
    assert sent == call.headers, call.tool
    if isinstance(call.body, bytes):
        assert received.body == call.body, call.tool
    elif (received.header("Content-Type") or "").startswith("multipart/form-data"):
        assert parts_of(received) == call.body, call.tool
    else:
        assert received.json == call.body, call.tool


def parts_of(received: Received) -> list[tuple[str, str | None, bytes]]:
    """Name, type and content of each part of a multipart body."""
    head = f"Content-Type: {received.header('Content-Type')}\r\n\r\n".encode()
    message = email.message_from_bytes(head + received.body)
    assert message.is_multipart()
    parts = []
    for part in message.get_payload():
        assert isinstance(part, email.message.Message)
        name = part.get_param("name", header="Content-Disposition")
        content = part.get_payload(decode=True)
        assert isinstance(name, str)
        assert isinstance(content, bytes)
        parts.append((name, part["Content-Type"], content))
    return parts
