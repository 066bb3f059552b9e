"""What an app publishes: manifest, document, logo and MCP endpoint, each where its clients look for it."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jsonschema_rs
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from toolway.demo.published import PublishedDocument

from .rpc import Rpc, text_of
from .serving import serving, write
from .things import KEY, app, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from .serving import Gateway
    from .upstream import Upstream

OPERATIONS = {
    "createThing": {"plugins": {"key-auth": {}}},
    "deleteThing": {"tool": {"consequential": False}},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "findThings": {"name": "Mug & Co", "limit": 5},
    "createThing": {"name": "Mug", "colour": "red"},
    "getThing": {"id": 7},
    "deleteThing": {"id": 7},
    "getStock": {},
}
FILES = ("/.well-known/ai-plugin.json", "/openapi.yaml", "/openapi.json", "/logo.png")


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("published") / "toolway.yaml"
    apps = [
        app("things", "things:*", base_url="https://things.example"),
        app("stock", "things:getStock", host="stock.example", base_url="https://stock.example"),
    ]
    write(path, configuration(recorder.node, OPERATIONS, *apps))
    with serving(path) as gateway:
        yield gateway


def get(gateway: Gateway, path: str, host: str = "any.example") -> httpx.Response:
    return gateway.http.get(path, headers={"Host": host})


def document_at(gateway: Gateway, path: str, host: str = "any.example") -> dict[str, Any]:
    answer = get(gateway, path, host)
    assert answer.status_code == 200
    document: dict[str, Any] = yaml.safe_load(answer.text)
    return document


def test_the_manifest_has_every_field_that_clients_require(gateway: Gateway) -> None:
    answer = get(gateway, "/.well-known/ai-plugin.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "schema_version": "v1",
        "name_for_human": "Things",
        "name_for_model": "things",
        "description_for_human": "Look up things.",
        "description_for_model": "Answers questions about things.",
        "auth": {"type": "none"},
        "api": {
            "type": "openapi",
            "url": "https://things.example/openapi.yaml",
            "has_user_authentication": False,
        },
        "logo_url": "https://things.example/logo.png",
        "contact_email": "support@example.com",
        "legal_info_url": "https://example.com/legal",
    }


def test_the_document_is_valid_and_fit_for_gpt_actions(gateway: Gateway) -> None:
    document = document_at(gateway, "/openapi.yaml")
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "https://things.example"}]
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert {operation["operationId"] for operation in operations} == set(ARGUMENTS)
    for operation in operations:
        assert isinstance(operation["x-openai-isConsequential"], bool)
        assert len(operation.get("summary", "")) <= 300
        assert len(operation.get("description", "")) <= 300
    consequential = {
        operation["operationId"] for operation in operations if operation["x-openai-isConsequential"]
    }
    assert consequential == {"createThing"}


def test_the_document_says_which_operation_needs_the_key(gateway: Gateway) -> None:
    document = PublishedDocument(document_at(gateway, "/openapi.yaml"))
    assert document.credential_header("createThing") == "apikey"
    assert document.credential_header("findThings") is None


def test_the_document_is_the_same_in_json(gateway: Gateway) -> None:
    answer = get(gateway, "/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == document_at(gateway, "/openapi.yaml")


@pytest.mark.parametrize("operation_id", list(ARGUMENTS))
def test_every_operation_of_the_document_can_be_called_through_the_gateway(
    gateway: Gateway, upstream: Upstream, operation_id: str
) -> None:
    document = PublishedDocument(document_at(gateway, "/openapi.yaml"))
    plan = document.plan(operation_id, ARGUMENTS[operation_id])
    answer = gateway.http.request(
        plan.method, plan.target, params=plan.query or None, json=plan.body, headers={"apikey": KEY}
    )
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    received = upstream.only()
    assert received.method == plan.method
    assert urlsplit(received.target).path == f"/v1{plan.target}"
    assert received.body == b"" if plan.body is None else received.json == plan.body


def test_the_logo_is_a_picture_of_the_size_that_clients_want(gateway: Gateway) -> None:
    answer = get(gateway, "/logo.png")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", answer.content[16:24]) == (512, 512)


@pytest.mark.parametrize("path", FILES)
def test_a_head_request_tells_the_length_and_no_more(gateway: Gateway, path: str) -> None:
    answer = gateway.http.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) == len(get(gateway, path).content)


def test_a_file_takes_no_other_method(gateway: Gateway) -> None:
    for path in FILES:
        assert gateway.http.post(path).status_code == 404


@pytest.mark.parametrize("host", ["any.example", "127.0.0.1", "things.example:9080"])
def test_the_first_app_is_at_any_host(gateway: Gateway, host: str) -> None:
    for path in FILES:
        assert get(gateway, path, host).status_code == 200
    manifest = get(gateway, "/.well-known/ai-plugin.json", host).json()
    assert manifest["name_for_model"] == "things"


@pytest.mark.parametrize("host", ["stock.example", "STOCK.example:443"])
def test_the_second_app_is_at_its_own_host(gateway: Gateway, host: str) -> None:
    manifest = get(gateway, "/.well-known/ai-plugin.json", host).json()
    assert manifest["name_for_model"] == "stock"
    assert manifest["api"]["url"] == "https://stock.example/openapi.yaml"
    document = document_at(gateway, "/openapi.yaml", host)
    assert list(document["paths"]) == ["/stock"]
    assert document["servers"] == [{"url": "https://stock.example"}]
    answer = gateway.http.post(
        "/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers={"Host": host}
    )
    assert [tool["name"] for tool in answer.json()["result"]["tools"]] == ["getStock"]


@pytest.mark.parametrize("identifier", ["things", "stock"])
def test_every_app_is_under_its_own_path(gateway: Gateway, identifier: str) -> None:
    prefix = f"/apps/{identifier}"
    for path in FILES:
        assert get(gateway, prefix + path).status_code == 200
    manifest = get(gateway, f"{prefix}/.well-known/ai-plugin.json").json()
    assert manifest["name_for_model"] == identifier
    # What the copy names is the copy.
    assert urlsplit(manifest["api"]["url"]).path == f"{prefix}/openapi.yaml"
    assert urlsplit(manifest["logo_url"]).path == f"{prefix}/logo.png"
    assert get(gateway, "/apps/nothing/openapi.yaml").status_code == 404


def test_a_tool_of_one_app_is_none_of_another(gateway: Gateway, upstream: Upstream) -> None:
    rpc = Rpc(gateway.http, "/apps/stock/mcp")
    assert text_of(rpc.call("getStock")) == '{"ok":true}'
    refused = rpc.legacy("tools/call", {"name": "getThing", "arguments": {"id": 7}})
    assert refused.json()["error"]["code"] == -32602


def test_the_tools_schemas_take_the_arguments_that_the_document_describes(gateway: Gateway) -> None:
    tools = Rpc(gateway.http).legacy("tools/list").json()["result"]["tools"]
    for tool in tools:
        jsonschema_rs.Draft202012Validator(tool["inputSchema"]).validate(ARGUMENTS[tool["name"]])


@pytest.mark.parametrize("origin", ["https://chat.openai.com", "https://chatgpt.com"])
@pytest.mark.parametrize("path", FILES)
def test_pages_of_chatgpt_may_read_the_files(gateway: Gateway, origin: str, path: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "openai-conversation-id",
        "Access-Control-Request-Private-Network": "true",
    }
    preflight = gateway.http.options(path, headers=asked)
    assert preflight.status_code in (200, 204)
    assert preflight.content == b""
    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    assert preflight.headers["Access-Control-Allow-Private-Network"] == "true"
    assert "GET" in preflight.headers["Access-Control-Allow-Methods"]
    allowed = {name.strip().lower() for name in preflight.headers["Access-Control-Allow-Headers"].split(",")}
    required = {"content-type", "authorization", "openai-conversation-id", "openai-ephemeral-user-id"}
    assert required <= allowed
    answer = gateway.http.get(path, headers={"Origin": origin})
    assert answer.headers["Access-Control-Allow-Origin"] == origin


def test_pages_of_others_may_not_read_the_files(gateway: Gateway) -> None:
    answer = gateway.http.get("/openapi.yaml", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_route_of_the_user_s_own_comes_before_a_file_and_is_reported(
    recorder: Upstream, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("own") / "toolway.yaml"
    own = {"id": "own", "uri": "/openapi.yaml", "upstream": {"nodes": {recorder.node: 1}}}
    write(path, configuration(recorder.node, routes=[own]))
    with serving(path) as gateway:
        assert json.loads(gateway.http.get("/openapi.yaml").content) == {"ok": True}
        assert gateway.http.get("/openapi.json").status_code == 200
        assert "own" in gateway.said.wait_for("[clash]")
